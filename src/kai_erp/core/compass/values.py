"""From the text of a lake cell to a typed value, a column at a time.

The lake keeps every number as a decimal with 15 places, so an integer may come as `5`, `5.0` or
`5.000000000000000` and a flag as `1`, `1.0` or `true`. Date-times are ISO 8601 in UTC with three decimals and a
`Z`, dates are `yyyy-MM-dd`. What is not said in these ways is read one by one, or is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from kai_erp.core.ido.values import DECIMAL, NO_DATE_FROM, Typed, trimmed, typed
from kai_erp.core.types import PropertyType

Convention = Literal["utc", "wall_clock"]

_LAKE_DECIMAL = pa.decimal128(38, 15)
_PLAIN = {
    PropertyType.DECIMAL: r"^[+-]?\d{1,19}(\.\d{1,15})?$",
    PropertyType.INTEGER: r"^[+-]?\d{1,18}(\.0{1,15})?$",
}
_MOMENT = pa.timestamp("us")
_DATE_LENGTH = len("yyyy-MM-dd")
_CERTAINLY_NO_DATE = NO_DATE_FROM + timedelta(days=2)  # wherever the zone lies
_FIRST_DATE = datetime(1, 1, 1)  # noqa: DTZ001  # likewise; Arrow knows a year 0
_FIRST_SHIFTED = datetime(2, 1, 1)  # noqa: DTZ001  # before it a shift may leave the calendar


@dataclass(frozen=True, slots=True)
class LakeTime:
    """How the lake's date-times become wall-clock times of the ERP's `zone`.

    By the book they are UTC; where the replication copies the ERP's clock as it is, their `Z` means nothing.
    """

    zone: tzinfo
    convention: Convention = "utc"

    def walls(self, texts: pa.Array) -> Typed:
        """Return wall-clock times; a date without a time is the ERP's own date in either convention."""
        moments = self._moments(texts)
        bad = moments.null_count - texts.null_count
        if self.convention == "utc":
            timed = pc.greater(pc.binary_length(texts), _DATE_LENGTH)
            near = pc.if_else(pc.less(moments, _CERTAINLY_NO_DATE), moments, None)
            moments = pc.if_else(timed, self._shifted(near), near)
        return Typed(pc.if_else(pc.less(moments, NO_DATE_FROM), moments, None), bad)

    def _moments(self, texts: pa.Array) -> pa.Array:
        """Return what stands in the texts, without regard to zones."""
        try:
            moments = pc.cast(pc.ascii_rtrim(texts, characters="Z"), _MOMENT)
        except pa.ArrowInvalid:
            encoded = texts.dictionary_encode()
            each = [self._moment(text) for text in encoded.dictionary.to_pylist()]
            moments = pa.array(each, _MOMENT).take(encoded.indices)
        return pc.if_else(pc.less(moments, _FIRST_DATE), None, moments)

    def _moment(self, text: str) -> datetime | None:
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None and self.convention == "utc":
                moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            return None
        return moment.replace(tzinfo=None)

    def _shifted(self, moments: pa.Array) -> pa.Array:
        """Return UTC times as wall-clock times; days on which the offset stays the same are shifted together."""
        days = pc.floor_temporal(moments, unit="day").dictionary_encode()
        offsets = [self._offset_of_day(day) for day in days.dictionary.to_pylist()]
        walls = pc.add(moments, pa.array(offsets, pa.duration("us")).take(days.indices))
        if walls.null_count == moments.null_count:
            return walls
        odd = pc.and_(pc.is_null(walls), pc.is_valid(moments))
        exact = [self._wall(moment) for moment in moments.filter(odd).to_pylist()]
        return pc.replace_with_mask(walls, odd, pa.array(exact, _MOMENT))

    def _offset_of_day(self, day: datetime) -> timedelta | None:
        """Return the offset that holds all day; None when it changes within the day."""
        if day < _FIRST_SHIFTED:
            return timedelta(0)
        start, end = (self._wall(moment) - moment for moment in (day, day + timedelta(days=1)))
        return start if start == end else None

    def _wall(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC).astimezone(self.zone).replace(tzinfo=None)


def lake_typed(texts: pa.Array, kind: PropertyType, time: LakeTime) -> Typed:
    """Return a column of texts as what they mean, and how many could not be read and are null."""
    texts = trimmed(texts)
    match kind:
        case PropertyType.DECIMAL | PropertyType.INTEGER:
            return _numbers(texts, kind)
        case PropertyType.FLAG:
            return _flags(texts)
        case PropertyType.DATETIME:
            return time.walls(texts)
        case _:
            return typed(texts, kind)


def _numbers(texts: pa.Array, kind: PropertyType) -> Typed:
    """Return numbers: those in plain form cast as a whole, the others read one by one."""
    try:
        return Typed(_cast(texts, kind), 0)
    except pa.ArrowInvalid:
        odd = pc.invert(pc.fill_null(pc.match_substring_regex(texts, _PLAIN[kind]), fill_value=True))
        others = typed(texts.filter(odd), kind)
        plain = _cast(pc.if_else(odd, None, texts), kind)
        return Typed(pc.replace_with_mask(plain, odd, others.column), others.bad)


def _cast(texts: pa.Array, kind: PropertyType) -> pa.Array:
    if kind is PropertyType.INTEGER:
        return pc.cast(pc.cast(texts, DECIMAL), pa.int64())
    exact = pc.cast(texts, _LAKE_DECIMAL)
    try:
        return pc.cast(exact, DECIMAL)  # most have zeros only beyond the places that we keep
    except pa.ArrowInvalid:
        return pc.cast(pc.round(exact, ndigits=DECIMAL.scale, round_mode="half_towards_infinity"), DECIMAL)


def _flags(texts: pa.Array) -> Typed:
    """Return flags; there are few ways to write them, so each is read once."""
    encoded = texts.dictionary_encode()
    bare = pc.replace_substring_regex(encoded.dictionary, r"^([01])\.0+$", r"\1")
    column = typed(bare, PropertyType.FLAG).column.take(encoded.indices)
    return Typed(column, column.null_count - texts.null_count)
