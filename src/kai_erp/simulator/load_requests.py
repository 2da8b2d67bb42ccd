"""What a client asks of /load: the query's names in any case, their values as the server reads them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, unquote_plus

from kai_erp.simulator.refusals import Refusal


class Direction(StrEnum):
    """Where in the order the page lies."""

    FIRST = "FIRST"
    NEXT = "NEXT"
    PREVIOUS = "PREVIOUS"
    LAST = "LAST"


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One load; empty `properties` means all, `cap` 0 means no cap, a blank `method` no custom load method."""

    properties: tuple[str, ...]
    filter: str
    order_by: str
    cap: int
    direction: Direction
    bookmark: str
    distinct: bool
    read_only: bool
    method: str = ""
    method_parameters: str = ""

    @property
    def forward(self) -> bool:
        """Whether the walk goes in the order that was asked for, not against it."""
        return self.direction in {Direction.FIRST, Direction.NEXT}

    @property
    def onward(self) -> bool:
        """Whether the walk goes on from a bookmark."""
        return self.direction in {Direction.NEXT, Direction.PREVIOUS}


def read_query(raw: bytes, *, plus_is_blank: bool) -> dict[str, str]:
    """Return the parameters of a raw query string by lower-case name; of repeated names the first counts."""
    decode = unquote_plus if plus_is_blank else unquote
    parameters: dict[str, str] = {}
    for part in raw.decode("latin-1").split("&"):
        name, _, value = part.partition("=")
        if name:
            parameters.setdefault(decode(name).lower(), decode(value, errors="replace"))
    return parameters


def read_load(parameters: Mapping[str, str], default_cap: int, max_cap: int | None) -> LoadRequest:
    """Return the load that the parameters ask for, or raise a Refusal; `max_cap` clamps every cap."""
    names = [name.strip() for name in parameters.get("properties", "").split(",")]
    properties = tuple(name for name in names if name and name != "*")
    return LoadRequest(
        properties=() if "*" in names else tuple(dict.fromkeys(properties)),
        filter=parameters.get("filter", "").strip(),
        order_by=parameters.get("orderby", "").strip(),
        cap=_clamp(_read_cap(parameters.get("recordcap", ""), default_cap), max_cap),
        direction=_read_direction(parameters.get("loadtype", "")),
        bookmark=parameters.get("bookmark", ""),
        distinct=_read_flag(parameters.get("distinct", "")),
        read_only=_read_flag(parameters.get("readonly", "")),
        method=parameters.get("clm", "").strip(),
        method_parameters=parameters.get("clmparam", ""),
    )


def _read_cap(text: str, default: int) -> int:
    try:
        cap = int(text or -1)
    except ValueError:
        raise Refusal(f"The record cap {text} is not a number.") from None
    return default if cap < 0 else cap


def _clamp(cap: int, max_cap: int | None) -> int:
    if max_cap is None:
        return cap
    return min(cap or max_cap, max_cap)


def _read_direction(text: str) -> Direction:
    name = text.strip().upper() or "FIRST"
    if name == "PREV":
        return Direction.PREVIOUS
    if name not in Direction.__members__:
        raise Refusal(f"The load type {text} is not known.")
    return Direction[name]


def _read_flag(text: str) -> bool:
    return text.strip().lower() in {"true", "1"}
