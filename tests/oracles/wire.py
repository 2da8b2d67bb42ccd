"""Cells of the ERP's wire format, read by hand: a blank or unreadable cell is None."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

Row: TypeAlias = Mapping[str, str | None]

KEPT = lru_cache(maxsize=100_000)  # the same cells are read for question after question
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


@KEPT
def fold(shown: str) -> str:
    """Return the form in which keys and codes are compared."""
    return shown.strip().casefold()


def code(row: Row, name: str) -> str | None:
    """Return the text as it is compared."""
    return fold(row.get(name) or "") or None


def number(row: Row, name: str) -> Decimal | None:
    """Return the exact decimal."""
    return _number(row.get(name) or "")


@KEPT
def _number(cell: str) -> Decimal | None:
    shown = cell.strip()
    return Decimal(shown) if NUMBER.fullmatch(shown) else None


def quantity(row: Row, name: str) -> Decimal:
    """Return the exact decimal, 0 for null."""
    return number(row, name) or Decimal(0)


def integer(row: Row, name: str) -> int | None:
    """Return the whole number; one with a fraction is unreadable, never rounded."""
    return _integer(row.get(name) or "")


@KEPT
def _integer(cell: str) -> int | None:
    value = _number(cell)
    return int(value) if value is not None and value == int(value) else None


def moment(row: Row, name: str, zone: ZoneInfo) -> datetime | None:
    """Return the wall clock time in `zone`, the earlier one of a repeated hour."""
    return _moment(row.get(name) or "", zone)


@KEPT
def _moment(cell: str, zone: ZoneInfo) -> datetime | None:
    found = MOMENT.fullmatch(cell.strip())
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
