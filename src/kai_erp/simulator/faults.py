"""Faults: what goes wrong on the way, by rules that a test adds while the simulator runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kai_erp.simulator.movements import Movements

COMPASS = "compass"


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with this status and body in place of the real answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = "<html><body><h1>Service failure</h1></body></html>"
    media_type: str = "text/html"


@dataclass(frozen=True, slots=True)
class Truncate:
    """Send only this share of the body, with a Content-Length that fits the part."""

    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Abort:
    """Cut the connection after this share of the body; 0 sends not even a status.

    Without a socket (an in-process client) the app raises ConnectionResetError.
    """

    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Delay:
    """Answer correctly, but only after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the body in pieces with a pause before each."""

    pieces: int = 10
    seconds: float = 0.05


@dataclass(frozen=True, slots=True)
class RepeatBookmark:
    """Return the bookmark that the request carried and claim that more rows exist."""


@dataclass(frozen=True, slots=True)
class DropBookmark:
    """Return no bookmark and claim that more rows exist."""


@dataclass(frozen=True, slots=True)
class Move:
    """Answer correctly, and let so many rows move before the next page is asked for.

    A changed row gets another value in `property` (by default the first decimal that the load reads) and
    the present in RecordDate. A walk misses what is inserted behind it and meets what is inserted ahead.
    """

    delete_served: int = 0
    delete_ahead: int = 0
    change_served: int = 0
    change_ahead: int = 0
    insert_behind: int = 0
    insert_ahead: int = 0
    property: str | None = None


Action = Answer | Truncate | Abort | Delay | Drip | RepeatBookmark | DropBookmark | Move


@dataclass(slots=True)
class Fault:
    """One rule: on which requests which action is taken.

    `on` is a collection, "ido" (every request of the IDO service), "token", "compass" (every request to
    the lake), "compass.submit", "compass.status", "compass.result", "compass.cancel" or "*" (all).

    `page` restricts it to the n-th page of a walk, `nth` lets it start with the n-th request that
    matches, `times` ends it after so many (None: never).
    """

    action: Action
    on: str = "*"
    page: int | None = None
    nth: int = 1
    times: int | None = 1
    seen: int = 0
    fired: int = 0

    def due(self, on: str, page: int | None) -> bool:
        """Whether the rule would act on this request; counts the requests that match."""
        service = on.partition(".")[0]
        wider = service if service in {"token", COMPASS} else "ido"
        if self.on.lower() not in {"*", wider, on.lower()} or self.page not in {None, page}:
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.times is None or self.fired < self.times)


@dataclass(slots=True)
class Faults:
    """The rules in force; of those that are due the first acts."""

    rules: list[Fault] = field(default_factory=list)
    movements: Movements = field(default_factory=Movements)

    def add(self, fault: Fault) -> Fault:
        """Put a rule in force and return it."""
        self.rules.append(fault)
        return fault

    def clear(self) -> None:
        """Take all rules away and put the rows back that they moved."""
        self.rules.clear()
        self.movements.restore()

    def match(self, on: str, page: int | None = None) -> Action | None:
        """Return the action to take on a request, None for most."""
        due = [rule for rule in self.rules if rule.due(on, page)]
        if not due:
            return None
        due[0].fired += 1
        return due[0].action
