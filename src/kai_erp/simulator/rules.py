"""Fault rules as JSON documents."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import BaseModel, Field, PositiveInt

from kai_erp.simulator.collection import Collection
from kai_erp.simulator.documents import STRICT, Catalogue, WrongDocument, among, below, read_collection, validated
from kai_erp.simulator.faults import (
    Abort,
    Action,
    Answer,
    Delay,
    Drip,
    DropBookmark,
    Fault,
    Move,
    RepeatBookmark,
    Truncate,
)
from kai_erp.simulator.moving import changeable
from kai_erp.simulator.options import Status

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
HeaderText = Annotated[str, Field(pattern=r"^[ -~]*$")]
Rows = Annotated[int, Field(ge=0, le=500)]

_EVERYWHERE = (
    *("*", "ido", "token"),
    *("compass", "compass.submit", "compass.status", "compass.result", "compass.cancel"),
)
_BODILESS = (204, 304)
_FRAMING = ("content-length", "transfer-encoding")


class _AnswerDocument(BaseModel):
    model_config = STRICT
    status: Status
    headers: dict[HeaderName, HeaderText] = {}
    body: str = Answer(200).body
    media_type: HeaderText = Answer(200).media_type

    def action(self) -> Action:
        body = "" if self.status in _BODILESS else self.body
        return Answer(self.status, self.headers, body, self.media_type)


class _DripDocument(BaseModel):
    model_config = STRICT
    pieces: PositiveInt = Drip().pieces
    seconds: Seconds = Drip().seconds

    def action(self) -> Action:
        return Drip(self.pieces, self.seconds)


class _MoveDocument(BaseModel):
    model_config = STRICT
    delete_served: Rows = 0
    delete_ahead: Rows = 0
    change_served: Rows = 0
    change_ahead: Rows = 0
    insert_behind: Rows = 0
    insert_ahead: Rows = 0
    property: str | None = None

    def action(self) -> Action:
        return Move(**self.model_dump())


class _RuleDocument(BaseModel):
    model_config = STRICT
    on: str = "*"
    page: PositiveInt | None = None
    nth: PositiveInt = 1
    times: PositiveInt | None = 1
    answer: _AnswerDocument | None = None
    truncate: Share | None = None
    abort: Share | None = None
    delay: Seconds | None = None
    drip: _DripDocument | None = None
    repeat_bookmark: Literal[True] | None = None
    drop_bookmark: Literal[True] | None = None
    move: _MoveDocument | None = None


_NAMES: dict[type[Action], str] = {
    Answer: "answer",
    Truncate: "truncate",
    Abort: "abort",
    Delay: "delay",
    Drip: "drip",
    RepeatBookmark: "repeat_bookmark",
    DropBookmark: "drop_bookmark",
    Move: "move",
}
_NESTED: Mapping[str, type[BaseModel]] = {"answer": _AnswerDocument, "drip": _DripDocument, "move": _MoveDocument}


def read_faults(document: object, catalogue: Catalogue) -> list[Fault]:
    """Return the rule, or the list of rules, that a document holds, or raise WrongDocument."""
    if isinstance(document, list):
        return [read_fault(rule, catalogue, f"[{n}]") for n, rule in enumerate(document)]
    return [read_fault(document, catalogue)]


def read_fault(document: object, catalogue: Catalogue, place: str = "") -> Fault:
    """Return the rule that a document holds, or raise WrongDocument; `place` is where it stands."""
    rule = validated(_RuleDocument, document, place, _NESTED)
    actions = tuple(_NAMES.values())
    given = [name for name in actions if getattr(rule, name) is not None]
    if len(given) != 1:
        problem = f"{' and '.join(given)} exclude each other" if given else "what is to happen is missing"
        raise WrongDocument(place, f"{problem}: give one action", actions)
    if rule.on.lower() not in _EVERYWHERE:
        read_collection(rule.on, catalogue, below(place, "on"), _EVERYWHERE)
    action = _action(given[0], getattr(rule, given[0]))
    _check(action, catalogue.get(rule.on), below(place, given[0]))
    return Fault(action, rule.on, rule.page, rule.nth, rule.times)


def _action(name: str, value: object) -> Action:
    if isinstance(value, _AnswerDocument | _DripDocument | _MoveDocument):
        return value.action()
    makers: dict[str, type[Truncate | Abort | Delay]] = {"truncate": Truncate, "abort": Abort, "delay": Delay}
    if isinstance(value, float):
        return makers[name](value)
    return RepeatBookmark() if name == "repeat_bookmark" else DropBookmark()


def _check(action: Action, collection: Collection | None, place: str) -> None:
    """Refuse what a model cannot: headers that frame the body, a move of nothing or of a key."""
    if isinstance(action, Answer):
        for name in action.headers:
            if name.lower() in _FRAMING:
                raise WrongDocument(f"{place}.headers.{name}", "the simulator sets it itself")
    if isinstance(action, Move):
        counts = asdict(action)
        name = counts.pop("property")
        if not any(counts.values()):
            raise WrongDocument(place, "no rows are to move: give a number", tuple(counts))
        if name is not None and collection is not None:
            known = [c.name for c in collection.columns.values() if changeable(collection, c)]
            among(name, known, f"{place}.property")


def write_fault(fault: Fault) -> dict[str, object]:
    """Return a rule as a document, with how many requests it matched and acted on."""
    name, value = _NAMES[type(fault.action)], asdict(fault.action)
    plain = value if name in _NESTED else next(iter(value.values()), True)
    rule = {"on": fault.on, "page": fault.page, "nth": fault.nth, "times": fault.times, name: plain}
    return rule | {"seen": fault.seen, "fired": fault.fired}


def action_name(action: Action | None) -> str | None:
    """Return the name that an action has in documents."""
    return None if action is None else _NAMES[type(action)]
