"""A connector's whole answer, in pieces: read and joined at once, or from the lake while its pages come."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from kai_erp.connectors import BaseConnector, Moment, Sources
from kai_erp.connectors.hiding import visible_rows
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core import compass
from kai_erp.core.lake_engine import DataLakeEngine
from kai_erp.core.types import DataSource, Freshness, LakeQuerySpec, Notice
from kai_erp.exporting.parts import FLUSH_ROWS, Place

Connector = BaseConnector[ConnectorQuery]
_STAGED_ROWS = 25_000  # joined at once: a page may have four times as many
Pages = AsyncGenerator[tuple[pa.Table, Place | None], None]

RECORDS_OF: Mapping[str, str] = {
    "production_schedule": "job",
    "open_orders": "order_num",
    "customer_search": "customer_num",
    "inventory_status": "item",
}
"""The column by which a connector's lake query is ordered, and whose rows together make records."""


class Source(StrEnum):
    """Where an export is read from."""

    AUTO = "auto"
    REST = "rest"
    LAKE = "lake"


class Stream(Protocol):
    """Rows in pieces, each with the place to go on after it; what must be said of them, once they were given."""

    @property
    def source(self) -> DataSource: ...  # noqa: D102
    @property
    def as_of(self) -> datetime: ...  # noqa: D102
    def pages(self, place: Place | None) -> Pages: ...  # noqa: D102
    def notices(self) -> list[Notice]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Only:
    """A router that knows one source, and no limit of what REST may give."""

    source: DataSource

    @property
    def hard_max(self) -> int:
        """The rows that REST may give; none where the lake was chosen, so that its failure is one."""
        return sys.maxsize if self.source is DataSource.REST else -1

    def select_source(self, volume: int, freshness: Freshness) -> DataSource:  # noqa: ARG002  # as routers are asked
        """Return the one source."""
        return self.source

    def is_large(self, volume: int) -> bool:  # noqa: ARG002  # likewise
        """Tell that no read is too large to go without a warning."""
        return False

    def without_lake(self) -> Only:
        """Return the router for a question that the lake cannot answer."""
        return Only(DataSource.REST)


@dataclass(slots=True)
class WholeAnswer:
    """The answer of a connector, which is in memory before its first row is given."""

    connector: Connector
    query: ConnectorQuery
    sources: Sources
    moment: Moment
    source: DataSource
    as_of: datetime = field(init=False)
    _notices: list[Notice] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.as_of = self.moment.now

    async def pages(self, place: Place | None) -> Pages:  # noqa: ARG002  # there is none to go on from
        """Give the records."""
        sources = replace(self.sources, router=Only(self.source))
        freshness = Freshness.REALTIME if self.source is DataSource.REST else Freshness.NEAR_REALTIME
        result = await self.connector.execute(self.query, sources, self.moment, freshness=freshness)
        self.as_of, self._notices = result.as_of, list(result.notices)
        for start in range(0, max(1, result.records.num_rows), FLUSH_ROWS):
            yield result.records.slice(start, FLUSH_ROWS), None

    def notices(self) -> list[Notice]:
        """Return the warnings of the answer."""
        return self._notices


@dataclass(slots=True)
class LakeAnswer:
    """The answer of a connector from the lake, made page by page of the rows that belong together.

    Records come in the order of the lake's query.
    """

    connector: Connector
    query: ConnectorQuery
    sources: Sources
    engine: DataLakeEngine
    spec: LakeQuerySpec
    as_of: datetime
    source: DataSource = DataSource.LAKE
    _notices: dict[tuple[str, str], Notice] = field(default_factory=dict, init=False)

    async def pages(self, place: Place | None) -> Pages:  # noqa: ARG002  # a lake query is not continued
        """Give the records of each page, and of the rows that the page before it left over."""
        self.as_of = await self.engine.as_of(self.spec.tables)
        waiting = compass.empty_table(self.spec.columns, compass.LakeTime(self.spec.zone))
        async with aclosing(self.engine.pages(self.spec.sql, self.spec.columns)) as pages:
            async for page in pages:
                for start in range(0, page.num_rows, _STAGED_ROWS):
                    piece = pa.concat_tables([waiting, page.slice(start, _STAGED_ROWS)])
                    whole, waiting = _cut(piece, RECORDS_OF[self.connector.name])
                    if whole.num_rows:
                        yield await self._records(whole), None
        yield await self._records(waiting), None

    def notices(self) -> list[Notice]:
        """Return what must be said about the records."""
        return list(self._notices.values())

    async def _records(self, facts: pa.Table) -> pa.Table:
        joined = await self.sources.staging.records(self.spec, facts)
        for notice in (*joined.notices, *self.connector.remarks(self.query, joined.table)):
            self._notices.setdefault((notice.code, notice.message), notice)
        return visible_rows(self.connector.transform_result(joined.table), self.connector.hidden)


def _cut(rows: pa.Table, column: str) -> tuple[pa.Table, pa.Table]:
    """Return rows up to the last value of a column, and the rows at the end that have it: more may come."""
    if not rows.num_rows:
        return rows, rows
    cells = rows[column]
    last = cells[-1]
    alike = pc.fill_null(pc.equal(cells, last), False) if last.is_valid else pc.is_null(cells)  # noqa: FBT003  # Arrow's
    others = pc.indices_nonzero(pc.invert(alike))
    start = others[-1].as_py() + 1 if len(others) else 0
    return rows.slice(0, start), rows.slice(start)
