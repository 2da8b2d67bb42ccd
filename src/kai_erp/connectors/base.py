"""What a connector is: a question that people ask, and how the ERP's collections answer it.

A connector describes and opens nothing; `execute` is handed what it reads with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import pyarrow as pa
from pydantic import BaseModel

from kai_erp.connectors.answering import Asking
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.connectors.sources import ConnectorResult, Moment, Sources, Volumes
from kai_erp.core.lake_sql import LakeTables
from kai_erp.core.types import Freshness, IDOSpec, LakeQuerySpec, Notice, Progress, RestQuerySpec

__all__ = ["BaseConnector", "ConnectorResult", "IDOSpec", "Moment", "RestQuerySpec", "Sources", "Words"]

Q = TypeVar("Q", bound=ConnectorQuery)


@dataclass(frozen=True, slots=True)
class Words:
    """Where the values of a text parameter can be seen.

    Args:
        fields: record fields; `lines.item` is one of the records within a record.
        staged: further columns that are read anyhow, each a staged table and its column.
    """

    fields: tuple[str, ...]
    staged: tuple[tuple[str, str], ...] = ()


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
        rows_of: the list within a record that has a row each in a flat format, such as CSV.
        vocabulary: for each text parameter, where its values can be seen; to suggest near ones.
        hidden: fields that are left out of every answer, as HIDDEN_FIELDS says; `hiding` sets it.
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
    rows_of: ClassVar[str | None] = None
    vocabulary: ClassVar[Mapping[str, Words]] = {}
    hidden: frozenset[str] = frozenset()

    @abstractmethod
    def get_rest_spec(self, query: Q, moment: Moment) -> RestQuerySpec:
        """Return the collections to read over REST and the SQL that joins them."""

    def get_lake_query(self, query: Q, moment: Moment, lake: LakeTables) -> LakeQuerySpec | None:  # noqa: ARG002  # for those that have one
        """Return the Compass query whose rows make the records; None when the lake cannot answer."""
        return None

    def estimate_volume(self, query: Q, volumes: Volumes) -> int | None:
        """Return about how many rows the driving collection has for this question; None when nobody knows."""
        return volumes.last((self.name, query))

    @abstractmethod
    def transform_result(self, table: pa.Table) -> pa.Table:
        """Return the joined rows in the columns of the record."""

    @abstractmethod
    def summarize(self, table: pa.Table) -> dict[str, Any]:
        """Return the summary of all joined rows."""

    def remarks(self, query: Q, table: pa.Table) -> list[Notice]:  # noqa: ARG002  # for those that have any
        """Return what the reader must know about the joined rows."""
        return []

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
        return await Asking(self, query, sources, moment, freshness, progress).answer()
