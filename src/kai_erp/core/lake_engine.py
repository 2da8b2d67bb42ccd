"""Whole results of the data lake: a query submitted, awaited and read page by page, or cancelled."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from kai_erp.core import compass
from kai_erp.core.compass_client import CANCEL_SECONDS, CompassClient
from kai_erp.core.ido.texts import shown
from kai_erp.core.ido.values import instants
from kai_erp.core.lake_sql import LakeTables
from kai_erp.core.retries import with_retries
from kai_erp.core.types import Clock, CollectionReport, LakeQuerySpec, LakeRead, Notice, Now, Progress, Property
from kai_erp.errors import (
    JobLost,
    Nonsense,
    PageTooLarge,
    QueryFailed,
    TooManyRows,
    UpstreamError,
    UpstreamUnavailable,
)

COLLECTION = "Compass"
_FEWEST_ROWS = 100
_FIRST_PAUSE, _LONGEST_PAUSE, _SLOWER = 1.0, 5.0, 1.5
_DECODED_AT_ONCE = 2
_SMALL_BODY = 1 << 18  # a thread costs more than reading so much
_AS_OF_SECONDS = 60.0
_VISIBLE, _CHANGED = Property("visible"), Property("changed")

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Run:
    """A query on its way: `rows` of the result where they are known, `over` when there is nothing to cancel."""

    sql: str
    columns: tuple[Property, ...]
    deadline: float
    rows: int | None = None
    handed: bool = False
    over: bool = False
    bad: dict[str, int] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(prop.name for prop in self.columns)

    def hand(self, page: compass.LakePage) -> None:
        """Take note of a page that is given away."""
        self.handed = True
        for name, bad in page.bad.items():
            self.bad[name] = self.bad.get(name, 0) + bad


class DataLakeEngine:
    """Reads query results from Compass.

    Args:
        client: makes the calls.
        tables: how the ERP's tables are named there.
        zone: that of the ERP's wall clock.
        page_rows: rows asked for per page.
        timeout_seconds: how long a query may take, from its submission to its last page.
        timestamps: whether the lake's ERP dates are in UTC or copied from the ERP's wall clock.
        clock: growing seconds.
        now: the present moment.
        in_flight: pages in memory at most, read ahead while one is used.
    """

    def __init__(  # noqa: PLR0913  # each is named at the call
        self,
        client: CompassClient,
        *,
        tables: LakeTables,
        zone: tzinfo,
        page_rows: int,
        timeout_seconds: float,
        timestamps: compass.Convention,
        clock: Clock,
        now: Now,
        in_flight: int = 4,
    ) -> None:
        self._client, self._tables, self._clock, self._now = client, tables, clock, now
        self._page_rows = min(page_rows, compass.LARGEST_PAGE)
        self._timeout_seconds, self._in_flight = timeout_seconds, in_flight
        self._time = compass.LakeTime(zone, timestamps)
        self._decoding = asyncio.Semaphore(_DECODED_AT_ONCE)
        self._smaller: dict[tuple[str, ...], int] = {}
        self._undated: set[str] = set()
        self._stamps: dict[frozenset[str], tuple[float, datetime]] = {}

    async def pages(self, sql: str, columns: tuple[Property, ...]) -> AsyncGenerator[pa.Table, None]:
        """Give the typed rows of a query, page by page in the order of the result.

        Closing the generator early, or cancelling whoever reads it, cancels the job. Raises QueryFailed when the
        lake cannot run the query, UpstreamUnavailable when it takes too long, and whatever the client raises.
        """
        run = self._run(sql, columns)
        async with aclosing(self._pages(run)) as pages:
            async for page in pages:
                yield page.table
        if run.bad:
            log.warning("values of the data lake cannot be read and count as null", columns=run.bad)

    async def read(
        self, spec: LakeQuerySpec, *, max_bytes: int | None = None, progress: Progress | None = None
    ) -> LakeRead:
        """Return all rows of a query, with how recent the tables behind it were before it was asked.

        Raises TooManyRows as soon as the rows pass `max_bytes`, and whatever `pages` raises.
        """
        started = self._clock()
        as_of = await self.as_of(spec.tables)
        run, tables, rows, size = self._run(spec.sql, spec.columns), list[pa.Table](), 0, 0

        def report() -> CollectionReport:
            ms = round((self._clock() - started) * 1000, 1)
            return CollectionReport(COLLECTION, rows, len(tables), ms, "ok", as_of)

        async with aclosing(self._pages(run)) as pages:
            async for page in pages:
                tables.append(page.table)
                rows, size = rows + page.rows, size + page.table.nbytes
                if progress is not None:
                    progress(report())
                if max_bytes is not None and size > max_bytes:
                    raise TooManyRows(max(rows, run.rows or 0), rows * max_bytes // size)
        table = pa.concat_tables(tables or [compass.empty_table(spec.columns, self._time)])
        return LakeRead(table, report(), tuple(_notices(run)))

    async def as_of(self, tables: Sequence[str]) -> datetime:
        """Return how recent the lake is: what changed in these tables of the ERP before then, it has.

        That is the newest change known there, by the ERP's date or by when it became visible, whichever is the
        earlier, and never later than now. Kept for a minute, since an older stamp is never a lie.
        """
        names = frozenset(tables)
        kept_until, stamp = self._stamps.get(names, (float("-inf"), None))
        if stamp is not None and self._clock() < kept_until:
            return stamp
        asked = self._now()
        stamp = min([asked, *await self._newest(sorted(names))]) if names else asked
        self._stamps[names] = (self._clock() + _AS_OF_SECONDS, stamp)
        return stamp

    async def _newest(self, names: Sequence[str]) -> list[datetime]:
        """Return the newest moments at which a row became visible and was changed, where there are any."""
        if self._undated.isdisjoint(names):
            try:
                return self._moments(await self._small(self._stamp_sql(names, "MAX(RecordDate)")))
            except QueryFailed as failure:
                if "recorddate" not in failure.said.casefold():
                    raise
            self._undated.update(names)
        table = await self._small(self._stamp_sql(names, "MAX(infor.lastmodified())"))
        return self._moments(table.set_column(1, _CHANGED.name, pa.nulls(table.num_rows, pa.string())))

    def _moments(self, table: pa.Table) -> list[datetime]:
        visible = compass.LakeTime(UTC).walls(table.column(0).combine_chunks()).column
        changed = self._time.walls(table.column(1).combine_chunks()).column
        newest = [pc.max(visible.cast(pa.timestamp("us", "UTC"))), pc.max(instants(changed, self._time.zone))]
        return [moment.as_py().astimezone(UTC) for moment in newest if moment.is_valid]

    def _stamp_sql(self, names: Sequence[str], changed: str) -> str:
        """Return the query of newest moments; `infor.lastmodified()` is that of an object, not of a subquery."""
        # names come from connectors and settings, the site is a literal: nothing here is a caller's text
        return " UNION ALL ".join(
            f"SELECT MAX(infor.lastmodified()) AS {_VISIBLE.name}, {changed} AS {_CHANGED.name}"  # noqa: S608
            f" FROM {self._tables.name(name)} WHERE {self._tables.condition()}"
            for name in names
        )

    async def _small(self, sql: str) -> pa.Table:
        columns = (_VISIBLE, _CHANGED)
        async with aclosing(self._pages(self._run(sql, columns))) as pages:
            tables = [page.table async for page in pages]
        return pa.concat_tables(tables or [compass.empty_table(columns, self._time)])

    def _run(self, sql: str, columns: tuple[Property, ...]) -> _Run:
        return _Run(sql, columns, asyncio.get_running_loop().time() + self._timeout_seconds)

    async def _within(self, run: _Run, step: Awaitable[T]) -> T:
        """Return what a step gives. Raises UpstreamUnavailable when the query has had its time."""
        try:
            async with asyncio.timeout_at(run.deadline):
                return await step
        except TimeoutError:
            minutes = self._timeout_seconds / 60
            raise UpstreamUnavailable(f"The data lake did not answer a query within {minutes:g} min") from None

    # One query, from its submission to its last page

    async def _pages(self, run: _Run) -> AsyncGenerator[compass.LakePage, None]:
        """Give the pages; a job that is lost before the first of them is submitted once more."""
        for last in (False, True):
            try:
                async with aclosing(self._pages_of_job(run)) as pages:
                    async for page in pages:
                        run.hand(page)
                        yield page
            except JobLost as loss:
                if last or run.handed:
                    raise
                log.warning("a job of the data lake was lost and is submitted again", reason=str(loss))
            else:
                return

    async def _pages_of_job(self, run: _Run) -> AsyncGenerator[compass.LakePage, None]:
        async with self._job(run) as query_id:
            run.rows = await self._finished(run, query_id)
            pages = self._until_empty if run.rows is None else self._read_ahead
            async with aclosing(pages(run, query_id)) as found:
                async for page in found:
                    yield page
            run.over = True

    @asynccontextmanager
    async def _job(self, run: _Run) -> AsyncIterator[str]:
        """Give the id of a job; unless it is over when the block ends, it is cancelled at the server."""
        run.over = False
        query_id = await self._submitted(run)
        try:
            yield query_id
        except JobLost:
            run.over = True
            raise
        finally:
            if not run.over:
                await _outlasting(self._client.cancel(query_id))

    async def _submitted(self, run: _Run) -> str:
        """Return the id of a new job; one that nobody waits for any more is cancelled once its id is known."""
        submission = asyncio.create_task(self._client.submit(run.sql))
        try:
            return await self._within(run, asyncio.shield(submission))
        except BaseException:
            await _outlasting(self._withdrawn(submission))
            raise

    async def _withdrawn(self, submission: asyncio.Task[str]) -> None:
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                query_id = await submission
        except (TimeoutError, UpstreamError):
            return
        await self._client.cancel(query_id)

    async def _finished(self, run: _Run, query_id: str) -> int | None:
        """Return the number of rows, where it is known, once the job has them.

        A server that answers at once, whatever wait was asked for, is asked less and less often.
        """
        time, pause = asyncio.get_running_loop().time, _FIRST_PAUSE
        while True:
            asked = time()
            status = await self._within(run, self._client.status(query_id, compass.LONGEST_POLL))
            if status.state is not compass.JobState.RUNNING:
                break
            if (rest := asked + pause - time()) > 0:
                await self._within(run, asyncio.sleep(rest))
                pause = min(pause * _SLOWER, _LONGEST_PAUSE)
        run.over = status.state is not compass.JobState.FINISHED
        if status.state is compass.JobState.FAILED:
            raise await self._failure(run, query_id)
        if run.over:
            raise UpstreamUnavailable("The query was cancelled at the data lake by somebody else")
        return status.row_count

    async def _failure(self, run: _Run, query_id: str) -> QueryFailed:
        """Return why a job failed; the whole text goes to the log, its beginning to whoever asked."""
        try:
            text = compass.told(await self._within(run, self._client.messages(query_id)))
        except UpstreamError as failure:
            text = f"its reason could not be read: {failure}"
        log.warning("the data lake could not run a query", query_id=query_id, said=text)
        return QueryFailed(shown(text))

    # Pages

    async def _read_ahead(self, run: _Run, query_id: str) -> AsyncGenerator[compass.LakePage, None]:
        """Give the pages of a result of known length, the next ones being read meanwhile."""
        ahead: deque[asyncio.Task[list[compass.LakePage]]] = deque()
        try:
            for start, stop in self._slices(run):
                ahead.append(asyncio.create_task(self._slice(run, query_id, start, stop)))
                if len(ahead) == self._in_flight:
                    for page in await self._within(run, ahead.popleft()):
                        yield page
            while ahead:
                for page in await self._within(run, ahead.popleft()):
                    yield page
        finally:
            await _stopped(ahead)

    def _slices(self, run: _Run) -> Iterator[tuple[int, int]]:
        """Return where slices begin and end, each of the size that then is known to be given."""
        start = 0
        while start < (run.rows or 0):
            stop = min(start + self._size(run), run.rows or 0)
            yield start, stop
            start = stop

    async def _slice(self, run: _Run, query_id: str, start: int, stop: int) -> list[compass.LakePage]:
        """Return the rows of a slice, in several pages where the lake gives fewer rows than asked for."""
        pages = []
        while start < stop:
            page = await self._page(run, query_id, start, stop - start)
            pages.append(page)
            start += page.rows
        return pages

    async def _until_empty(self, run: _Run, query_id: str) -> AsyncGenerator[compass.LakePage, None]:
        """Give the pages of a result of unknown length: past its end they are empty."""
        offset = 0
        while (page := await self._within(run, self._page(run, query_id, offset, self._page_rows))).rows:
            yield page
            offset += page.rows

    async def _page(self, run: _Run, query_id: str, offset: int, most: int) -> compass.LakePage:
        """Return a page; a page over 10 MB is refused, never cut, so the rows are halved until it is given."""
        while True:
            limit = min(most, self._size(run))
            try:
                return await self._tried(run, query_id, offset, limit)
            except PageTooLarge:
                if limit <= _FEWEST_ROWS:
                    raise
                self._smaller[run.names] = min(self._size(run), max(limit // 2, _FEWEST_ROWS))
                log.info("a page of the data lake was too large", rows=limit, now=self._smaller[run.names])

    async def _tried(self, run: _Run, query_id: str, offset: int, limit: int) -> compass.LakePage:
        """Return a page that makes sense; as the result is frozen, one that does not is read again."""

        async def attempt() -> compass.LakePage:
            body = await self._client.page(query_id, offset, limit)
            page = await self._decoded(body, run.columns)
            if page.rows > limit or (not page.rows and run.rows is not None):
                raise Nonsense("The data lake", f"{page.rows:,} rows instead of {limit:,} from row {offset:,} on")
            return page

        return await with_retries(attempt)

    async def _decoded(self, body: bytes, columns: tuple[Property, ...]) -> compass.LakePage:
        """Return the page in a body; long ones are read in threads, a few at a time, since each takes memory."""
        if len(body) < _SMALL_BODY:
            return compass.decode_page(body, columns, self._time)
        async with self._decoding:
            return await asyncio.to_thread(compass.decode_page, body, columns, self._time)

    def _size(self, run: _Run) -> int:
        return self._smaller.get(run.names, self._page_rows)


async def _stopped(tasks: Sequence[asyncio.Task[T]] | deque[asyncio.Task[T]]) -> None:
    """Return when no task runs any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _outlasting(work: Coroutine[object, object, None]) -> None:
    """Wait until short work is done, even when cancelled meanwhile; then pass that on."""
    task, again = asyncio.create_task(work), None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as cancelled:
            again = cancelled
    if again is not None:
        raise again
    await task


def _notices(run: _Run) -> list[Notice]:
    return [
        Notice(
            "bad_values", f"{bad} values of {name} in the data lake cannot be read and count as null.", COLLECTION
        )
        for name, bad in run.bad.items()
    ]
