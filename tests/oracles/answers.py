"""What the oracles of orders, customers and stock have in common, in exact arithmetic."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TypeAlias
from zoneinfo import ZoneInfo

from tests.oracles.wire import Row, code, dated, fold, integer, moment

Key: TypeAlias = tuple[str | int, ...]
Collections: TypeAlias = Mapping[str, Sequence[Row]]
Record: TypeAlias = dict[str, object]

NONE = Decimal(0)
CENT = Decimal("0.01")
EXACT = Context(prec=200)
ANY = ZoneInfo("UTC")  # the day that the ERP's wall clock shows is the same in every zone
NUMERIC_KEYS = frozenset({"CoLine", "CoRelease", "CustSeq"})


@dataclass(frozen=True, slots=True)
class Expected:
    """The whole answer: records in the contract's order, and the warnings that the data themselves call for."""

    records: list[Record]
    summary: Record
    codes: frozenset[str]


def answered(records: list[Record], summary: Record, *codes: str) -> Expected:
    """Return the answer; an empty one says that nothing matched."""
    return Expected(records, summary, frozenset(codes) | (frozenset() if records else {"no_match"}))


def keyed(rows: Iterable[Row], *names: str) -> dict[Key, Row]:
    """Return rows by natural key: without those that lack a part of it, the last one of those that share it."""
    found = ((key_of(row, *names), row) for row in rows)
    return {key: row for key, row in found if key is not None}


def key_of(row: Row, *names: str) -> Key | None:
    """Return a key as it is compared, None when a part of it is blank or unreadable."""
    parts = [integer(row, name) if name in NUMERIC_KEYS else code(row, name) for name in names]
    known = tuple(part for part in parts if part is not None)
    return known if len(known) == len(parts) else None


def typed_forms(typed: str, width: int) -> frozenset[str]:
    """Return the keys that a typed one may stand for: as it is, or its number filled with zeros to the width."""
    short = fold(typed)
    prefix = short.rstrip("0123456789")
    digits = short[len(prefix) :]
    filled = prefix + digits.zfill(width - len(prefix))
    return frozenset({short, filled} if prefix.isalpha() and digits else {short})


def contains(shown: str | None, part: str) -> bool:
    """Return whether a text holds another, without regard to case."""
    return shown is not None and fold(part) in fold(shown)


def wanted(text: str | None) -> str | None:
    """Return a filter as it is compared, None when it is blank and so counts as absent."""
    return fold(text or "") or None


def flag(row: Row, name: str) -> bool:
    """Return whether a flag is set; null is not."""
    return integer(row, name) == 1


def day(row: Row, name: str) -> date | None:
    """Return the date of a cell, None when it is blank, unreadable or so far away that it stands for none."""
    found = dated(moment(row, name, ANY))
    return found.date() if found else None


def cents(amount: Decimal) -> Decimal:
    """Return an amount rounded to 2 places, a half away from zero."""
    return amount.quantize(CENT, ROUND_HALF_UP, EXACT)
