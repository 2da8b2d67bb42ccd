"""One collection, page by page, from its declaration to text columns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from kai_erp.core import ido
from kai_erp.core.expressions import AnyKey, Expression, Nothing, all_of
from kai_erp.core.keys import fold_key
from kai_erp.core.types import Clock, CollectionRead, CollectionReport, IDOSpec, Notice, Now, Progress
from kai_erp.errors import KaiErpError, PropertyMissing, QueryTooLong, TooManyRows

Columns = dict[str, list[str | None]]


class PageSource(Protocol):
    """Gives pages of collections."""

    async def page(self, request: ido.LoadRequest) -> ido.Page:
        """Return one page."""
        ...


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How collections are read: `page_size` rows at a time; the driving one to at most `row_limit` rows."""

    page_size: int
    clock: Clock
    now: Now
    row_limit: int | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class KeyList:
    """Keys in stored form that the property `match` must have one of."""

    match: str
    keys: tuple[str, ...]


@dataclass(slots=True)
class Reading:
    """The reading of one collection: `run` once."""

    spec: IDOSpec
    source: PageSource
    rules: ReadingRules
    pages: int = field(default=0, init=False)
    rows: int = field(default=0, init=False)
    notices: list[Notice] = field(default_factory=list, init=False)
    _started: float = field(default=0.0, init=False)
    _as_of: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._as_of = self.rules.now()

    async def run(self, keys: KeyList | None) -> CollectionRead:
        """Return all rows, each once; `keys` None reads whatever the filter of the collection lets through.

        A property that the tenant lacks is left out with a notice unless it is required. Raises UpstreamError.
        """
        self._started, self._as_of = self.rules.clock(), self.rules.now()
        wanted = self.spec.properties
        while True:
            self.rows = 0
            try:
                columns = await self._read(keys, tuple(prop.wire for prop in wanted))
            except PropertyMissing as missing:
                wanted = tuple(prop for prop in wanted if prop.wire.casefold() != missing.property_name.casefold())
                self._do_without(missing)
            else:
                return self._read_of(keep_once(columns, self.spec.key))

    async def _read(self, keys: KeyList | None, properties: tuple[str, ...]) -> Columns:
        if isinstance(self.spec.filter, Nothing) or (keys is not None and not keys.keys):
            return {name: [] for name in properties}
        if keys is None:
            return await self._walk(self.spec.filter, properties)
        return await self._walk_runs(keys, properties)

    async def _walk_runs(self, keys: KeyList, properties: tuple[str, ...]) -> Columns:
        """Return the rows of all keys, as many keys to a request as its length allows."""

        def fits(run: tuple[str, ...]) -> bool:
            try:
                ido.query_string(self._request(all_of(self.spec.filter, AnyKey(keys.match, run)), properties))
            except QueryTooLong:
                return False
            return True

        runs = [KeyList(keys.match, run) for run in ido.split_keys(keys.keys, fits)]
        return await self._together(runs, properties)

    async def _together(self, runs: Sequence[KeyList], properties: tuple[str, ...]) -> Columns:
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                walks = [group.create_task(self._walk_run(run, properties)) for run in runs]
        return {name: [cell for walk in walks for cell in walk.result()[name]] for name in properties}

    async def _walk_run(self, run: KeyList, properties: tuple[str, ...]) -> Columns:
        """Return the rows of a run of keys; when its bookmark does not fit any more, of its halves."""
        before = self.rows
        try:
            return await self._walk(all_of(self.spec.filter, AnyKey(run.match, run.keys)), properties)
        except QueryTooLong:
            if len(run.keys) == 1:
                raise
            self.rows = before
        middle = len(run.keys) // 2
        halves = [replace(run, keys=run.keys[:middle]), replace(run, keys=run.keys[middle:])]
        return await self._together(halves, properties)

    async def _walk(self, expression: Expression | None, properties: tuple[str, ...]) -> Columns:
        request: ido.LoadRequest | None = self._request(expression, properties)
        columns: Columns = {name: [] for name in properties}
        while request is not None:
            page = await self.source.page(request)
            for name in properties:
                columns[name].extend(page.columns[name])
            self._count(page)
            request = ido.next_request(request, page)
        return columns

    def _request(self, expression: Expression | None, properties: tuple[str, ...]) -> ido.LoadRequest:
        return ido.LoadRequest(
            collection=self.spec.name,
            properties=properties,
            filter=ido.render(expression) if expression is not None else None,
            order_by=self.spec.key,
            record_cap=self.rules.page_size,
        )

    def _count(self, page: ido.Page) -> None:
        """Take note of a page. Raises TooManyRows as soon as the driving collection passes its limit."""
        self.pages += 1
        self.rows += page.rows
        if self.rules.progress is not None:
            self.rules.progress(self._report(self.rows))
        limit = self.rules.row_limit
        if self.spec.driving and limit is not None and self.rows > limit:
            raise TooManyRows(self.rows, limit)

    def _do_without(self, missing: PropertyMissing) -> None:
        """Note that a property is left out. Raises `missing` when there is no answer without it."""
        named = [prop for prop in self.spec.properties if prop.wire.casefold() == missing.property_name.casefold()]
        if not named or any(prop.required for prop in named) or missing.property_name in self.spec.key:
            raise missing
        message = f"{self.spec.name} has no property {named[0].wire} on this tenant; what comes from it is null."
        if all(notice.message != message for notice in self.notices):
            self.notices.append(Notice("property_missing", message, self.spec.name))
            return
        raise missing

    def _read_of(self, columns: Columns) -> CollectionRead:
        table = text_table(self.spec, columns)
        return CollectionRead(self.spec, table, self._report(table.num_rows), tuple(self.notices))

    def _report(self, rows: int) -> CollectionReport:
        ms = round((self.rules.clock() - self._started) * 1000, 1)
        return CollectionReport(self.spec.name, rows, self.pages, ms, "ok", self._as_of)


@contextmanager
def ungrouped() -> Iterator[None]:
    """Raise the first failure of a task group by itself: the others are its consequences."""
    try:
        yield
    except ExceptionGroup as group:
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
    folded = ([fold_key(cell or "") for cell in columns[name]] for name in key)
    last = {row: index for index, row in enumerate(zip(*folded, strict=True))}
    if len(last) == len(columns[key[0]]):
        return columns
    kept = sorted(last.values())
    return {name: [cells[index] for index in kept] for name, cells in columns.items()}


def text_table(spec: IDOSpec, columns: Mapping[str, list[str | None]]) -> pa.Table:
    """Return a text column for each declared property, all null where it was not read."""
    rows = max((len(cells) for cells in columns.values()), default=0)
    arrays = {prop.name: pa.array(columns.get(prop.wire, [None] * rows), pa.string()) for prop in spec.properties}
    return pa.table(arrays)
