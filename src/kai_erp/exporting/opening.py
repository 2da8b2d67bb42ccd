"""What an export reads from: the tenant without the limits of a question, and the rows in pieces."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from kai_erp.access import check_supported
from kai_erp.app import open_shared_store
from kai_erp.config import Settings
from kai_erp.connectors import Moment
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.lake_engine import DataLakeEngine
from kai_erp.core.traits import Traits
from kai_erp.core.types import DataSource, Now
from kai_erp.errors import InvalidParameter, NotConfigured
from kai_erp.exporting.streams import RECORDS_OF, Connector, LakeAnswer, Source, WholeAnswer
from kai_erp.exporting.targets import Target
from kai_erp.exporting.walks import CollectionWalk
from kai_erp.exporting.whole import whole_collections
from kai_erp.plugins import shown_connectors
from kai_erp.tenant import Surroundings, Tenant, open_tenant

_WEEK = 7 * 24 * 3600.0
_NO_LIMIT = 1 << 40
_LAKE_PAGE_ROWS = 5_000  # several pages are read ahead, and those of connectors are wide


@dataclass(frozen=True, slots=True)
class Export:
    """What is exported: the answer of a connector to a `query`, or, without one, a collection; and where to."""

    name: str
    query: ConnectorQuery | None
    target: Target
    source: Source = Source.AUTO
    simulated: bool = False
    overwrite: bool = False
    restart: bool = False

    def question(self, settings: Settings) -> dict[str, str | None]:
        """Return what tells this export from another one."""
        erp = None if self.simulated else str(settings.sl10_ionapi_file or settings.sl10_base_url)
        return {
            "name": self.name,
            "filters": self.query.model_dump_json(exclude_defaults=True) if self.query else None,
            "erp": erp,
            "configuration": settings.sl10_config_name,
            "zone": settings.sl10_timezone,
            "hidden": ",".join(settings.hidden_fields),
        }


def stream_of(export: Export, settings: Settings, tenant: Tenant) -> CollectionWalk | WholeAnswer | LakeAnswer:
    """Return the rows of an export. Raises InvalidParameter when it cannot come from where it should."""
    connectors = {connector.name: connector for connector in shown_connectors(settings)}
    if export.query is None:
        return _walk(export, settings, tenant, list(connectors.values()))
    moment = Moment(tenant.now(), settings.zone)
    return _answer(connectors[export.name], export.query, export.source, moment, tenant)


def _walk(export: Export, settings: Settings, tenant: Tenant, connectors: list[Connector]) -> CollectionWalk:
    if export.source is Source.LAKE:
        raise InvalidParameter("--source", "a collection is read over rest; connectors can come from the lake")
    if settings.hidden_fields:
        raise InvalidParameter(
            "NAME", "with HIDDEN_FIELDS no collection is exported: its properties would show what is hidden"
        )
    spec = whole_collections(connectors)[export.name]
    return CollectionWalk(
        spec, tenant.client, Traits(time.monotonic), settings.sl10_page_size, settings.zone, tenant.now()
    )


def _answer(
    connector: Connector, query: ConnectorQuery, wanted: Source, moment: Moment, tenant: Tenant
) -> WholeAnswer | LakeAnswer:
    lake = tenant.sources.lake
    spec = connector.get_lake_query(query, moment, lake.tables) if lake and wanted is not Source.REST else None
    if wanted is Source.LAKE and spec is None:
        why = (
            f"{connector.name} cannot come from the lake"
            if lake
            else "there is no data lake: LAKE_ENABLED is false"
        )
        raise InvalidParameter("--source", why)
    if spec is not None and lake and connector.name in RECORDS_OF and isinstance(lake.engine, DataLakeEngine):
        return LakeAnswer(connector, query, tenant.sources, lake.engine, spec, moment.now)
    source = DataSource.LAKE if spec is not None else DataSource.REST
    return WholeAnswer(connector, query, tenant.sources, moment, source)


@asynccontextmanager
async def opened_tenant(settings: Settings, now: Now) -> AsyncIterator[Tenant]:
    """Open the tenant without the limits of a question; its budget of requests is what it always is."""
    check_supported(settings)
    if settings.missing():
        raise NotConfigured(settings.missing())
    patient = settings.model_copy(
        update={
            "sl10_query_timeout_seconds": _WEEK,
            "snapshot_max_mb": _NO_LIMIT,
            "reference_ttl_seconds": 0,
            "lake_page_rows": min(settings.lake_page_rows, _LAKE_PAGE_ROWS),
        }
    )
    async with AsyncExitStack() as stack:
        around = Surroundings(time.monotonic, now)
        shared = await open_shared_store(stack, settings, now, around.watch)
        yield await open_tenant(stack, patient, replace(around, shared=shared))
