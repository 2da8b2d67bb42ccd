"""The way of a question: where its answer comes from, what is read, and what becomes of that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from kai_erp.connectors.hiding import visible_rows, visible_totals
from kai_erp.connectors.nearest import no_match
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.connectors.sources import ConnectorResult, LakeSource, Moment, Router, Sources
from kai_erp.core.types import (
    CollectionRead,
    CollectionReport,
    DataSource,
    Freshness,
    LakeQuerySpec,
    Notice,
    Progress,
)
from kai_erp.errors import TooManyRows, UpstreamError, UpstreamUnavailable

if TYPE_CHECKING:
    from kai_erp.connectors.base import BaseConnector

Q = TypeVar("Q", bound=ConnectorQuery)


@dataclass(frozen=True, slots=True)
class Asking(Generic[Q]):
    """One question, to be answered once."""

    connector: BaseConnector[Q]
    query: Q
    sources: Sources
    moment: Moment
    freshness: Freshness
    progress: Progress | None = None

    async def answer(self) -> ConnectorResult:
        """Return the whole answer, from the source that its volume and freshness ask for.

        Raises TooManyRows when no source may give it, UpstreamError when none can.
        """
        lake = self._lake()
        router = self.sources.router if lake else self.sources.router.without_lake()
        volume = self.connector.estimate_volume(self.query, self.sources.volumes)
        source = self._source(router, volume)
        if lake is not None and source is DataSource.LAKE:
            return await self._from_lake_else_rest(lake, volume or 0)
        try:
            return await self._from_rest()
        except TooManyRows:
            if lake is None:
                raise
            return await self._from_lake(lake)

    def _lake(self) -> tuple[LakeSource, LakeQuerySpec] | None:
        """Return the lake and what it would be asked, when the freshness allows it and there is one."""
        lake = self.sources.lake
        if lake is None or self.freshness is Freshness.REALTIME:
            return None
        spec = self.connector.get_lake_query(self.query, self.moment, lake.tables)
        return (lake, spec) if spec is not None else None

    def _source(self, router: Router, volume: int | None) -> DataSource:
        try:
            return router.select_source(volume or 0, self.freshness)
        except TooManyRows as refusal:
            raise self._refused(refusal) from None

    async def _from_lake_else_rest(self, lake: tuple[LakeSource, LakeQuerySpec], volume: int) -> ConnectorResult:
        try:
            return await self._from_lake(lake)
        except UpstreamError as failure:
            if volume > self.sources.router.hard_max:
                raise
            try:
                result = await self._from_rest()
            except TooManyRows:
                raise failure from None
            notice = Notice("lake_unavailable", f"{failure}; the answer was read from the running ERP instead.")
            return replace(result, notices=(notice, *result.notices))

    async def _from_lake(self, lake: tuple[LakeSource, LakeQuerySpec]) -> ConnectorResult:
        source, spec = lake
        read = await source.engine.read(spec, max_bytes=source.max_bytes, progress=self.progress)
        joined = await self.sources.staging.records(spec, read.table)
        self.sources.volumes.remember(self._key, joined.volume)
        notices = [*read.notices, *joined.notices]
        return self._result(joined.table, DataSource.LAKE, (read.report,), notices)

    async def _from_rest(self) -> ConnectorResult:
        spec = self.connector.get_rest_spec(self.query, self.moment)
        limit = self.sources.router.hard_max
        try:
            async with asyncio.timeout(self.sources.rest_seconds):
                reads = await self.sources.collections.parallel_fetch(
                    list(spec.collections),
                    row_limit=limit,
                    progress=self.progress,
                    reuse=self.freshness is not Freshness.REALTIME,
                )
                reports = merged_reports(read.report for read in reads.values())
                notices = [notice for read in reads.values() for notice in read.notices]
                staged = self._staged_values(reads)
                joined = await self.sources.staging.join(spec, reads)
        except TooManyRows as stop:
            self.sources.volumes.remember(self._key, max(stop.estimated, limit + 1))
            raise self._refused(stop) from None
        except TimeoutError:
            seconds = f"{self.sources.rest_seconds:g}"
            raise UpstreamUnavailable(f"The ERP did not answer the whole question within {seconds} s") from None
        self.sources.volumes.remember(self._key, joined.volume)
        notices += joined.notices
        if self.sources.router.is_large(joined.volume):
            notices.append(_large_fetch(joined.volume))
        return self._result(joined.table, DataSource.REST, reports, notices, staged)

    @property
    def _key(self) -> tuple[str, Q]:
        return self.connector.name, self.query

    def _refused(self, refusal: TooManyRows) -> TooManyRows:
        """Return a refusal that says which filters, or which freshness, would help."""
        given = self.query.model_dump(exclude_none=True)
        unused = [name for name in self.connector.vocabulary if name not in given]
        lake = self.sources.lake is not None and self.freshness is Freshness.REALTIME
        return TooManyRows(refusal.estimated, refusal.limit, unused, lake=lake)

    def _result(
        self,
        table: pa.Table,
        source: DataSource,
        reports: tuple[CollectionReport, ...],
        notices: list[Notice],
        staged: Mapping[str, Sequence[str]] | None = None,
    ) -> ConnectorResult:
        records = visible_rows(self.connector.transform_result(table), self.connector.hidden)
        notices += self.connector.remarks(self.query, table)
        suggestions = self._suggestions(records, staged or {})
        if not any(notice.code == "no_match" for notice in notices):
            notices += suggestions
        return ConnectorResult(
            records=records,
            summary=visible_totals(self.connector.summarize(table), self.connector),
            source=source,
            as_of=_oldest(reports),
            upstream=reports,
            notices=tuple(dict.fromkeys(notices)),
        )

    def _staged_values(self, reads: Mapping[str, CollectionRead]) -> dict[str, list[str]]:
        """Return, by filter, the values in the collections that know more of them than the records show."""
        values: dict[str, list[str]] = {}
        for parameter, words in self.connector.vocabulary.items():
            tables = ((reads[table].table, column) for table, column in words.staged if table in reads)
            cells = [cell for table, column in tables for cell in table[column].to_pylist()]
            values[parameter] = [cell.strip() for cell in cells if cell and cell.strip()]
        return values

    def _suggestions(self, records: pa.Table, staged: Mapping[str, Sequence[str]]) -> list[Notice]:
        """Remember the values that the filtered fields had; when nothing matched, say which come near."""
        name, values = self.connector.name, self.sources.values
        for parameter, words in self.connector.vocabulary.items():
            for path in words.fields:
                values.remember(name, parameter, _values(records, path))
            values.remember(name, parameter, staged.get(parameter, ()))
        if records.num_rows:
            return []
        known = {parameter: values.recall(name, parameter) for parameter in self.connector.vocabulary}
        return [no_match(self.query.model_dump(exclude_defaults=True), known)]


def _oldest(reports: Sequence[CollectionReport]) -> datetime:
    return min(report.as_of for report in reports)


def _values(records: pa.Table, path: str) -> list[str]:
    """Return the distinct texts of a field, which may be one of a list: `lines.item`."""
    field, _, inner = path.partition(".")
    column = records[field].combine_chunks() if records.num_rows else pa.array([], pa.string())
    if inner and len(column):
        column = pc.struct_field(pc.list_flatten(column), inner)
    texts: list[str] = pc.unique(column).drop_null().to_pylist()
    return texts


def merged_reports(reports: Iterable[CollectionReport]) -> tuple[CollectionReport, ...]:
    """Return one report per collection: rows and pages of all its reads, the oldest moment, the longest time."""
    merged: dict[str, CollectionReport] = {}
    for report in reports:
        earlier = merged.get(report.collection)
        merged[report.collection] = report if earlier is None else _both(earlier, report)
    return tuple(merged.values())


def _both(one: CollectionReport, other: CollectionReport) -> CollectionReport:
    return CollectionReport(
        collection=one.collection,
        rows=one.rows + other.rows,
        pages=one.pages + other.pages,
        ms=max(one.ms, other.ms),
        status=one.status if one.status != "ok" else other.status,
        as_of=min(one.as_of, other.as_of),
    )


def _large_fetch(volume: int) -> Notice:
    return Notice(
        "large_fetch", f"{volume:,} rows were read from the running ERP; a filter makes this faster and lighter."
    )
