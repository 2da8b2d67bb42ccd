"""Key ranges: one long collection read in several parts at once, where capped pages would make one long chain.

Every row lies in one part at least, whatever order the server sorts keys in: the first part is what is below the
first cut, the next what is from there on and below the second, and so on. Rows that lie in two are kept once.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pyarrow as pa

from kai_erp.core.expressions import Comparison, Expression, Operator, all_of
from kai_erp.core.types import Clock
from kai_erp.core.walking import Walk, table_of, ungrouped
from kai_erp.errors import UpstreamError, UpstreamFault

_KEPT_SECONDS = 3_600.0
_KEPT = 256
_NUMBERED = re.compile(r"(\D*?)([ 0]*\d+)\Z")


@dataclass(frozen=True, slots=True)
class _Known:
    """The cuts of a read that had so many rows."""

    at: float
    rows: int
    cuts: tuple[str, ...]


class Cuts:
    """Where collections were best cut when they were last read, so that all parts had about as many rows.

    Args:
        most: parts of one collection at most.
        clock: growing seconds.
    """

    def __init__(self, most: int, clock: Clock) -> None:
        self.most = most
        self._clock = clock
        self._known: OrderedDict[Hashable, _Known] = OrderedDict()

    def recall(self, read: Hashable) -> tuple[str, ...] | None:
        """Return the cuts of a read; None when it is not known or was too long ago."""
        known = self._known.get(read)
        return known.cuts if known and self._clock() - known.at <= _KEPT_SECONDS else None

    def remember(self, read: Hashable, cells: pa.ChunkedArray[pa.StringScalar], page_size: int) -> None:
        """Note the first key of each row of a read, in the server's order; cuts stay while they are good."""
        rows, known = len(cells), self._known.pop(read, None)
        if known is not None and abs(rows - known.rows) <= known.rows // 10:
            self._known[read] = replace(known, at=self._clock())
            return
        cuts = cut_evenly(cells, min(self.most, -(-rows // page_size)))
        self._known[read] = _Known(self._clock(), rows, cuts)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)


@dataclass(slots=True)
class RangedWalk:
    """A walk over a whole collection, to be made in parts once."""

    plain: Walk
    cuts: Cuts
    _told: int = field(default=0, init=False)

    async def read(self) -> pa.Table:
        """Return all rows; one page after the other where the server does not go along with parts."""
        first = self.plain.first
        try:
            rows = await self._in_parts(replace(self.plain, on_rows=self._tell, has_room=self._has_room))
        except UpstreamFault:
            self.plain.on_rows(-self._told)
            return await self.plain.read(None)
        self.cuts.remember((first.collection, self.plain.expression), rows[self._key], first.record_cap)
        return rows

    @property
    def _key(self) -> str:
        return self.plain.first.order_by[0]

    def _tell(self, rows: int) -> None:
        self._told += rows
        self.plain.on_rows(rows)

    def _has_room(self, rows: int) -> bool:
        """Tell whether so many more rows would pass from each part, of which two pages may be under way."""
        return self.plain.has_room(rows * 2 * self.cuts.most)

    async def _in_parts(self, walk: Walk) -> pa.Table:
        cuts = self.cuts.recall((walk.first.collection, walk.expression))
        if cuts is not None:
            return await self._parts(walk, cuts)
        request = walk.request(walk.expression)
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                page_read = group.create_task(walk.source.page(request))
                last_read = group.create_task(self._last_key(walk))
        page = page_read.result()
        walk.on_rows(page.rows)
        following = walk.next(request, page, page.rows)
        start = table_of(page, walk.first.properties)
        if following is None:
            return start
        cells = page.columns[self._key]
        between = cut_between(cells[-1], last_read.result(), self.cuts.most) if _ascend(cells) else ()
        rest = await (self._parts(walk, between, cells[-1]) if between else walk.pages(following))
        return pa.concat_tables([start, rest])

    async def _last_key(self, walk: Walk) -> str | None:
        """Return the greatest key; None when the server does not tell, which is no harm."""
        request = replace(
            walk.request(walk.expression),
            properties=(self._key,),
            order_by=tuple(f"{name} DESC" for name in walk.first.order_by),
            record_cap=1,
        )
        try:
            page = await walk.source.page(request)
        except UpstreamError:
            return None
        return next(iter(page.columns[self._key]), None)

    async def _parts(self, walk: Walk, cuts: Sequence[str], start: str | None = None) -> pa.Table:
        """Return the rows of all parts, from `start` on where it is given."""
        parts = [all_of(walk.expression, condition) for condition in _conditions(self._key, cuts, start)]
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(walk.pages(walk.request(part))) for part in parts]
        return pa.concat_tables([task.result() for task in tasks])


def cut_evenly(cells: pa.ChunkedArray[pa.StringScalar], parts: int) -> tuple[str, ...]:
    """Return keys that cut rows, given by their keys in order, into parts of about as many rows."""
    places = (cells[len(cells) * part // parts].as_py() for part in range(1, parts))
    return tuple(dict.fromkeys(cell for cell in places if cell))


def cut_between(low: str | None, high: str | None, parts: int) -> tuple[str, ...]:
    """Return keys that cut what lies between two numbered keys of one form evenly; none when that cannot be."""
    first, last = (_NUMBERED.match(key or "") for key in (low, high))
    if not first or not last or first[1] != last[1] or len(first[2]) != len(last[2]):
        return ()
    start, end = int(first[2]), max(int(first[2]), int(last[2]))
    fill = first[2][0] if first[2][0] in " 0" else "0"
    numbers = sorted({start + (end - start) * part // parts for part in range(1, parts)} - {start})
    return tuple(first[1] + str(number).rjust(len(first[2]), fill) for number in numbers)


def _conditions(name: str, cuts: Sequence[str], start: str | None) -> Iterator[Expression | None]:
    """Yield what holds in each part; None where nothing has to, since there is one part only."""
    for low, high in pairwise([start, *cuts, None]):
        yield all_of(
            Comparison(name, Operator.GE, low) if low is not None else None,
            Comparison(name, Operator.LT, high) if high is not None else None,
        )


def _ascend(cells: Sequence[str | None]) -> bool:
    """Tell whether keys are in order: a server that sorts otherwise may have left out smaller ones so far."""
    return all(low is not None and high is not None and low <= high for low, high in pairwise(cells))
