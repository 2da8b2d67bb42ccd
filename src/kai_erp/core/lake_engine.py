"""Answers of the data lake: all rows of a query, or page by page, and how recent they are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from kai_erp.core import compass
from kai_erp.core.compass_client import CompassClient
from kai_erp.core.ido.values import instants
from kai_erp.core.lake_jobs import Jobs, Run
from kai_erp.core.lake_sql import LakeTables
from kai_erp.core.types import Clock, CollectionReport, LakeQuerySpec, LakeRead, Notice, Now, Progress, Property
from kai_erp.errors import JobLost, QueryFailed, TooManyRows

COLLECTION = "Compass"
_VISIBLE, _CHANGED = Property("visible"), Property("changed")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LakeClocks:
    """When the newest rows of some tables became visible in the lake, and when the ERP says it changed them."""

    visible: datetime | None
    changed: datetime | None


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
        self._tables, self._clock, self._now = tables, clock, now
        self._time = compass.LakeTime(zone, timestamps)
        self._jobs = Jobs(
            client, self._time, page_rows=page_rows, timeout_seconds=timeout_seconds, in_flight=in_flight
        )
        self._undated: set[str] = set()

    async def pages(self, sql: str, columns: tuple[Property, ...]) -> AsyncGenerator[pa.Table, None]:
        """Give the typed rows of a query, page by page in the order of the result.

        Closing the generator early, or cancelling whoever reads it, cancels the job. Raises QueryFailed when the
        lake cannot run the query, UpstreamUnavailable when it takes too long, and whatever the client raises.
        """
        run = self._jobs.new(sql, columns)
        async with aclosing(self._jobs.pages(run)) as pages:
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
        started, as_of = self._clock(), await self.as_of(spec.tables)

        def report(rows: int, pages: int) -> CollectionReport:
            ms = round((self._clock() - started) * 1000, 1)
            return CollectionReport(COLLECTION, rows, pages, ms, "ok", as_of)

        async def collect() -> LakeRead:
            run, tables, rows, size = self._jobs.new(spec.sql, spec.columns), list[pa.Table](), 0, 0
            async with aclosing(self._jobs.pages(run)) as pages:
                async for page in pages:
                    tables.append(page.table)
                    rows, size = rows + page.rows, size + page.table.nbytes
                    if progress is not None:
                        progress(report(rows, len(tables)))
                    if max_bytes is not None and size > max_bytes:
                        raise TooManyRows(max(rows, run.rows or 0), rows * max_bytes // size)
            table = pa.concat_tables(tables or [compass.empty_table(spec.columns, self._time)])
            return LakeRead(table, report(rows, len(tables)), tuple(_notices(run)))

        try:
            return await collect()
        except JobLost:  # nothing of it has been given away, so it may be asked again
            return await collect()

    async def as_of(self, tables: Sequence[str]) -> datetime:
        """Return how recent the lake is: when the newest row of these tables became visible; at most now."""
        asked = self._now()
        if not tables:
            return asked
        clocks = await self._visible(sorted(set(tables)))
        return min(asked, clocks.visible or asked)

    async def clocks(self, tables: Sequence[str]) -> LakeClocks:
        """Return what the clocks of lake and ERP show for the newest rows; None where there are none."""
        names = sorted(set(tables))
        if not names:
            return LakeClocks(None, None)
        if self._undated.isdisjoint(names):
            try:
                return self._clocks(await self._small(self._stamp_sql(names, "MAX(RecordDate)")))
            except QueryFailed as failure:
                if "recorddate" not in failure.said.casefold():
                    raise
            self._undated.update(names)
        return await self._visible(names)

    async def _visible(self, names: Sequence[str]) -> LakeClocks:
        table = await self._small(self._stamp_sql(names, "MAX(infor.lastmodified())"))
        return self._clocks(table.set_column(1, _CHANGED.name, pa.nulls(table.num_rows, pa.string())))

    def _clocks(self, table: pa.Table) -> LakeClocks:
        visible = compass.LakeTime(UTC).walls(table.column(0).combine_chunks()).column
        changed = instants(self._time.walls(table.column(1).combine_chunks()).column, self._time.zone)
        newest = (pc.max(moments).as_py() for moments in (visible.cast(pa.timestamp("us", "UTC")), changed))
        return LakeClocks(*(moment.astimezone(UTC) if moment is not None else None for moment in newest))

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
        async with aclosing(self._jobs.pages(self._jobs.new(sql, columns))) as pages:
            tables = [page.table async for page in pages]
        return pa.concat_tables(tables or [compass.empty_table(columns, self._time)])


def _notices(run: Run) -> list[Notice]:
    return [
        Notice(
            "bad_values", f"{bad} values of {name} in the data lake cannot be read and count as null.", COLLECTION
        )
        for name, bad in run.bad.items()
    ]
