"""One query of the data lake, from its submission to its last page: awaited, read ahead, halved, cancelled."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Coroutine, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from kai_erp.core import compass
from kai_erp.core.compass_client import CANCEL_SECONDS, CompassClient
from kai_erp.core.ido.texts import shown
from kai_erp.core.retries import with_retries
from kai_erp.core.types import Property
from kai_erp.errors import JobLost, Nonsense, PageTooLarge, QueryFailed, UpstreamError, UpstreamUnavailable

_FEWEST_ROWS = 100
_FIRST_PAUSE, _LONGEST_PAUSE, _SLOWER = 1.0, 5.0, 1.5
_DECODED_AT_ONCE = 2
_SMALL_BODY = 1 << 18  # a thread costs more than reading so much

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Run:
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
        """The columns, by which a page size that has been learnt is known again."""
        return tuple(prop.name for prop in self.columns)

    def hand(self, page: compass.LakePage) -> None:
        """Take note of a page that is given away."""
        self.handed = True
        for name, bad in page.bad.items():
            self.bad[name] = self.bad.get(name, 0) + bad


class Jobs:
    """Runs queries.

    Args:
        client: makes the calls.
        lake_time: what the lake's dates mean.
        page_rows: rows asked for per page.
        timeout_seconds: how long a query may take, from its submission to its last page.
        in_flight: pages in memory at most, read ahead while one is used.
    """

    def __init__(
        self,
        client: CompassClient,
        lake_time: compass.LakeTime,
        *,
        page_rows: int,
        timeout_seconds: float,
        in_flight: int,
    ) -> None:
        self._client, self._time = client, lake_time
        self._page_rows = min(page_rows, compass.LARGEST_PAGE)
        self._timeout_seconds, self._in_flight = timeout_seconds, in_flight
        self._decoding = asyncio.Semaphore(_DECODED_AT_ONCE)
        self._smaller: dict[tuple[str, ...], int] = {}

    def new(self, sql: str, columns: tuple[Property, ...]) -> Run:
        """Return a query that begins now."""
        return Run(sql, columns, asyncio.get_running_loop().time() + self._timeout_seconds)

    async def pages(self, run: Run) -> AsyncGenerator[compass.LakePage, None]:
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

    async def _within(self, run: Run, step: Awaitable[T]) -> T:
        """Return what a step gives. Raises UpstreamUnavailable when the query has had its time."""
        try:
            async with asyncio.timeout_at(run.deadline):
                return await step
        except TimeoutError:
            minutes = self._timeout_seconds / 60
            raise UpstreamUnavailable(f"The data lake did not answer a query within {minutes:g} min") from None

    async def _pages_of_job(self, run: Run) -> AsyncGenerator[compass.LakePage, None]:
        async with self._job(run) as query_id:
            run.rows = await self._finished(run, query_id)
            pages = self._until_empty if run.rows is None else self._read_ahead
            async with aclosing(pages(run, query_id)) as found:
                async for page in found:
                    yield page
            run.over = True

    @asynccontextmanager
    async def _job(self, run: Run) -> AsyncIterator[str]:
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

    async def _submitted(self, run: Run) -> str:
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

    async def _finished(self, run: Run, query_id: str) -> int | None:
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

    async def _failure(self, run: Run, query_id: str) -> QueryFailed:
        """Return why a job failed; the whole text goes to the log, its beginning to whoever asked."""
        try:
            text = compass.told(await self._within(run, self._client.messages(query_id)))
        except UpstreamError as failure:
            text = f"its reason could not be read: {failure}"
        log.warning("the data lake could not run a query", query_id=query_id, said=text)
        return QueryFailed(shown(text))

    # Pages

    async def _read_ahead(self, run: Run, query_id: str) -> AsyncGenerator[compass.LakePage, None]:
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

    def _slices(self, run: Run) -> Iterator[tuple[int, int]]:
        """Return where slices begin and end, each of the size that then is known to be given."""
        start = 0
        while start < (run.rows or 0):
            stop = min(start + self._size(run), run.rows or 0)
            yield start, stop
            start = stop

    async def _slice(self, run: Run, query_id: str, start: int, stop: int) -> list[compass.LakePage]:
        """Return the rows of a slice, in several pages where the lake gives fewer rows than asked for."""
        pages = []
        while start < stop:
            page = await self._page(run, query_id, start, stop - start)
            pages.append(page)
            start += page.rows
        return pages

    async def _until_empty(self, run: Run, query_id: str) -> AsyncGenerator[compass.LakePage, None]:
        """Give the pages of a result of unknown length: past its end they are empty."""
        offset = 0
        while (page := await self._within(run, self._page(run, query_id, offset, self._page_rows))).rows:
            yield page
            offset += page.rows

    async def _page(self, run: Run, query_id: str, offset: int, most: int) -> compass.LakePage:
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

    async def _tried(self, run: Run, query_id: str, offset: int, limit: int) -> compass.LakePage:
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

    def _size(self, run: Run) -> int:
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
