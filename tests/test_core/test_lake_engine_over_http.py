"""The lake engine against the simulated tenant, over a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx2
import pytest

from kai_erp.core.auth import IonGrant
from kai_erp.core.compass_client import CompassClient, CompassEndpoint
from kai_erp.core.lake_engine import DataLakeEngine
from kai_erp.core.lake_sql import LakeTables
from kai_erp.core.types import LakeQuerySpec, Property, PropertyType
from kai_erp.errors import QueryFailed
from kai_erp.simulator import Abort, Answer, Fault, Plant, RunningSimulator, Truncate
from tests.passages import passage_of

ZONE = ZoneInfo("America/Chicago")
COLUMNS = (
    Property("CoNum", PropertyType.KEY),
    Property("Price", PropertyType.DECIMAL),
    Property("OrderDate", PropertyType.DATETIME),
)
SQL = "SELECT co_num AS CoNum, price AS Price, order_date AS OrderDate FROM co ORDER BY co_num"


@asynccontextmanager
async def lake_of(simulator: RunningSimulator, page_rows: int = 10) -> AsyncIterator[DataLakeEngine]:
    document, clock = simulator.ionapi(), asyncio.get_running_loop().time
    async with httpx2.AsyncClient() as http:
        grant = IonGrant(http, document["pu"] + document["ot"], document["ci"], document["cs"])
        grant.username, grant.password = document["saak"], document["sask"]
        endpoint = CompassEndpoint(f"{document['iu']}/{document['ti']}/DATAFABRIC/compass/v2", 30.0)
        client = CompassClient(http, endpoint, passage_of(grant, clock, upstream="lake"), now)
        yield DataLakeEngine(
            client,
            tables=LakeTables(site=simulator.state.options.lake_site),
            zone=ZONE,
            page_rows=page_rows,
            timeout_seconds=60.0,
            timestamps="utc",
            clock=clock,
            now=now,
        )


def now() -> datetime:
    return datetime.now(UTC)


def spec(sql: str = SQL) -> LakeQuerySpec:
    return LakeQuerySpec(sql=sql, columns=COLUMNS, tables=("co",), records="", volume="", zone=ZONE)


async def test_the_lake_gives_the_orders_that_the_erp_has(simulator: RunningSimulator, plant: Plant) -> None:
    async with lake_of(simulator) as lake:
        read = await lake.read(spec())
    orders = plant.rows("SLCos")
    assert len(orders) > 10
    assert read.table.column("CoNum").to_pylist() == sorted(str(order["CoNum"]).strip() for order in orders)
    assert read.report.rows == len(orders)
    assert read.report.pages == -(-len(orders) // 10)
    assert read.report.as_of <= now()
    assert read.notices == ()


@pytest.mark.parametrize("action", [Truncate(0.5), Abort(0.5), Answer(503), Answer(401)], ids=repr)
async def test_a_page_that_breaks_on_the_way_is_read_again(
    simulator: RunningSimulator, plant: Plant, action: Truncate | Abort | Answer
) -> None:
    async with lake_of(simulator) as lake:
        await lake.as_of(("co",))
        simulator.state.faults.add(Fault(action, on="compass.result", times=1))
        assert (await lake.read(spec())).table.num_rows == len(plant.rows("SLCos"))


async def test_a_query_that_the_lake_cannot_run_says_why(simulator: RunningSimulator) -> None:
    async with lake_of(simulator) as lake:
        with pytest.raises(QueryFailed, match="no_such_column"):
            await lake.read(spec("SELECT no_such_column AS CoNum FROM co"))
