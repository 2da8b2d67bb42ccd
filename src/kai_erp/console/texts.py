"""How values are written into pages; the browser then writes numbers, days and moments as its reader does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import urlencode

_LATE, _TODAY = "late", "today"


def plain(value: Decimal | float) -> str:
    """Return a number without exponent or needless zeros: `12.50` as `12.5`."""
    text = f"{Decimal(str(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def instant(moment: datetime) -> str:
    """Return a moment as browsers read it, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def exact(moment: datetime) -> str:
    """Return a moment with all that it has, for an address to name an answer by."""
    return moment.isoformat()


def ticked(text: str | None) -> bool:
    """Tell whether a box says yes."""
    return (text or "").lower() in {"true", "1", "yes", "on", "y", "t"}


def due(days: int) -> str:
    """Return how far a day is away: `3 d late`, `today`, `in 5 d`."""
    if days == 0:
        return _TODAY
    return f"{-days} d {_LATE}" if days < 0 else f"in {days} d"


def query(values: Mapping[str, object], **changes: object) -> str:
    """Return the query of an address: values with some of them changed, blank ones left out."""
    merged = {**values, **changes}
    return urlencode({name: value for name, value in merged.items() if value not in (None, "", False)})


FILTERS: dict[str, Callable[..., object]] = {
    "plain": plain,
    "instant": instant,
    "exact": exact,
    "due": due,
    "ticked": ticked,
    "query": query,
}
