from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from kai_erp.core import compass
from kai_erp.core.lake_engine import LakeClocks
from kai_erp.core.lake_sql import LakeTables
from kai_erp.core.types import CollectionReport, LakeQuerySpec, Notice, Property, PropertyType
from kai_erp.errors import QueryFailed, TooManyRows
from tests.test_core.fakes import MOMENT
from tests.test_core.lake_fakes import NUMBER, ZONE, Lake, Result, engine_of, numbers, refusal

SPEC = LakeQuerySpec(
    sql="SELECT number, text FROM things",
    columns=NUMBER,
    tables=("job", "jobroute"),
    records="",
    volume="",
    zone=ZONE,
)
STAMPS = "VISIBLE,Changed"
VISIBLE, CHANGED = "2026-11-24T09:40:00.000Z", "2026-11-24T09:30:00.000Z"


def utc(hour: int, minute: int) -> datetime:
    return datetime(2026, 11, 24, hour, minute, tzinfo=UTC)


def lake_with(rows: Result, *stamps: str) -> Lake:
    """Return a lake that gives `rows`, and `stamps` to whoever asks how recent it is."""
    return Lake(lambda sql: Result(stamps, STAMPS) if "MAX(" in sql else rows)


def queries(lake: Lake) -> list[str]:
    return [request.content.decode() for operation, request in lake.asked if operation == "submit"]


async def as_of(lake: Lake, *tables: str, timestamps: compass.Convention = "utc") -> datetime:
    async with engine_of(lake, timestamps=timestamps) as engine:
        return await engine.as_of(tables or ("job",))


async def clocks(lake: Lake, *tables: str, timestamps: compass.Convention = "utc") -> LakeClocks:
    async with engine_of(lake, timestamps=timestamps) as engine:
        return await engine.clocks(tables or ("job",))


# How recent


async def test_the_lake_is_as_recent_as_the_newest_row_that_came_to_be_seen() -> None:
    lake = lake_with(numbers(0), f"{VISIBLE},", "2026-11-20T00:00:00.000Z,")
    assert await as_of(lake, "jobroute", "job") == utc(9, 40)
    stamp = "SELECT MAX(infor.lastmodified()) AS visible, MAX(infor.lastmodified()) AS changed FROM"
    assert queries(lake) == [f"{stamp} job WHERE 1 = 1 UNION ALL {stamp} jobroute WHERE 1 = 1"]


async def test_how_recent_the_lake_is_is_asked_anew_each_time() -> None:
    lake = lake_with(numbers(0), f"{VISIBLE},")
    async with engine_of(lake) as engine:
        for _ in range(2):
            assert await engine.as_of(("job",)) == utc(9, 40)
    assert lake.count("submit") == 2


async def test_tables_are_asked_by_their_names_in_the_lake_and_for_our_site() -> None:
    lake = lake_with(numbers(0))
    async with engine_of(lake, tables=LakeTables("{table}_mst", "MAIN")) as engine:
        await engine.as_of(("co",))
    assert "FROM co_mst WHERE site_ref = 'MAIN'" in queries(lake)[0]


async def test_both_clocks_are_taken_over_all_tables() -> None:
    lake = lake_with(numbers(0), f"{VISIBLE},2026-11-24T09:00:00.000Z", f"2026-11-24T09:20:00.000Z,{CHANGED}")
    assert await clocks(lake, "a", "b") == LakeClocks(utc(9, 40), utc(9, 30))


async def test_erp_dates_that_are_wall_clock_times_are_read_in_the_zone_of_the_erp() -> None:
    lake = lake_with(numbers(0), f"{VISIBLE},2026-11-24T03:10:00.000Z")
    assert (await clocks(lake, timestamps="wall_clock")).changed == utc(9, 10)


async def test_of_an_hour_that_the_wall_clock_showed_twice_the_first_one_counts() -> None:
    lake = lake_with(numbers(0), "2026-11-01T09:00:00.000Z,2026-11-01T01:30:00.000Z")
    found = await clocks(lake, timestamps="wall_clock")
    assert found.changed == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)


async def test_the_lake_is_never_more_recent_than_the_question() -> None:
    assert await as_of(lake_with(numbers(0), "2027-01-01T00:00:00.000Z,2027-01-01T00:00:00.000Z")) == MOMENT


@pytest.mark.parametrize("stamps", [(), (",",), (",", ",")])
async def test_empty_tables_are_as_recent_as_the_question(stamps: tuple[str, ...]) -> None:
    assert await as_of(lake_with(numbers(0), *stamps)) == MOMENT


async def test_no_tables_are_not_asked_about() -> None:
    lake = lake_with(numbers(0))
    async with engine_of(lake) as engine:
        assert await engine.as_of(()) == MOMENT
    assert lake.asked == []


async def test_tables_without_erp_dates_are_asked_when_they_became_visible_from_then_on() -> None:
    def answer(sql: str) -> Result:
        if "RecordDate" in sql:
            return Result([], end="FAILED", message=refusal("401", "Invalid property references 'recorddate'"))
        return Result([f"{VISIBLE},{VISIBLE}"], STAMPS)

    lake = Lake(answer)
    async with engine_of(lake) as engine:
        for _ in range(2):
            assert await engine.clocks(("job",)) == LakeClocks(utc(9, 40), None)
    assert ["RecordDate" in sql for sql in queries(lake)] == [True, False, False]


async def test_another_failure_to_say_how_recent_the_lake_is_is_an_error() -> None:
    lake = Lake(lambda _: Result([], end="FAILED", message=refusal("7", "No such table job")))
    with pytest.raises(QueryFailed, match="No such table"):
        await as_of(lake)
    assert lake.count("submit") == 1


# Reading


async def test_a_read_gives_all_rows_typed_with_a_report() -> None:
    lake = lake_with(numbers(25), f"{VISIBLE},{CHANGED}")
    lake.page_seconds = 1.5
    async with engine_of(lake, page_rows=10) as engine:
        read = await engine.read(SPEC)
    assert read.table.column("number").to_pylist() == list(range(25))
    assert read.table.column("text")[24].as_py() == "row 24"
    assert read.report == CollectionReport("Compass", 25, 3, 3_000.0, "ok", utc(9, 40))
    assert read.notices == ()


async def test_how_recent_the_lake_is_is_known_before_the_query_is_asked() -> None:
    lake = lake_with(numbers(5), f"{VISIBLE},{CHANGED}")
    async with engine_of(lake) as engine:
        await engine.read(SPEC)
    assert ["MAX(" in sql for sql in queries(lake)] == [True, False]


async def test_a_read_without_rows_has_its_columns_all_the_same() -> None:
    columns = tuple(Property(kind.value, kind) for kind in PropertyType)
    async with engine_of(lake_with(numbers(0))) as engine:
        table = (await engine.read(replace(SPEC, columns=columns))).table
    assert table.num_rows == 0
    assert [str(field.type) for field in table.schema] == [
        "string",
        "string",
        "int64",
        "decimal128(28, 8)",
        "bool",
        "timestamp[us]",
    ]


async def test_a_date_is_the_wall_clock_time_of_the_erp() -> None:
    rows = Result(["2026-11-24T09:30:00.000Z,12.500000000000000"], "due,qty")
    columns = (Property("Due", PropertyType.DATETIME), Property("Qty", PropertyType.DECIMAL))
    async with engine_of(lake_with(rows)) as engine:
        table = (await engine.read(replace(SPEC, columns=columns))).table
    assert table.to_pylist() == [{"Due": datetime(2026, 11, 24, 3, 30), "Qty": Decimal("12.5")}]  # noqa: DTZ001


async def test_cells_that_cannot_be_read_are_told_with_their_number_over_all_pages() -> None:
    rows = Result([f"{'x' if number % 10 == 0 else number},text" for number in range(25)], "number,text")
    async with engine_of(lake_with(rows), page_rows=10) as engine:
        read = await engine.read(SPEC)
    assert read.table.column("number").null_count == 3
    message = "3 values of number in the data lake cannot be read and count as null."
    assert read.notices == (Notice("bad_values", message, "Compass"),)


async def test_progress_is_told_after_each_page() -> None:
    told: list[tuple[int, int]] = []
    async with engine_of(lake_with(numbers(25)), page_rows=10) as engine:
        await engine.read(SPEC, progress=lambda report: told.append((report.rows, report.pages)))
    assert told == [(10, 1), (20, 2), (25, 3)]


async def test_a_read_that_passes_its_limit_stops_and_cancels_the_job() -> None:
    lake = lake_with(numbers(1_000))
    async with engine_of(lake, page_rows=10) as engine:
        whole = (await engine.read(SPEC)).table.nbytes
        lake.asked.clear()
        with pytest.raises(TooManyRows) as raised:
            await engine.read(SPEC, max_bytes=whole // 10)
    assert raised.value.estimated == 1_000
    assert 90 <= raised.value.limit <= 110
    assert lake.count("result") < 20
    assert lake.count("cancel") == 1


async def test_of_a_result_of_unknown_length_the_rows_read_are_the_estimate() -> None:
    async with engine_of(lake_with(numbers(1_000, says=None)), page_rows=10) as engine:
        with pytest.raises(TooManyRows) as raised:
            await engine.read(SPEC, max_bytes=1_000)
    assert raised.value.limit < raised.value.estimated < 200


async def test_a_read_that_just_keeps_its_limit_is_given() -> None:
    async with engine_of(lake_with(numbers(100)), page_rows=10) as engine:
        size = sum([page.nbytes async for page in engine.pages(SPEC.sql, NUMBER)])
        assert (await engine.read(SPEC, max_bytes=size)).report.rows == 100
        with pytest.raises(TooManyRows):
            await engine.read(SPEC, max_bytes=size - 1)
