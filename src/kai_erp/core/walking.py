"""The pages of one collection under one filter, as tables of text columns that bear the names of the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from kai_erp.core import ido
from kai_erp.core.expressions import AnyKey, Expression, Nothing, all_of
from kai_erp.core.keys import fold_keys
from kai_erp.core.types import IDOSpec
from kai_erp.errors import BookmarkLoop, KaiErpError, QueryTooLong

_ROW = " row "

Ahead: TypeAlias = Callable[[ido.LoadRequest], None]
"""Is told of a request that is likely to be the next."""


def _always(_: int) -> bool:
    return True


class PageSource(Protocol):
    """Gives pages of collections, and says which properties they have."""

    async def page(self, request: ido.LoadRequest, ahead: Ahead | None = None, /) -> ido.Page:
        """Return one page; `ahead` may be told of the next request as soon as the answer has come."""
        ...

    async def property_names(self, collection: str) -> frozenset[str]:
        """Return the properties that a collection has, case-folded; none when that cannot be known."""
        ...


@dataclass(frozen=True, slots=True)
class KeyList:
    """Keys in stored form that the property `match` must have one of."""

    match: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Walk:
    """A read to be made page by page.

    `on_rows` is told how many rows each page brought, and, as a negative number, how many are to be read again; it
    may stop the walk by raising. `has_room` tells whether it would let so many more rows pass.
    """

    source: PageSource
    first: ido.LoadRequest
    expression: Expression | None
    on_rows: Callable[[int], None]
    has_room: Callable[[int], bool] = _always

    async def read(self, keys: KeyList | None) -> pa.Table:
        """Return the rows that the expression lets through, of `keys` only where they are given."""
        if isinstance(self.expression, Nothing) or (keys is not None and not keys.keys):
            return _joined(self.first.properties, [])
        if keys is None:
            return await self.pages(self.request(self.expression))
        return await self._together([KeyList(keys.match, run) for run in self._runs(keys)])

    def _runs(self, keys: KeyList) -> Iterator[tuple[str, ...]]:
        """Return the keys in runs, as many to a request as its length allows."""

        def fits(run: tuple[str, ...]) -> bool:
            try:
                ido.query_string(self.request(all_of(self.expression, AnyKey(keys.match, run))))
            except QueryTooLong:
                return False
            return True

        return ido.split_keys(keys.keys, fits)

    async def _together(self, runs: Sequence[KeyList]) -> pa.Table:
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._run(run)) for run in runs]
        return _joined(self.first.properties, [task.result() for task in tasks])

    async def _run(self, run: KeyList) -> pa.Table:
        """Return the rows of a run of keys; when its bookmark does not fit any more, of its halves."""
        try:
            return await self.pages(self.request(all_of(self.expression, AnyKey(run.match, run.keys))))
        except QueryTooLong:
            if len(run.keys) == 1:
                raise
        middle = len(run.keys) // 2
        return await self._together([replace(run, keys=run.keys[:middle]), replace(run, keys=run.keys[middle:])])

    async def pages(self, request: ido.LoadRequest | None) -> pa.Table:
        """Return the rows from a request on, page by page."""
        tables, read = [], 0
        seen: set[tuple[str | None, str | None]] = set()
        with PagesAhead(self) as source:
            while request is not None:
                if (request.bookmark, request.after) in seen:
                    raise BookmarkLoop(request.collection)
                seen.add((request.bookmark, request.after))
                page = await source.page(request)
                tables.append(table_of(page, self.first.properties))
                read += page.rows
                self.on_rows(page.rows)
                request = self.next(request, page, read)
        return _joined(self.first.properties, tables)

    def next(self, request: ido.LoadRequest, page: ido.Page, read: int) -> ido.LoadRequest | None:
        """Return the request for the next page. Raises QueryTooLong when its bookmark does not fit into it."""
        if page.more_rows is None and page.rows and page.bookmark in {None, "", request.bookmark}:
            return ido.request_after(request, page)
        following = ido.next_request(request, page)
        if following is not None:
            try:
                ido.query_string(following)
            except QueryTooLong:
                self.on_rows(-read)
                raise
        return following

    def request(self, expression: Expression | None) -> ido.LoadRequest:
        """Return the request for the first page of what an expression lets through."""
        return replace(self.first, filter=ido.render(expression) if expression is not None else None)


class PagesAhead:
    """A source whose next page is asked for while the rows of the last one are decoded.

    What was asked for in vain, since the next request turned out to be another or none, is broken off.
    """

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._asked: ido.LoadRequest | None = None
        self._coming: asyncio.Task[ido.Page] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._coming is not None:
            self._coming.cancel()

    async def page(self, request: ido.LoadRequest) -> ido.Page:
        """Return a page, which may have been asked for already."""
        coming, self._coming = self._coming, None
        if coming is not None and self._asked == request:
            return await coming
        if coming is not None:
            coming.cancel()
        return await self._walk.source.page(request, self._ask)

    def _ask(self, request: ido.LoadRequest) -> None:
        """Ask for the page after a full one, unless that one fills what is let through."""
        if self._coming is None and self._walk.has_room(request.record_cap + 1):
            self._asked = request
            self._coming = asyncio.create_task(self._walk.source.page(request, self._ask))
            self._coming.add_done_callback(_looked_at)


def _looked_at(task: asyncio.Task[ido.Page]) -> None:
    """Take note of a failure that nobody waits for."""
    if not task.cancelled():
        task.exception()


@contextmanager
def ungrouped() -> Iterator[None]:
    """Raise the first failure of a task group by itself: the others are its consequences.

    A group that fails asks its own task to be cancelled; up to Python 3.12 it leaves that request behind, and a
    time limit around it would take its own end for a cancellation from outside.
    """
    task = asyncio.current_task()
    requests = task.cancelling() if task else 0
    try:
        yield
    except ExceptionGroup as group:
        if task and task.cancelling() > requests:
            task.uncancel()
        first = _first(group)
        if first is None:
            raise
        raise first from group


def _first(group: BaseExceptionGroup[BaseException]) -> KaiErpError | None:
    for failure in group.exceptions:
        found = _first(failure) if isinstance(failure, BaseExceptionGroup) else failure
        if isinstance(found, KaiErpError):
            return found
    return None


def table_of(page: ido.Page, names: Sequence[str]) -> pa.Table:
    """Return the rows of a page, each property a text column."""
    return pa.table({name: pa.array(page.columns[name], pa.string()) for name in names})


def _joined(names: Sequence[str], tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables or [pa.table({name: pa.array([], pa.string()) for name in names})])


def keep_once(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """Return the rows with each natural key once, as it was last read: rows may move while pages are read.

    Keys that are alike but for case and blanks around them are one key; a null is a blank.
    """
    if not key or any(name not in rows.column_names for name in key):
        return rows
    folded = {name: pc.fill_null(fold_keys(rows[name].combine_chunks()), "") for name in key}
    numbered = pa.table({**folded, _ROW: pa.arange(0, rows.num_rows)})
    last = numbered.group_by(list(key), use_threads=False).aggregate([(_ROW, "max")])[f"{_ROW}_max"]
    return rows if len(last) == rows.num_rows else rows.take(last.sort())


def text_table(spec: IDOSpec, rows: pa.Table) -> pa.Table:
    """Return a text column for each declared property, all null where it was not read."""
    absent = pa.nulls(rows.num_rows, pa.string())
    known = rows.column_names
    return pa.table({prop.name: rows[prop.wire] if prop.wire in known else absent for prop in spec.properties})
