"""The state of a running simulator: what tests look at and turn."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from kai_erp.simulator.changes import Changes, Key, WrongChange
from kai_erp.simulator.clocks import Clock
from kai_erp.simulator.collection import Collection
from kai_erp.simulator.faults import Action, Faults
from kai_erp.simulator.lake import Lake
from kai_erp.simulator.literals import wire_date
from kai_erp.simulator.options import SimulatorOptions
from kai_erp.simulator.plant import Plant
from kai_erp.simulator.selections import Selections
from kai_erp.simulator.tokens import Tokens

_KEPT = 50_000


@dataclass(slots=True)
class RecordedRequest:
    """One request to the IDO service; times are monotonic seconds, `ended` and `status` are 0 until then.

    `fault` is the action that a rule took on it.
    """

    method: str
    path: str
    collection: str | None
    query_bytes: int
    params: Mapping[str, str]
    configuration: str | None
    started: float
    ended: float = 0.0
    status: int = 0
    fault: Action | None = None


@dataclass(slots=True)
class SimulatorState:
    """Plants by configuration, and everything that happened since the start."""

    options: SimulatorOptions
    plants: Mapping[str, Plant]
    tokens: Tokens
    selections: Selections
    clock: Clock
    changes: Changes
    lake: Lake
    faults: Faults = field(default_factory=Faults)
    requests: list[RecordedRequest] = field(default_factory=list)
    token_requests: int = 0
    denied: set[str] = field(default_factory=set)
    pages: dict[tuple[str, str], int] = field(default_factory=dict)
    forgotten: int = 0
    born: float = field(default_factory=time.monotonic)

    def deny(self, ido: str) -> None:
        """Take the right to read a collection away."""
        self.denied.add(ido.lower())

    def allow(self, ido: str) -> None:
        """Give the right to read a collection back."""
        self.denied.discard(ido.lower())

    def revoke_tokens(self) -> int:
        """End every token that was issued and return how many there were."""
        return self.tokens.revoke_all()

    def turn(self, switches: Mapping[str, object]) -> None:
        """Turn switches of the options while requests go on."""
        self.options = replace(self.options, **switches)  # type: ignore[arg-type]  # the caller read them by type
        self.tokens.options = self.lake.options = self.options
        self.selections.quotes_anywhere = self.options.double_quote_anywhere
        self.selections.forget()

    def change(self, ido: str, key: Key, values: Mapping[str, object]) -> None:
        """Set values of a row, as a user of the ERP would: here at once, in the lake after its lag."""
        collection, when = self._changing(ido)
        self.changes.set(collection, key, values, when)

    def delete(self, ido: str, key: Key) -> None:
        """Delete a row, as a user of the ERP would: here at once, in the lake after its lag."""
        collection, when = self._changing(ido)
        self.changes.delete(collection, key, when)

    def forget_changes(self) -> None:
        """Put all rows back that were changed or deleted."""
        self.changes.restore()

    def _changing(self, ido: str) -> tuple[Collection, tuple[float, str]]:
        plant = next(iter(self.plants.values()))
        collection = plant.find(ido)
        if collection is None:
            raise WrongChange("collection", f"{ido} is not known")
        seconds = self.clock.seconds()
        return collection, (seconds, wire_date(plant.now + timedelta(seconds=seconds)))

    def record(self, request: RecordedRequest) -> None:
        """Keep a request; of a very long past only the last part is kept."""
        if len(self.requests) >= _KEPT:
            del self.requests[: _KEPT // 2]
            self.forgotten += _KEPT // 2
        self.requests.append(request)

    def forget_requests(self) -> None:
        """Forget what was recorded; the next request is the first."""
        self.requests.clear()
        self.forgotten = self.token_requests = 0

    def turn_page(self, collection: str, before: str, bookmark: str) -> None:
        """Note that `bookmark` leads to the page after the one that `before` led to."""
        if len(self.pages) >= _KEPT:
            self.pages.clear()
        self.pages[collection, bookmark] = self.page_of(collection, before) + 1

    def page_of(self, collection: str, bookmark: str) -> int:
        """Return which page of a walk a request with this bookmark asks for, the first being 1."""
        return self.pages.get((collection, bookmark), 1)


def make_state(plants: Plant | Mapping[str, Plant], options: SimulatorOptions) -> SimulatorState:
    """Return a fresh state; one plant alone serves all configurations of the options."""
    if isinstance(plants, Plant):
        plants = dict.fromkeys(options.configurations, plants)
    options = replace(options, configurations=tuple(plants))
    selections = Selections(quotes_anywhere=options.double_quote_anywhere)
    clock, plant = Clock(options.clock), next(iter(plants.values()))
    changes = Changes(plant.collections.values())
    lake = Lake(plant, changes, clock, options)
    return SimulatorState(options, plants, Tokens(options), selections, clock, changes, lake)
