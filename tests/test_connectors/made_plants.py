"""Plants of hand-made or random rows, in the shapes of a built one, and answers from them without a socket."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

import httpx2
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from kai_erp.connectors import BaseConnector, ConnectorResult, Moment, Sources
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core import ido
from kai_erp.core.auth import IonGrant, TokenManager
from kai_erp.core.ido_client import IdoClient, IdoEndpoint
from kai_erp.core.rest_engine import RestEngine
from kai_erp.core.router import QueryRouter
from kai_erp.core.seen import SeenValues, SeenVolumes
from kai_erp.core.staging import StagingDatabase
from kai_erp.core.walking import PageSource
from kai_erp.errors import UpstreamDenied
from kai_erp.simulator import Plant, SimulatorOptions, build_plant, create_simulator
from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import NUMERIC, Column, Kind, Native, Shape
from tests.conftest import WALL_CLOCK, HandClock, RawRows
from tests.passages import passage_of
from tests.test_connectors.tables import NOW, Cell, Cells, Row, folded

LIMITS = settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.too_slow])
SIZES = st.sampled_from([0, 1, 3, 1000])
Tables = Mapping[str, Sequence[Row]]


def raw_rows(plant: Plant, properties: Mapping[str, Sequence[str]]) -> RawRows:
    """Return a plant's raw rows with these properties only: all of them take long."""
    rows: RawRows = {}
    for name, wanted in properties.items():
        collection = plant.collections[name]
        cells = [collection.columns[column].wire(collection.visible()) for column in wanted]
        rows[name] = [dict(zip(wanted, row, strict=True)) for row in zip(*cells, strict=True)]
    return rows


def table(key: Sequence[str], **cells: Cells) -> st.SearchStrategy[list[Row]]:
    """Return a few rows of which no two have the same natural key."""
    return st.lists(
        st.fixed_dictionaries(cells),
        min_size=1,
        max_size=9,
        unique_by=lambda row: tuple(folded(row[part]) for part in key),
    )


def among(*keys: str, spelled: bool) -> st.SearchStrategy[str]:
    """Return one of the keys; where spellings vary, in its case and with blanks that the database ignores."""
    chosen = st.sampled_from(keys)
    if not spelled:
        return chosen
    return chosen.flatmap(lambda key: st.sampled_from([key, key.lower(), f"{key}  ", key.upper()]))


@cache
def _pattern() -> Plant:
    return build_plant("small", 1, WALL_CLOCK)


def plant_of(tables: Tables) -> Plant:
    """Return the tables as collections of a simulator, which filters and sorts them as SQL Server does."""
    return Plant({name: _collection(name, rows) for name, rows in tables.items()}, WALL_CLOCK)


def _collection(name: str, rows: Sequence[Row]) -> Collection:
    pattern = _pattern().collections[name]
    ordered = sorted(rows, key=lambda row: [_rank(pattern, part, row.get(part)) for part in pattern.table.key])
    columns = [
        Column(column.name, column.shape, [_native(column.shape, row.get(column.name)) for row in ordered])
        for column in pattern.columns.values()
    ]
    return Collection(name, pattern.table, columns)


def _rank(pattern: Collection, part: str, cell: Cell) -> tuple[float, str]:
    numeric = pattern.columns[part].shape.kind in NUMERIC
    return (float(cell or 0), "") if numeric else (0, (cell or "").rstrip(" ").casefold())


def _native(shape: Shape, cell: Cell) -> Native:
    if cell is None or shape.kind not in NUMERIC:
        return cell
    return float(cell) if shape.kind is Kind.DECIMAL else int(cell)


@dataclass
class WholeCollections:
    """A source that gives whole collections whatever the filter: a wider read must not change an answer."""

    tables: Tables
    denied: frozenset[str] = frozenset()

    async def property_names(self, collection: str) -> frozenset[str]:
        return frozenset(name.casefold() for name in _pattern().collections[collection].columns)

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        if request.collection in self.denied:
            raise UpstreamDenied(request.collection, "User requires [Read] privilege")
        rows = self.tables[request.collection]
        columns = {name: [row.get(name) for row in rows] for name in request.properties}
        return ido.Page(columns, len(rows), bookmark=None, more_rows=False)


@asynccontextmanager
async def tenant_of(plant: Plant) -> AsyncIterator[IdoClient]:
    """Open a client of a simulator of the plant, within the process."""
    options = SimulatorOptions()
    transport = httpx2.ASGITransport(create_simulator(plant, options))
    async with httpx2.AsyncClient(transport=transport) as http:
        clock = HandClock()
        grant = IonGrant(
            http, f"http://erp/{options.tenant}/as/token.oauth2", options.client_id, options.client_secret
        )
        grant.username, grant.password = options.saak, options.sask
        url = f"http://erp/{options.tenant}/{options.suite}/IDORequestService/ido"
        async with TokenManager(grant, clock) as tokens:
            yield IdoClient(
                http, IdoEndpoint(url, options.configurations[0]), passage_of(tokens, clock), lambda: NOW
            )


@dataclass(frozen=True, slots=True)
class Answering:
    """What a connector is asked with, apart from the question."""

    source: PageSource
    staging: StagingDatabase
    moment: Moment
    page_size: int = 0

    async def answer(self, connector: BaseConnector[ConnectorQuery], query: ConnectorQuery) -> ConnectorResult:
        clock = HandClock()
        engine = RestEngine(self.source, page_size=self.page_size, clock=clock, now=lambda: self.moment.now)
        sources = Sources(QueryRouter(), engine, self.staging, SeenVolumes(clock), SeenValues(), rest_seconds=60.0)
        return await connector.execute(query, sources, self.moment)
