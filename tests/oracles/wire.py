"""Cells of the ERP's wire format, read by hand: a blank or unreadable cell is None."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

Row: TypeAlias = Mapping[str, str | None]

NO_DATE_FROM = 2049  # the ERP writes far dates where it means "none"

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)
MOMENT = re.compile(
    r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"([ T](?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(\.(?P<fraction>\d{1,6}))?)?",
    re.ASCII,
)


def text(row: Row, name: str) -> str | None:
    """Return the trimmed text, None when nothing is left of it."""
    return (row.get(name) or "").strip() or None


def fold(shown: str) -> str:
    """Return the form in which keys and codes are compared."""
    return shown.strip().casefold()


def code(row: Row, name: str) -> str | None:
    """Return the text as it is compared."""
    shown = text(row, name)
    return None if shown is None else fold(shown)


def number(row: Row, name: str) -> Decimal | None:
    """Return the exact decimal."""
    shown = text(row, name)
    return Decimal(shown) if shown and NUMBER.fullmatch(shown) else None


def quantity(row: Row, name: str) -> Decimal:
    """Return the exact decimal, 0 for null."""
    return number(row, name) or Decimal(0)


def integer(row: Row, name: str) -> int | None:
    """Return the whole number; one with a fraction is unreadable, never rounded."""
    value = number(row, name)
    return int(value) if value is not None and value == int(value) else None


def moment(row: Row, name: str, zone: ZoneInfo) -> datetime | None:
    """Return the wall clock time in `zone`, the earlier one of a repeated hour."""
    found = MOMENT.fullmatch(text(row, name) or "")
    if not found:
        return None
    year, month, day = (int(found[part]) for part in ("year", "month", "day"))
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    microsecond = int((found["fraction"] or "").ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
    except ValueError:
        return None


def dated(when: datetime | None) -> datetime | None:
    """Return the time, None when it stands for "no date"."""
    return None if when is None or when.year >= NO_DATE_FROM else when
