"""What a question is answered with, as connectors see it: engines by what they can do, not by what they are."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa

from kai_erp.core.lake_sql import LakeTables
from kai_erp.core.types import (
    CollectionRead,
    CollectionReport,
    DataSource,
    Freshness,
    IDOSpec,
    LakeQuerySpec,
    LakeRead,
    Notice,
    Progress,
    RestQuerySpec,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """The present as the ERP's people see it: an aware instant, and the zone of the ERP's wall clock."""

    now: datetime
    zone: ZoneInfo


class Router(Protocol):
    """Chooses a source."""

    @property
    def hard_max(self) -> int: ...  # noqa: D102
    def select_source(self, volume: int, freshness: Freshness) -> DataSource: ...  # noqa: D102
    def is_large(self, volume: int) -> bool: ...  # noqa: D102
    def without_lake(self) -> Router: ...  # noqa: D102


class Collections(Protocol):
    """Reads collections over REST."""

    async def parallel_fetch(  # noqa: D102
        self,
        ido_specs: list[IDOSpec],
        *,
        row_limit: int | None = None,
        progress: Progress | None = None,
        reuse: bool = False,
    ) -> dict[str, CollectionRead]: ...


class Lake(Protocol):
    """Reads the data lake."""

    async def read(  # noqa: D102
        self, spec: LakeQuerySpec, *, max_bytes: int | None = None, progress: Progress | None = None
    ) -> LakeRead: ...
    async def clocks(self, tables: Sequence[str]) -> Clocks: ...  # noqa: D102


class Clocks(Protocol):
    """When the newest rows became visible in the lake, and when the ERP says it changed them."""

    @property
    def visible(self) -> datetime | None: ...  # noqa: D102
    @property
    def changed(self) -> datetime | None: ...  # noqa: D102


class Joined(Protocol):
    """Joined rows, what had to be said about the values in them, and the rows of the driving collection."""

    @property
    def table(self) -> pa.Table: ...  # noqa: D102
    @property
    def notices(self) -> tuple[Notice, ...]: ...  # noqa: D102
    @property
    def volume(self) -> int: ...  # noqa: D102


class Staging(Protocol):
    """Joins what was read."""

    async def join(self, spec: RestQuerySpec, reads: dict[str, CollectionRead]) -> Joined: ...  # noqa: D102
    async def records(self, spec: LakeQuerySpec, rows: pa.Table) -> Joined: ...  # noqa: D102


class Volumes(Protocol):
    """Knows how large questions were."""

    def remember(self, question: Hashable, rows: int) -> None: ...  # noqa: D102
    def last(self, question: Hashable) -> int | None: ...  # noqa: D102


class Values(Protocol):
    """Knows which values fields had."""

    def remember(self, connector: str, field: str, values: Iterable[str]) -> None: ...  # noqa: D102
    def recall(self, connector: str, field: str) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class LakeSource:
    """The data lake: how it is read, what its tables are called, and how large an answer may be in memory."""

    engine: Lake
    tables: LakeTables
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Sources:
    """What a question is answered with; over REST within `rest_seconds`."""

    router: Router
    collections: Collections
    staging: Staging
    volumes: Volumes
    values: Values
    rest_seconds: float
    lake: LakeSource | None = None


@dataclass(frozen=True, slots=True)
class ConnectorResult:
    """A whole answer: records as columns, a summary of them, and where they come from."""

    records: pa.Table
    summary: Mapping[str, Any]
    source: DataSource
    as_of: datetime
    upstream: tuple[CollectionReport, ...]
    notices: tuple[Notice, ...]
