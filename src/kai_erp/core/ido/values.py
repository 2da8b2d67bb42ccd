"""From the text of a property to a typed value, a column at a time.

Every value arrives as a string or null in Mongoose's internal format: decimals with up to 8 places and a
point, flags `0`/`1`, dates `YYYYMMDD HH:MM:SS.mmm` without a zone. A blank text is absent. ISO dates have been
met on some endpoints. A date from 2049 on is SyteLine's way to write "none".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from kai_erp.core.types import PropertyType

NO_DATE_FROM = datetime(2049, 1, 1)  # noqa: DTZ001  # the ERP's wall clock has no zone
DECIMAL = pa.decimal128(28, 8)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?\Z", re.ASCII)
_PLACE = Decimal(1).scaleb(-DECIMAL.scale)
_LARGEST = Decimal(10) ** (DECIMAL.precision - DECIMAL.scale)
_FLAGS = {"1": True, "0": False, "true": True, "false": False}

Value = datetime | Decimal | int | bool | str


@dataclass(frozen=True, slots=True)
class Typed:
    """A typed column, and how many of its texts could not be read and are null."""

    column: pa.Array
    bad: int


def typed(texts: pa.Array, kind: PropertyType) -> Typed:
    """Return a column of trimmed texts, null where blank, as what they mean."""
    match kind:
        case PropertyType.DECIMAL:
            return _cast_or(texts, DECIMAL, _decimal)
        case PropertyType.INTEGER:
            return _cast_or(texts, pa.int64(), _integer, through=DECIMAL)
        case PropertyType.FLAG:
            return _by_value(texts, pa.bool_(), lambda text: _FLAGS[text.lower()])
        case PropertyType.DATETIME:
            moments = _moments(texts)
            return Typed(pc.if_else(pc.less(moments.column, NO_DATE_FROM), moments.column, None), moments.bad)
        case _:
            return Typed(texts, 0)


def trimmed(texts: pa.Array) -> pa.Array:
    """Return texts without blanks around them; a blank text is null."""
    bare = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(bare, ""), pa.scalar(None, pa.string()), bare)


def instants(walls: pa.Array, zone: tzinfo) -> pa.Array:
    """Return wall-clock times of a zone as instants; of an hour that comes twice, the first one counts.

    Days on which the offset stays the same, nearly all, are shifted together.
    """
    days = pc.floor_temporal(walls, unit="day").dictionary_encode()
    offsets = [_offset_of_day(day, zone) for day in days.dictionary.to_pylist()]
    shift = pa.array(offsets, pa.duration("us")).take(days.indices)
    utc = pc.subtract(walls, shift).cast(pa.timestamp("us", "UTC"))
    if utc.null_count == walls.null_count:
        return utc
    odd = pc.and_(pc.is_null(utc), pc.is_valid(walls))
    exact = [wall.replace(tzinfo=zone).astimezone(UTC) for wall in walls.filter(odd).to_pylist()]
    return pc.replace_with_mask(utc, odd, pa.array(exact, utc.type))


@lru_cache(maxsize=10_000)
def _offset_of_day(day: datetime, zone: tzinfo) -> timedelta | None:
    """Return the offset that holds all day; None when it changes within the day."""
    start = day.replace(tzinfo=zone).utcoffset()
    return start if start == (day + timedelta(days=1)).replace(tzinfo=zone).utcoffset() else None


def _moments(texts: pa.Array) -> Typed:
    """Return dates; those in Mongoose's own format are cast as a whole once dashes stand in them."""
    dashed = pc.binary_replace_slice(pc.binary_replace_slice(texts, 6, 6, "-"), 4, 4, "-")
    try:
        return Typed(pc.cast(dashed, pa.timestamp("us")), 0)
    except pa.ArrowInvalid:
        return _by_value(texts, pa.timestamp("us"), _moment)


def _cast_or(
    texts: pa.Array, kind: pa.DataType, read: Callable[[str], Value], through: pa.DataType | None = None
) -> Typed:
    """Return a column cast as a whole, which is fast, or value by value where that fails.

    Integers are cast `through` decimals: Arrow alone would take `0x1F` for one, and not take `10.00`.
    """
    try:
        return Typed(pc.cast(pc.cast(texts, through or kind), kind), 0)
    except pa.ArrowInvalid:
        return _by_value(texts, kind, read)


def _by_value(texts: pa.Array, kind: pa.DataType, read: Callable[[str], Value]) -> Typed:
    """Return a column whose distinct values are read once each; those that `read` refuses are null."""
    encoded = texts.dictionary_encode()
    values = [_value(text, read) for text in encoded.dictionary.to_pylist()]
    column = pa.array(values, kind).take(encoded.indices)
    return Typed(column, column.null_count - texts.null_count)


def _value(text: str, read: Callable[[str], Value]) -> Value | None:
    try:
        return read(text)
    except (ValueError, KeyError, ArithmeticError):
        return None


def _decimal(text: str) -> Decimal:
    if not _NUMBER.match(text):
        raise ValueError(text)
    number = Decimal(text)
    if abs(number) >= _LARGEST:
        raise ValueError(text)
    return number.quantize(_PLACE, ROUND_HALF_UP)


def _integer(text: str) -> int:
    number = _decimal(text)
    if number != number.to_integral_value() or abs(number) >= 2**63:
        raise ValueError(text)
    return int(number)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(text)
    return moment
