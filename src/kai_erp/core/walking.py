"""The pages of one collection under one filter, as text columns."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, cast

import pyarrow as pa

from kai_erp.core import ido
from kai_erp.core.expressions import AnyKey, Expression, Nothing, all_of
from kai_erp.core.keys import fold_key
from kai_erp.core.types import IDOSpec
from kai_erp.errors import BookmarkLoop, KaiErpError, QueryTooLong

_FOLDABLE = re.compile(r"[^!-`{-~]")  # all but marks, digits and capital letters of ASCII
Columns = dict[str, list[str | None]]


class PageSource(Protocol):
    """Gives pages of collections, and says which properties they have."""

    async def page(self, request: ido.LoadRequest) -> ido.Page:
        """Return one page."""
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
    may stop the walk by raising.
    """

    source: PageSource
    first: ido.LoadRequest
    expression: Expression | None
    on_rows: Callable[[int], None]

    async def read(self, keys: KeyList | None) -> Columns:
        """Return the rows that the expression lets through, of `keys` only where they are given."""
        if isinstance(self.expression, Nothing) or (keys is not None and not keys.keys):
            return {name: [] for name in self.first.properties}
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

    async def _together(self, runs: Sequence[KeyList]) -> Columns:
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._run(run)) for run in runs]
        return {name: [cell for task in tasks for cell in task.result()[name]] for name in self.first.properties}

    async def _run(self, run: KeyList) -> Columns:
        """Return the rows of a run of keys; when its bookmark does not fit any more, of its halves."""
        try:
            return await self.pages(self.request(all_of(self.expression, AnyKey(run.match, run.keys))))
        except QueryTooLong:
            if len(run.keys) == 1:
                raise
        middle = len(run.keys) // 2
        return await self._together([replace(run, keys=run.keys[:middle]), replace(run, keys=run.keys[middle:])])

    async def pages(self, request: ido.LoadRequest | None) -> Columns:
        """Return the rows from a request on, page by page."""
        columns: Columns = {name: [] for name in self.first.properties}
        seen: set[tuple[str | None, str | None]] = set()
        while request is not None:
            if (request.bookmark, request.after) in seen:
                raise BookmarkLoop(request.collection)
            seen.add((request.bookmark, request.after))
            page = await self.source.page(request)
            for name in self.first.properties:
                columns[name].extend(page.columns[name])
            self.on_rows(page.rows)
            request = self.next(request, page, len(columns[self.first.properties[0]]))
        return columns

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


def keep_once(columns: Columns, key: Sequence[str]) -> Columns:
    """Return the rows with each natural key once, as it was last read: rows may move while pages are read.

    Keys that are alike but for case and blanks around them are one key.
    """
    if not key or any(name not in columns for name in key):
        return columns
    folded = (_folded(columns[name]) for name in key)
    rows = map("\0".join, zip(*folded, strict=True))  # texts, of which the garbage collector need not know
    last = {row: index for index, row in enumerate(rows)}
    if len(last) == len(columns[key[0]]):
        return columns
    kept = sorted(last.values())
    return {name: [cells[index] for index in kept] for name, cells in columns.items()}


def _folded(cells: list[str | None]) -> list[str]:
    """Return cells in a form in which keys that are one key are equal; most stand there in that form."""
    if not _FOLDABLE.search("".join(cell or " " for cell in cells)):
        return cast("list[str]", cells)  # none of them is None
    forms = {cell: fold_key(cell or "") for cell in set(cells)}
    return [forms[cell] for cell in cells]


def text_table(spec: IDOSpec, columns: Mapping[str, list[str | None]]) -> pa.Table:
    """Return a text column for each declared property, all null where it was not read."""
    rows = max((len(cells) for cells in columns.values()), default=0)
    return pa.table(
        {prop.name: pa.array(columns.get(prop.wire, [None] * rows), pa.string()) for prop in spec.properties}
    )
