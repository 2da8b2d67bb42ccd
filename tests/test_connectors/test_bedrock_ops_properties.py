"""Whatever the collections hold, the schedule is the one computed row by row."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_erp.connectors import BedrockOpsScheduler, Moment, ScheduleQuery, Sources
from kai_erp.connectors.base import ConnectorResult
from kai_erp.core.auth import IonGrant, TokenManager
from kai_erp.core.ido_client import IdoClient, IdoEndpoint
from kai_erp.core.rest_engine import RestEngine
from kai_erp.core.router import QueryRouter
from kai_erp.core.seen import SeenValues, SeenVolumes
from kai_erp.core.staging import StagingDatabase
from kai_erp.core.walking import PageSource
from kai_erp.simulator import Plant, SimulatorOptions, create_simulator
from kai_erp.simulator.collection import Collection, Table
from kai_erp.simulator.columns import (
    DATE,
    FLAG,
    INTEGER,
    QUANTITY,
    SHORT,
    Column,
    Kind,
    Native,
    Shape,
    decimal,
    text,
)
from tests.conftest import HandClock
from tests.passages import passage_of
from tests.test_connectors.asking import OPTIONAL, Truth, check_records
from tests.test_connectors.tables import (
    CENTERS,
    CLEAN,
    DIRTY,
    JOBS,
    NOW,
    Making,
    Row,
    WholeTables,
    joined,
    respelled,
)

ZONES = ("America/Chicago", "Europe/Berlin", "UTC", "Australia/Lord_Howe", "Asia/Kolkata")
LIMITS = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
Tables = Mapping[str, Sequence[Row]]

questions = st.builds(
    ScheduleQuery,
    work_center=st.none() | st.sampled_from([*CENTERS, "NONE", "W%"]).flatmap(respelled),
    job=st.none() | st.sampled_from([*JOBS, "J12", "j13", "888", "J999"]).flatmap(respelled),
    include_completed=st.booleans(),
)


@pytest.fixture(scope="module")
def staging() -> Iterator[StagingDatabase]:
    with StagingDatabase() as database:
        yield database


async def answered(
    source: PageSource, staging: StagingDatabase, query: ScheduleQuery, moment: Moment, page_size: int = 0
) -> ConnectorResult:
    clock = HandClock()
    engine = RestEngine(source, page_size=page_size, clock=clock, now=lambda: moment.now)
    sources = Sources(QueryRouter(), engine, staging, SeenVolumes(clock), SeenValues(), rest_seconds=60)
    return await BedrockOpsScheduler().execute(query, sources, moment)


def check_result(result: ConnectorResult, query: ScheduleQuery, truth: Truth) -> None:
    check_records(result.records.to_pylist(), result.summary, query, truth)


@LIMITS
@given(
    tables=Making(DIRTY, spelled=True).plant(),
    query=questions,
    zone=st.sampled_from(ZONES),
    denied=st.frozensets(st.sampled_from(OPTIONAL)) | st.just(frozenset()),
)
async def test_rows_of_any_content_give_the_promised_schedule(
    staging: StagingDatabase,
    tables: dict[str, list[Row]],
    query: ScheduleQuery,
    zone: str,
    denied: frozenset[str],
) -> None:
    moment = Moment(NOW, ZoneInfo(zone))
    result = await answered(WholeTables(tables, denied), staging, query, moment)
    check_result(result, query, Truth(tables, NOW, moment.zone, denied))


@LIMITS
@given(tables=Making(CLEAN, spelled=False).plant(), query=questions, page_size=st.sampled_from([0, 1, 3, 1000]))
async def test_filters_that_are_pushed_lose_nothing_that_the_question_wants(
    staging: StagingDatabase, tables: dict[str, list[Row]], query: ScheduleQuery, page_size: int
) -> None:
    moment = Moment(NOW, ZoneInfo("America/Chicago"))
    async with tenant_of(tables) as client:
        result = await answered(client, staging, query, moment, page_size)
    check_result(result, query, Truth(tables, NOW, moment.zone))


ONE_JOB: Row = {"Job": "J000000012", "Suffix": "0", "Type": "J", "Stat": "R", "QtyReleased": "5.00000000"}


def operation(job: str, number: str, **cells: str | None) -> Row:
    return {"Job": job, "Suffix": "0", "OperNum": number, "Wc": "WELD", **cells}


async def test_scrap_of_a_closed_operation_is_missing_at_the_later_ones(staging: StagingDatabase) -> None:
    closed = operation(
        "J000000012", "10", Complete="1", QtyScrapped="2.00000000", Wc="ASSY", Type="J", JobStat="R"
    )
    tables = complete({"SLJobs": [ONE_JOB], "SLJobRoutes": [closed, operation("J000000012", "20", Complete="0")]})
    async with tenant_of(tables) as client:
        moment = Moment(NOW, ZoneInfo("UTC"))
        result = await answered(client, staging, ScheduleQuery(work_center="WELD"), moment)
    assert result.records["qty_remaining"].to_pylist() == [3]


async def test_operations_that_spell_their_job_otherwise_belong_to_one_job(staging: StagingDatabase) -> None:
    tables = complete(
        {"SLJobs": [ONE_JOB], "SLJobRoutes": [operation("J000000012", "10"), operation("j000000012", "20")]}
    )
    result = await answered(WholeTables(tables), staging, ScheduleQuery(), Moment(NOW, ZoneInfo("UTC")))
    assert result.records.num_rows == 2
    assert result.summary["jobs"] == 1


async def test_cells_that_cannot_be_read_are_null_and_counted(staging: StagingDatabase) -> None:
    bad = operation("J000000012", "10", QtyComplete="abc", QtyReceived="1,5", Complete="maybe")
    tables = complete({"SLJobs": [ONE_JOB | {"JschEndDate": "soon"}], "SLJobRoutes": [bad]})
    result = await answered(WholeTables(tables), staging, ScheduleQuery(), Moment(NOW, ZoneInfo("UTC")))
    said = [(notice.code, notice.message) for notice in result.notices]
    assert said == [
        ("bad_values", "1 values of SLJobRoutes.QtyComplete cannot be read and count as null."),
        ("bad_values", "1 values of SLJobRoutes.Complete cannot be read and count as null."),
        ("bad_values", "1 values of SLJobRoutes.QtyReceived cannot be read and count as null."),
        ("bad_values", "1 values of SLJobs.JschEndDate cannot be read and count as null."),
    ]


async def test_largest_quantities_that_the_erp_can_store_do_not_break_the_join(staging: StagingDatabase) -> None:
    largest = "99999999999.99999999"
    row = operation("J000000012", "10", QtyComplete="0.00000001", QtyReceived=largest)
    job = ONE_JOB | {"QtyReleased": largest}
    tables = complete({"SLJobs": [job], "SLJobRoutes": [row]})
    moment = Moment(NOW, ZoneInfo("UTC"))
    result = await answered(WholeTables(tables), staging, ScheduleQuery(), moment)
    check_result(result, ScheduleQuery(), Truth(tables, NOW, moment.zone))


def complete(tables: Tables) -> dict[str, list[Row]]:
    """Return all six tables, with every property that is asked for in every row."""
    return {
        name: [dict.fromkeys(_properties_of(name)) | row for row in joined_rows(tables).get(name, [])]
        for name in KEYS
    }


def joined_rows(tables: Tables) -> dict[str, list[Row]]:
    empty: dict[str, list[Row]] = {name: [] for name in KEYS}
    given = {name: [{"Item": None, **row} for row in rows] for name, rows in tables.items()}
    return joined(empty | given)


@asynccontextmanager
async def tenant_of(tables: Tables) -> AsyncIterator[IdoClient]:
    """Open a client of a simulator, within the process, that holds the tables."""
    options = SimulatorOptions()
    transport = httpx2.ASGITransport(create_simulator(plant_of(tables), options))
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


KEYS = {
    "SLJobs": ("Job", "Suffix"),
    "SLJobRoutes": ("Job", "Suffix", "OperNum"),
    "SLJrtSchs": ("Job", "Suffix", "OperNum"),
    "SLItems": ("Item",),
    "SLItemwhses": ("Item", "Whse"),
    "SLWcs": ("Wc",),
}
SHAPES: dict[str, Shape] = {
    "Suffix": SHORT,
    "OperNum": INTEGER,
    "OrdLine": INTEGER,
    "JschPriority": INTEGER,
    "Complete": FLAG,
    "Efficiency": decimal(4, 1),
    **dict.fromkeys(
        ("QtyReleased", "QtyReceived", "QtyComplete", "QtyScrapped", "QtyOnHand", "SetupHrsT"), QUANTITY
    ),
    **dict.fromkeys(("SetupHrs", "RunLbrHrs", "RunMchHrs", "SchedHrs"), QUANTITY),
    **dict.fromkeys(("StartDate", "EndDate", "JschEndDate"), DATE),
}


def plant_of(tables: Tables) -> Plant:
    """Return the tables as collections of the simulator, which filters and sorts them as SQL Server does."""
    collections = {name: collection_of(name, rows) for name, rows in tables.items()}
    return Plant(collections, datetime(2026, 11, 1, 1, 30))  # noqa: DTZ001  # the ERP's clock has no zone


def collection_of(name: str, rows: Sequence[Row]) -> Collection:
    rows = sorted(rows, key=lambda row: tuple(_rank(part, row[part]) for part in KEYS[name]))
    names = rows[0].keys() if rows else [*KEYS[name], *_properties_of(name)]
    columns = [_column(column, [row.get(column) for row in rows]) for column in names]
    return Collection(name, Table(name.lower(), KEYS[name]), columns)


def _properties_of(name: str) -> list[str]:
    """Return the properties that are asked for of a collection, so that one without rows has them too."""
    spec = BedrockOpsScheduler().get_rest_spec(ScheduleQuery(work_center="X"), Moment(NOW, ZoneInfo("UTC")))
    reads = [*spec.collections, *(read.fallback for read in spec.collections if read.fallback)]
    wire = [prop.wire for read in reads if read.name == name for prop in read.properties]
    return list(dict.fromkeys([*wire, "Type", "JobStat"]))


def _rank(name: str, cell: str | None) -> tuple[float, str]:
    return (float(cell or 0), "") if name in SHAPES else (0, (cell or "").rstrip(" ").casefold())


def _column(name: str, cells: Sequence[str | None]) -> Column:
    shape = SHAPES.get(name.removeprefix("Jsh"), text(60))
    return Column(name, shape, [_native(shape, cell) for cell in cells])


def _native(shape: Shape, cell: str | None) -> Native:
    if cell is None:
        return None
    if shape.kind is Kind.DECIMAL:
        return float(cell)
    return cell if shape.kind in {Kind.TEXT, Kind.DATE} else int(cell)
