"""What a connector is: a question that people ask, and how the ERP's collections answer it.

A connector describes and opens nothing; `execute` is handed what it reads with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

import pyarrow as pa
from pydantic import BaseModel

from kai_erp.connectors.nearest import no_match
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import (
    CollectionRead,
    CollectionReport,
    DataSource,
    Freshness,
    IDOSpec,
    Notice,
    Progress,
    RestQuerySpec,
)
from kai_erp.errors import TooManyRows

__all__ = ["BaseConnector", "ConnectorResult", "IDOSpec", "Moment", "RestQuerySpec", "Sources"]

Q = TypeVar("Q", bound=ConnectorQuery)


@dataclass(frozen=True, slots=True)
class Moment:
    """The present as the ERP's people see it: an aware instant, and the zone of the ERP's wall clock."""

    now: datetime
    zone: ZoneInfo


class _Router(Protocol):
    @property
    def hard_max(self) -> int: ...
    @property
    def lake(self) -> bool: ...
    def select_source(self, volume: int, freshness: Freshness) -> DataSource: ...
    def is_large(self, volume: int) -> bool: ...


class _Collections(Protocol):
    async def parallel_fetch(
        self, ido_specs: list[IDOSpec], *, row_limit: int | None = None, progress: Progress | None = None
    ) -> dict[str, CollectionRead]: ...


class _Joined(Protocol):
    @property
    def table(self) -> pa.Table: ...
    @property
    def notices(self) -> tuple[Notice, ...]: ...


class _Staging(Protocol):
    async def join(self, spec: RestQuerySpec, reads: Mapping[str, CollectionRead]) -> _Joined: ...


class _Volumes(Protocol):
    def remember(self, question: Hashable, rows: int) -> None: ...
    def last(self, question: Hashable) -> int | None: ...


class _Values(Protocol):
    def remember(self, connector: str, field: str, values: Iterable[str]) -> None: ...
    def recall(self, connector: str, field: str) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """What a question is answered with."""

    router: _Router
    collections: _Collections
    staging: _Staging
    volumes: _Volumes
    values: _Values


@dataclass(frozen=True, slots=True)
class ConnectorResult:
    """A whole answer: records as columns, a summary of them, and where they come from."""

    records: pa.Table
    summary: Mapping[str, Any]
    source: DataSource
    as_of: datetime
    upstream: tuple[CollectionReport, ...]
    notices: tuple[Notice, ...]


class BaseConnector(ABC, Generic[Q]):
    """A business question. Its route, tool, verb, catalogue entry and tests are made from this declaration.

    Attributes:
        name: what the connector is called in answers and in the catalogue.
        title, description: for people and for models: what it answers, when to use it, when not.
        path, tool, verb: its names on the REST API, the MCP server and the command line.
        scope: what a key must allow to ask it.
        query, record, summary: its parameters, its record, its summary.
        example: a question that shows how it is asked.
        table_fields, headings: what a table for people shows of a record, and short names for its columns.
        wide_fields: texts among them that may be cut to fit the width.
        vocabulary: for a text parameter, the record field that holds its values, and a staged column with more.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    path: ClassVar[str]
    tool: ClassVar[str]
    verb: ClassVar[str]
    scope: ClassVar[str]
    query: type[Q]
    record: ClassVar[type[BaseModel]]
    summary: ClassVar[type[BaseModel]]
    example: Q
    table_fields: ClassVar[tuple[str, ...]]
    wide_fields: ClassVar[tuple[str, ...]] = ()
    headings: ClassVar[Mapping[str, str]] = {}
    vocabulary: ClassVar[Mapping[str, tuple[str, str] | None]] = {}

    @abstractmethod
    def get_rest_spec(self, query: Q, moment: Moment) -> RestQuerySpec:
        """Return the collections to read over REST and the SQL that joins them."""

    def get_lake_query(self, query: Q, moment: Moment) -> str | None:  # noqa: ARG002  # for those that have one
        """Return the Compass SQL that gives the record's columns; None when the lake cannot answer."""
        return None

    def estimate_volume(self, query: Q, volumes: _Volumes) -> int | None:
        """Return about how many rows the driving collection has for this question; None when nobody knows."""
        return volumes.last((self.name, query))

    @abstractmethod
    def transform_result(self, table: pa.Table) -> pa.Table:
        """Return the joined rows in the columns of the record."""

    @abstractmethod
    def summarize(self, records: pa.Table) -> dict[str, Any]:
        """Return the summary of all records."""

    async def execute(
        self,
        query: Q,
        sources: Sources,
        moment: Moment,
        *,
        freshness: Freshness = Freshness.REALTIME,
        progress: Progress | None = None,
    ) -> ConnectorResult:
        """Return the whole answer.

        Raises TooManyRows when it would pass the limits, UpstreamError when a required collection fails.
        """
        spec = self.get_rest_spec(query, moment)
        reads = await self._fetch(query, spec, sources, freshness, progress)
        joined = await sources.staging.join(spec, reads)
        records = self.transform_result(joined.table)
        volume = _volume(reads)
        sources.volumes.remember((self.name, query), volume)
        notices = [notice for read in reads.values() for notice in read.notices]
        notices += joined.notices
        if sources.router.is_large(volume):
            notices.append(_large_fetch(volume))
        notices += self._suggestions(query, records, reads, sources.values)
        return ConnectorResult(
            records=records,
            summary=self.summarize(records),
            source=DataSource.REST,
            as_of=min(read.report.as_of for read in reads.values()),
            upstream=merged_reports(read.report for read in reads.values()),
            notices=tuple(dict.fromkeys(notices)),
        )

    async def _fetch(
        self,
        query: Q,
        spec: RestQuerySpec,
        sources: Sources,
        freshness: Freshness,
        progress: Progress | None,
    ) -> dict[str, CollectionRead]:
        filters, lake = self._unused_filters(query), sources.router.lake
        try:
            sources.router.select_source(self.estimate_volume(query, sources.volumes) or 0, freshness)
        except TooManyRows as refusal:
            raise TooManyRows(refusal.estimated, refusal.limit, filters, lake=lake) from None
        try:
            return await sources.collections.parallel_fetch(
                list(spec.collections), row_limit=sources.router.hard_max, progress=progress
            )
        except TooManyRows as stop:
            sources.volumes.remember((self.name, query), max(stop.estimated, stop.limit + 1))
            raise TooManyRows(stop.estimated, stop.limit, filters, lake=lake) from None

    def _unused_filters(self, query: Q) -> list[str]:
        given = query.model_dump(exclude_none=True)
        return [name for name in self.vocabulary if name not in given]

    def _suggestions(
        self, query: Q, records: pa.Table, reads: Mapping[str, CollectionRead], values: _Values
    ) -> list[Notice]:
        """Remember the values that the filtered fields had; when nothing matched, say which come near."""
        known: dict[str, list[str]] = {}
        for field, staged in self.vocabulary.items():
            shown = records[field].unique().drop_null().to_pylist() if records.num_rows else []
            values.remember(self.name, field, shown)
            column = reads[staged[0]].table[staged[1]].to_pylist() if staged else []
            known[field] = [*values.recall(self.name, field), *(text.strip() for text in column if text)]
        return [] if records.num_rows else [no_match(query.model_dump(exclude_defaults=True), known)]


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


def _volume(reads: Mapping[str, CollectionRead]) -> int:
    return sum(read.report.rows for read in reads.values() if read.spec.driving)


def _large_fetch(volume: int) -> Notice:
    return Notice(
        "large_fetch", f"{volume:,} rows were read from the running ERP; a filter makes this faster and lighter."
    )
