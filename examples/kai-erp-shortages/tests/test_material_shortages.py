"""The connector asks a simulated plant; what it answers is compared with a computation in plain Python."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from kai_erp_shortages import MaterialShortage, MaterialShortages, ShortagesQuery, ShortagesSummary

import kai_erp
from kai_erp.connectors import Moment
from kai_erp.core import CollectionRead, CollectionReport, IDOSpec, StagingDatabase
from kai_erp.plugins import check_connector
from kai_erp.simulator import Plant, RunningSimulator, build_plant, run_simulator

WALL_CLOCK = datetime(2026, 5, 20, 10, 30)  # noqa: DTZ001  # the ERP's clock has no zone
Answer = kai_erp.WholeAnswer[MaterialShortage, ShortagesSummary]
Row = dict[str, str | None]
Key = tuple[str, int, int, int]


@pytest.fixture(scope="module")
def plant() -> Plant:
    return build_plant("small", 1, WALL_CLOCK)


@pytest.fixture(scope="module")
def simulator(plant: Plant) -> Iterator[RunningSimulator]:
    with run_simulator(plant) as running:
        yield running


@pytest.fixture
def erp(simulator: RunningSimulator, tmp_path: Path) -> Iterator[kai_erp.SyncErp]:
    file = tmp_path / "tenant.ionapi"
    file.write_text(json.dumps(simulator.ionapi()))
    with kai_erp.connect_sync(
        sl10_ionapi_file=file,
        sl10_config_name=simulator.state.options.configurations[0],
        sl10_timezone="America/Chicago",
    ) as opened:
        yield opened
    simulator.state.denied.clear()


def ask(erp: kai_erp.SyncErp, **filters: str) -> Answer:
    return cast("Answer", erp.ask("material_shortages", **filters))


def folded(text: str | None) -> str:
    return (text or "").strip().casefold()


def amount(text: str | None) -> Decimal:
    return Decimal(text or 0)


def expected(plant: Plant, wanted: Callable[[Row], bool] = lambda _: True) -> dict[Key, Decimal]:
    """Return by job, suffix, operation and sequence what is short."""
    jobs = {(row["Job"], row["Suffix"]): row for row in plant.rows("SLJobs") if is_released(row)}
    stock = {place(row, row): amount(row["QtyOnHand"]) for row in plant.rows("SLItemwhses")}
    short = {}
    for row in filter(wanted, plant.rows("SLJobmatls")):
        job = jobs.get((row["Job"], row["Suffix"]))
        if job is not None:
            pieces = 1 if row["Units"] == "L" else amount(row["QtyReleased"])
            needed = amount(row["MatlQty"]) * pieces - amount(row["QtyIssued"])
            on_hand = stock.get(place(row, job), Decimal(0))
            if needed > 0 and needed > on_hand:
                short[key(row)] = needed - on_hand
    return short


def is_released(job: Row) -> bool:
    return (job["Type"], job["Stat"]) == ("J", "R")


def place(item: Row, job: Row) -> tuple[str, str]:
    return folded(item["Item"]), folded(job["Whse"])


def key(row: Row) -> Key:
    job, *numbers = (row[name] or "" for name in ("Job", "Suffix", "OperNum", "Sequence"))
    suffix, operation, sequence = map(int, numbers)
    return job.strip(), suffix, operation, sequence


def found(records: list[MaterialShortage]) -> dict[Key, Decimal]:
    return {(row.job, row.suffix, row.operation_num, row.sequence): row.qty_short for row in records}


def test_the_declaration_is_whole() -> None:
    check_connector(MaterialShortages())


def test_every_shortage_is_found_and_no_other(erp: kai_erp.SyncErp, plant: Plant) -> None:
    answer = ask(erp)
    assert found(answer.records) == expected(plant) != {}
    assert answer.summary.total == len(answer.records)
    assert answer.meta.warnings == []


def test_lots_and_lost_items_are_among_them(plant: Plant) -> None:
    """What the comparison above rests on: the plant has both."""
    items = {folded(row["Item"]) for row in plant.rows("SLItems")}
    assert expected(plant, lambda row: row["Units"] == "L")
    assert expected(plant, lambda row: folded(row["Item"]) not in items)


def test_an_item_may_have_wildcards_and_any_case(erp: kai_erp.SyncErp, plant: Plant) -> None:
    answer = ask(erp, item="hy-*")
    assert found(answer.records) == expected(plant, lambda row: folded(row["Item"]).startswith("hy-")) != {}


def test_an_item_without_wildcards_is_that_item(erp: kai_erp.SyncErp) -> None:
    some = ask(erp).records[0]
    records = ask(erp, item=folded(some.item)).records
    assert some in records
    assert {record.item for record in records} == {some.item}


@pytest.mark.parametrize("text", ["%", "_", "\\", "HY-1*\\", "[HY]*"])
def test_other_signs_are_no_wildcards(erp: kai_erp.SyncErp, text: str) -> None:
    assert ask(erp, item=text).records == []


def test_a_job_may_be_short(erp: kai_erp.SyncErp, plant: Plant) -> None:
    some = ask(erp).records[0].job
    answer = ask(erp, job=some)
    assert found(answer.records) == expected(plant, lambda row: folded(row["Job"]) == folded(some)) != {}


def test_without_the_item_master_descriptions_come_from_the_materials(
    erp: kai_erp.SyncErp, simulator: RunningSimulator
) -> None:
    before = ask(erp)
    simulator.state.deny("SLItems")
    after = ask(erp)
    assert after.records == before.records
    assert [(caution.code, caution.collection) for caution in after.meta.warnings] == [
        ("collection_denied", "SLItems")
    ]


JOB: Row = {"Job": "         1", "Suffix": "0", "Type": "J", "Stat": "R", "Whse": "EAST"}
MATERIAL: Row = {
    "Job": "         1",
    "Suffix": "0",
    "OperNum": "10",
    "Sequence": "1",
    "Item": "AB1",
    "MatlQty": "2",
    "QtyReleased": "10",
    "QtyIssued": "5",
    "Units": "U",
}


def joined(job: Row, material: Row, stock: dict[str, str], **filters: str) -> list[dict[str, object]]:
    """Return what the SQL makes of one job, one material of it and its stock by warehouse."""
    moment = Moment(datetime(2026, 5, 20, tzinfo=UTC), ZoneInfo("America/Chicago"))
    spec = MaterialShortages().get_rest_spec(ShortagesQuery(**filters), moment)
    places: list[Row] = [{"Item": material["Item"], "Whse": whse, "QtyOnHand": qty} for whse, qty in stock.items()]
    tables: dict[str, list[Row]] = {"SLJobs": [job], "SLJobmatls": [material], "SLItemwhses": places}
    reads = {read.table: as_read(read, tables.get(read.table, []), moment.now) for read in spec.collections}
    with StagingDatabase() as staging:
        answer: list[dict[str, object]] = asyncio.run(staging.join(spec, reads)).table.to_pylist()
    return answer


def as_read(spec: IDOSpec, rows: list[Row], now: datetime) -> CollectionRead:
    columns = {prop.name: pa.array([row[prop.name] for row in rows], pa.string()) for prop in spec.properties}
    return CollectionRead(spec, pa.table(columns), CollectionReport(spec.name, len(rows), 1, 0.0, "ok", now))


def test_stock_counts_in_the_jobs_warehouse_only() -> None:
    (row,) = joined(JOB, MATERIAL, {"EAST": "3", "MAIN": "1000"})
    assert (row["qty_on_hand"], row["qty_short"]) == (3, 12)


def test_what_is_just_there_is_not_short() -> None:
    assert joined(JOB, MATERIAL, {"EAST": "15"}) == []
    assert joined(JOB, MATERIAL, {"EAST": "14.99999999"}) != []


def test_a_job_that_is_not_released_waits_for_nothing() -> None:
    assert joined(JOB | {"Stat": "C"}, MATERIAL, {}) == []


@pytest.mark.parametrize(
    ("text", "item", "found"),
    [
        ("a*1", "AB1", True),
        ("ab1", "AB1", True),
        ("a_1*", "AB1", False),
        ("a%", "AB1", False),
        ("a_1%", "A_1%", True),
    ],
)
def test_the_sql_decides_what_the_erp_may_have_let_through(text: str, item: str, *, found: bool) -> None:
    assert (joined(JOB, MATERIAL | {"Item": item}, {}, item=text) != []) is found
