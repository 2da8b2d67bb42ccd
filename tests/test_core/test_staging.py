from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kai_erp.core.keys import fold_key
from kai_erp.core.staging import Joined, StagingDatabase, StagingEngine
from kai_erp.core.types import CollectionRead, IDOSpec, Notice, Property, PropertyType, RestQuerySpec
from kai_erp.errors import Overloaded, QueryError
from tests.test_core.fakes import read_of

KEY = PropertyType.KEY
BERLIN = ZoneInfo("Europe/Berlin")
HEAVY = """
    SELECT count(*) AS n FROM range(3000) a, range(3000) b, range(3000) c WHERE held(a.range) % 7 = b.range % 5
"""


@pytest.fixture
def area() -> Iterator[StagingEngine]:
    with StagingEngine() as engine:
        yield engine


@pytest.fixture(scope="module")
def calculator() -> Iterator[StagingEngine]:
    with StagingEngine() as engine:
        yield engine


@pytest.fixture
def database() -> Iterator[StagingDatabase]:
    with StagingDatabase() as opened:
        yield opened


def thing_read(*keys: str, table: str = "things") -> CollectionRead:
    return read_of(IDOSpec("SLThings", (Property("Key", KEY),), table=table), {"Key": keys})


def question(sql: str, **parameters: int) -> RestQuerySpec:
    return RestQuerySpec((), sql, BERLIN, parameters)


def stage(area: StagingEngine, read: CollectionRead) -> tuple[Notice, ...]:
    return area.load_reads({read.spec.table: read}, BERLIN)


def rows(area: StagingEngine, sql: str) -> list[dict[str, object]]:
    return list(area.query(sql).to_pylist())


# What the public methods promise


def test_a_dataframe_that_was_loaded_can_be_queried(area: StagingEngine) -> None:
    area.load_dataframe("jobs", pd.DataFrame({"job": ["a", "b", "c"], "hours": [1.5, 2.0, None]}))
    frame = area.execute_query("SELECT job, hours * 2 AS twice FROM jobs WHERE hours IS NOT NULL ORDER BY job")
    assert isinstance(frame, pd.DataFrame)
    assert frame.to_dict("list") == {"job": ["a", "b"], "twice": [3.0, 4.0]}


def test_the_index_of_a_dataframe_is_not_a_column(area: StagingEngine) -> None:
    area.load_dataframe("jobs", pd.DataFrame({"job": ["a"]}, index=[7]))
    assert list(area.execute_query("SELECT * FROM jobs").columns) == ["job"]


def test_loading_a_table_again_replaces_it(area: StagingEngine) -> None:
    for count in (3, 1):
        area.load_table("jobs", pa.table({"job": list(range(count))}))
    assert rows(area, "SELECT count(*) AS n FROM jobs") == [{"n": 1}]


@pytest.mark.parametrize("name", ["SLJobs", "two words", 'a"b', "select", "ü"])
def test_a_table_may_have_any_name(area: StagingEngine, name: str) -> None:
    area.load_table(name, pa.table({"n": [1]}))
    quoted = name.replace('"', '""')
    assert rows(area, f'SELECT n FROM "{quoted}"') == [{"n": 1}]  # noqa: S608  # what is tested


def test_values_enter_as_parameters_and_never_as_sql(area: StagingEngine) -> None:
    text = "x' OR 1=1; --"
    area.load_table("jobs", pa.table({"job": [text, "y"]}))
    assert area.query("SELECT job FROM jobs WHERE job = $job", {"job": text}).to_pylist() == [{"job": text}]
    among = area.query("SELECT job FROM jobs WHERE list_contains($jobs, job)", {"jobs": ("y", "z")})
    assert among.to_pylist() == [{"job": "y"}]


def test_parameters_of_every_kind_arrive_as_what_they_are(area: StagingEngine) -> None:
    moment = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    sql = "SELECT $n + 1 AS n, NOT $flag AS f, $none IS NULL AS x, $moment = TIMESTAMPTZ '2026-11-24 10:00Z' AS m"
    (row,) = area.query(sql, {"n": 1, "flag": True, "none": None, "moment": moment}).to_pylist()
    assert row == {"n": 2, "f": False, "x": True, "m": True}


def test_a_closed_area_cannot_be_used() -> None:
    with StagingEngine() as engine:
        pass
    with pytest.raises(QueryError):
        engine.query("SELECT 1")


# Lock-down


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_parquet('https://example.com/x.parquet')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM duckdb_secrets()",
        "SELECT getenv('HOME')",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "WITH x AS (COPY (SELECT 1) TO '/tmp/x.csv') SELECT * FROM x",
        "ATTACH '/tmp/x.db' AS x",
        "ATTACH ':memory:' AS x",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET threads = 8",
        "RESET lock_configuration",
        "PRAGMA database_list",
        "CREATE TABLE x (a INT)",
        "CREATE TABLE memory.main.x AS SELECT 1",
        "CREATE TEMP VIEW x AS SELECT 1",
        "INSERT INTO jobs VALUES (1)",
        "DELETE FROM jobs",
        "DROP TABLE jobs",
        "EXPORT DATABASE '/tmp/x'",
        "CALL pragma_version()",
        "EXPLAIN SELECT 1",
        "PREPARE p AS SELECT 1",
        "CHECKPOINT",
        "USE temp",
        "BEGIN",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE jobs",
        "SELEC 1",
        "SELECT nothing FROM nowhere",
        "SELECT 1 FROM jobs WHERE job = $missing",
        "",
        ";",
        "-- only a comment",
    ],
)
def test_nothing_but_one_select_over_staged_tables_is_answered(area: StagingEngine, sql: str) -> None:
    area.load_table("jobs", pa.table({"job": [1]}))
    with pytest.raises(QueryError):
        area.query(sql)
    with pytest.raises(QueryError):
        area.execute_query(sql)
    assert rows(area, "SELECT count(*) AS n FROM jobs") == [{"n": 1}]


@pytest.mark.parametrize("change", ["DELETE FROM jobs", "INSERT INTO jobs VALUES (2)", "UPDATE jobs SET job = 7"])
def test_a_select_cannot_change_staged_tables(area: StagingEngine, change: str) -> None:
    area.load_table("jobs", pa.table({"job": [1]}))
    with pytest.raises(QueryError):
        area.query(f"WITH x AS ({change} RETURNING *) SELECT * FROM x")  # noqa: S608  # what is tested


def test_the_area_of_a_shared_database_is_locked_down_as_well(database: StagingDatabase) -> None:
    with database.area() as shared:
        for sql in ("SELECT * FROM read_text('/etc/passwd')", "SET threads = 8", "CREATE TABLE x (a INT)"):
            with pytest.raises(QueryError):
                shared.query(sql)


def test_python_variables_are_not_tables_even_below_the_gate(area: StagingEngine) -> None:
    jobs = pa.table({"job": [1]})
    with pytest.raises(duckdb.CatalogException, match="jobs"):
        area._connection.sql("SELECT * FROM jobs")
    assert jobs.num_rows == 1


@pytest.mark.parametrize("setting", ["threads = 8", "enable_external_access = true", "memory_limit = '90GB'"])
def test_no_setting_can_be_changed_even_below_the_gate(area: StagingEngine, setting: str) -> None:
    with pytest.raises(duckdb.Error, match="locked"):
        area._connection.execute(f"SET {setting}")


# Separation


def test_two_areas_do_not_see_each_others_tables(database: StagingDatabase) -> None:
    with database.area() as one, database.area() as other:
        one.load_table("jobs", pa.table({"job": ["mine"]}))
        with pytest.raises(QueryError):
            other.query("SELECT * FROM jobs")
        other.load_table("jobs", pa.table({"job": ["yours"]}))
        assert rows(one, "SELECT job FROM jobs") == [{"job": "mine"}]
        assert rows(other, "SELECT job FROM jobs") == [{"job": "yours"}]


def test_nothing_stays_when_an_area_is_left(database: StagingDatabase) -> None:
    with database.area() as one:
        stage(one, thing_read("a"))
    with database.area() as other:
        assert rows(other, "SELECT table_name FROM duckdb_tables()") == []
        assert rows(other, "SELECT view_name FROM duckdb_views() WHERE NOT internal") == []


async def test_many_joins_at_once_each_see_their_own_rows(database: StagingDatabase) -> None:
    async def ask(number: int) -> list[dict[str, object]]:
        keys = [f"{number}-{index}" for index in range(number % 17)]
        spec = question("SELECT Key AS key FROM things ORDER BY Key")
        return list((await database.join(spec, {"things": thing_read(*keys)})).table.to_pylist())

    answers = await asyncio.gather(*(ask(number) for number in range(120)))
    for number, answer in enumerate(answers):
        assert [row["key"] for row in answer] == sorted(f"{number}-{index}" for index in range(number % 17))


# Joins


async def test_a_join_stages_its_reads_and_tells_how_each_was_come_by(database: StagingDatabase) -> None:
    centers = IDOSpec("SLWcs", (Property("Wc", KEY), Property("Hours", PropertyType.DECIMAL)), table="centers")
    reads = {
        "things": thing_read("A", "B"),
        "centers": read_of(centers, {"Wc": [" a "], "Hours": ["1.50"]}, "fallback"),
    }
    sql = """
        SELECT t.Key AS key, c.Hours AS hours, $shift AS shift,
               (SELECT status FROM reads WHERE name = 'centers') AS s
        FROM things t LEFT JOIN centers c ON t.Key_key = c.Wc_key ORDER BY key
    """
    joined = await database.join(question(sql, shift=1), reads)
    assert joined.table.to_pylist() == [
        {"key": "A", "hours": Decimal("1.50"), "shift": 1, "s": "fallback"},
        {"key": "B", "hours": None, "shift": 1, "s": "fallback"},
    ]
    assert joined.notices == ()


def test_a_join_for_which_there_is_no_memory_is_refused_as_too_much_for_now() -> None:
    small = duckdb.connect(":memory:", config={"memory_limit": "20MB", "temp_directory": "", "threads": "1"})
    with StagingEngine(small) as area, pytest.raises(Overloaded):
        area.join(question("SELECT list(range::VARCHAR || 'some more text') AS l FROM range(2000000)"), {})


def test_cells_that_cannot_be_read_are_null_and_counted_by_column(area: StagingEngine) -> None:
    properties = (
        Property("Qty", PropertyType.DECIMAL, wire="QtyX"),
        Property("Due", PropertyType.DATETIME),
        Property("Num", PropertyType.INTEGER),
        Property("Done", PropertyType.FLAG),
        Property("Note"),
    )
    cells: dict[str, list[str | None]] = {
        "QtyX": ["1", "x", "y", None, " "],
        "Due": ["20260101", "20490101", "bad", None, ""],
        "Num": ["1", "2", "3", "4", "5"],
        "Done": ["1", "0", "?", "!", "#"],
        "Note": ["a", "b", " ", "", None],
    }
    notices = stage(area, read_of(IDOSpec("SLThings", properties), cells))
    counted = {"QtyX": 2, "Due": 1, "Done": 3}
    assert [notice.message.split(" cannot")[0] for notice in notices] == [
        f"{count} values of SLThings.{name}" for name, count in counted.items()
    ]
    assert {(notice.code, notice.collection) for notice in notices} == {("bad_values", "SLThings")}
    assert rows(
        area, "SELECT count(Qty) q, count(Due) d, count(Num) n, count(Done) f, count(Note) t FROM SLThings"
    ) == [{"q": 1, "d": 1, "n": 5, "f": 2, "t": 2}]


def test_a_staged_column_has_the_type_of_its_property(area: StagingEngine) -> None:
    properties = tuple(Property(kind.value, kind) for kind in PropertyType)
    stage(area, read_of(IDOSpec("SLThings", properties), {}))
    types = {row["column_name"]: row["column_type"] for row in rows(area, "DESCRIBE SELECT * FROM SLThings")}
    assert types == {
        "text": "VARCHAR",
        "key": "VARCHAR",
        "key_key": "VARCHAR",
        "integer": "BIGINT",
        "decimal": "DECIMAL(28,8)",
        "flag": "BOOLEAN",
        "datetime": "TIMESTAMP",
        "datetime_at": "TIMESTAMP WITH TIME ZONE",
    }


def test_a_date_stands_beside_its_instant(area: StagingEngine) -> None:
    spec = IDOSpec("SLThings", (Property("Due", PropertyType.DATETIME),))
    stage(area, read_of(spec, {"Due": ["20261025 02:30:00.000", "20260701 08:00:00", "20490101", None]}))
    staged = rows(area, "SELECT Due_at AT TIME ZONE 'UTC' AS at FROM SLThings WHERE Due IS NOT NULL ORDER BY 1")
    assert [f"{row['at']}" for row in staged] == ["2026-07-01 06:00:00", "2026-10-25 00:30:00"]
    assert rows(area, "SELECT count(*) AS n FROM SLThings WHERE Due_at IS NULL") == [{"n": 2}]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=8))
@example(["straße", "STRASSE", " Straße "])
@example(["İ", "i̇", "I", "\u0131"])
@example(["Job", "JOB", "jOb", "  job"])
@example(["", " ", "\t"])
def test_keys_are_shown_trimmed_and_compared_as_python_folds_them(
    calculator: StagingEngine, keys: list[str]
) -> None:
    stage(calculator, thing_read(*keys))
    staged = rows(calculator, 'SELECT "Key" AS shown, "Key_key" AS folded FROM things')
    assert [row["folded"] for row in staged] == [fold_key(key) or None for key in keys]
    assert [str(row["shown"] or "").strip() for row in staged] == [key.strip() for key in keys]


# Macros


def half_up(numerator: int, divisor: int, shift: int) -> Decimal:
    exact = Decimal(numerator) * shift / Decimal(divisor)
    return exact.quantize(Decimal(1), ROUND_HALF_UP)


@given(
    st.integers(-(10**12), 10**12),
    st.integers(-(10**6), 10**6).filter(bool),
    st.sampled_from([1, 10, 100, 10**4, 10**8]),
)
@example(-25, 10, 1)
@example(25, -10, 1)
@example(5, 1_000, 100)
@example(24_999_999, 10_000_000, 1)
def test_half_up_rounds_away_from_zero(calculator: StagingEngine, n: int, d: int, shift: int) -> None:
    sql = "SELECT half_up($n::HUGEINT, $d::HUGEINT, $shift::HUGEINT) AS x"
    assert calculator.query(sql, {"n": n, "d": d, "shift": shift}).to_pylist() == [{"x": half_up(n, d, shift)}]


@pytest.mark.parametrize(("n", "d"), [("1", "0"), ("NULL", "1"), ("1", "NULL"), ("17" + "0" * 37, "1")])
def test_half_up_without_a_result_is_null(calculator: StagingEngine, n: str, d: str) -> None:
    sql = f"SELECT half_up({n}::HUGEINT, {d}::HUGEINT, 100) AS x"  # literals of this test
    assert rows(calculator, sql) == [{"x": None}]


@given(st.decimals(-(10**19), 10**19, places=8))
def test_units_count_the_smallest_part_of_a_quantity_exactly(calculator: StagingEngine, quantity: Decimal) -> None:
    sql = f"SELECT units({quantity:f}::DECIMAL(28, 8))::VARCHAR AS x"  # a number of this test
    assert rows(calculator, sql) == [{"x": str(int(quantity.scaleb(8)))}]


async def test_a_join_takes_what_was_read_so_that_texts_are_not_held_beside_it(database: StagingDatabase) -> None:
    reads = {"things": thing_read("a", "b"), "others": thing_read("b", table="others")}
    joined = await database.join(question("SELECT Key AS key FROM things JOIN others USING (Key)"), reads)
    assert joined.table.to_pylist() == [{"key": "b"}]
    assert reads == {}


# Cancellation and leaks


class WatchedArea(StagingEngine):
    """An area that is held at a point, staging or inside the query, until it is let go on."""

    def __init__(self, watched: WatchedDatabase, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self._watched = watched

    def load_table(self, name: str, table: pa.Table) -> None:
        self._watched.hold("staging")
        super().load_table(name, table)

    def join(self, spec: RestQuerySpec, reads: dict[str, CollectionRead]) -> Joined:
        joined = super().join(spec, reads)
        self._watched.answered += 1
        return joined


class WatchedDatabase(StagingDatabase):
    """A database whose joins say when they have reached a point, and go on when they are let."""

    def __init__(self, point: str) -> None:
        super().__init__()
        self.reached, self.go_on, self.answered = asyncio.Event(), threading.Event(), 0
        self._point, self._loop = point, asyncio.get_running_loop()
        self._connection.create_function("held", self._held, ["BIGINT"], "BIGINT")

    def _held(self, number: int) -> int:
        self.hold("query")
        return number

    def area(self) -> StagingEngine:
        return WatchedArea(self, self._connection.cursor())

    def hold(self, point: str) -> None:
        if point == self._point and not self.go_on.is_set():
            self._loop.call_soon_threadsafe(self.reached.set)
            self.go_on.wait(10)


async def cancelled_at(point: str) -> int:
    """Cancel a join at a point and return how many queries were answered nevertheless."""
    with WatchedDatabase(point) as database:
        work = asyncio.create_task(database.join(question(HEAVY), {"things": thing_read("1")}))
        await database.reached.wait()
        work.cancel()
        for _ in range(20):
            await asyncio.sleep(0)
        database.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await work
        after = await database.join(question("SELECT Key AS key FROM things"), {"things": thing_read("b")})
        assert after.table.to_pylist() == [{"key": "b"}]
        return database.answered - 1


async def test_cancelling_breaks_off_a_join_that_runs() -> None:
    assert await cancelled_at("query") == 0


async def test_cancelling_breaks_off_a_join_that_is_still_staging() -> None:
    assert await cancelled_at("staging") == 0


def test_an_interrupted_query_is_an_error_and_the_area_can_be_used_again(area: StagingEngine) -> None:
    failures: list[Exception] = []

    def run() -> None:
        try:
            area.query(HEAVY.replace("held", "abs"))
        except QueryError as failure:
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        area.interrupt()
        thread.join(0.01)
    assert len(failures) == 1
    assert rows(area, "SELECT 1 AS n") == [{"n": 1}]


async def test_joins_leave_no_connection_behind(database: StagingDatabase) -> None:
    spec = question("SELECT Key FROM things")

    async def connections() -> int:
        for _ in range(20):
            await database.join(spec, {"things": thing_read("a")})
            with pytest.raises(duckdb.Error):
                await database.join(question("SELECT nothing FROM nowhere"), {})
        gc.collect()
        return sum(type(thing).__name__ == "DuckDBPyConnection" for thing in gc.get_objects())

    first, second = await connections(), await connections()
    assert second - first < 5  # of 40 joins; a thread that waits for work keeps what it did last
