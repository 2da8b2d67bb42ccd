"""The dialect of Compass: what it takes, what it means, and what it refuses."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kai_erp.simulator import SimulatorOptions
from tests.test_simulator.conftest import Compass, OpenLake

# Each gives one row of columns a, b, …
ONE_ROW = {
    "SELECT CHARINDEX('l', 'hello') a, INSTR('hello', 'l') b, CHAR(65) c": {"a": 3, "b": 3, "c": "A"},
    "SELECT 'x' || 'y' a, 'x' + 'y' + 'z' b, CONCAT('x', 'y') c": {"a": "xy", "b": "xyz", "c": "xy"},
    "SELECT 'x' || NULL a, 'b' b": {"b": "b"},
    "SELECT LEN('abc') a, LENGTH('abc ') b": {"a": 3, "b": 4},
    "SELECT LEFT('abcd', 2) a, RIGHT('abcd', 2) b, SUBSTRING('abcd', 2, 2) c, SUBSTR('abcd', 3) d": {
        "a": "ab",
        "b": "cd",
        "c": "bc",
        "d": "cd",
    },
    "SELECT LTRIM('  x ') a, RTRIM('  x ') b, TRIM('  x ') c": {"a": "x ", "b": "  x", "c": "x"},
    "SELECT LOWER('Ab') a, UPPER('Ab') b, REPLACE('aXa', 'X', '-') c": {"a": "ab", "b": "AB", "c": "a-a"},
    "SELECT LPAD('7', 3, '0') a, RPAD('7', 3, '.') b": {"a": "007", "b": "7.."},
    "SELECT COALESCE(NULL, 2) a, ISNULL(NULL, 3) b, NVL(NULL, 4) c, NVL2(NULL, 5, 6) d": {
        "a": 2,
        "b": 3,
        "c": 4,
        "d": 6,
    },
    "SELECT ROUND(2.567, 1) a, ABS(-3) b, FLOOR(2.7) c, CEILING(2.1) d": {"a": 2.6, "b": 3, "c": 2.0, "d": 3.0},
    "SELECT GREATEST(1, 3, 2) a, LEAST(3, 1) b, ISNUMERIC('12') c, ISNUMERIC('x') d": {
        "a": 3,
        "b": 1,
        "c": 1,
        "d": 0,
    },
    "SELECT INT('2.9') a, TRUNCATE(2.987, 1) b, POWER(2, 3) c, NULLIF(1, 1) d": {"a": 2, "b": 2.9, "c": 8.0},
    "SELECT DATE_FORMAT('2026-05-01 07:08:09', 'dd.MM.yyyy HH:mm:ss') a": {"a": "01.05.2026 07:08:09"},
    "SELECT FROM_UTC_TIMESTAMP('2026-05-01 12:00:00', 'America/Chicago') a": {"a": "2026-05-01T07:00:00.000Z"},
    "SELECT DATEPART(year, d) a, ADD_MONTHS(d, 1) b, LAST_DAY(d) c FROM (SELECT CAST('2026-01-31' AS date) d) x": {
        "a": 2026,
        "b": "2026-02-28T00:00:00.000Z",
        "c": "2026-01-31",
    },
    "SELECT UNIX_TIMESTAMP('1970-01-02') a, TO_DATE('2026-05-01') b": {"a": 86400, "b": "2026-05-01"},
    "SELECT DATE_TRUNC('month', CAST('2026-05-09' AS date)) a": {"a": "2026-05-01T00:00:00.000Z"},
    "SELECT CAST('x' AS integer) a, CAST('x' AS date) b, CAST('12' AS bigint) c": {"c": 12},
    "SELECT CAST('2026-02-30' AS datetime) a, CAST('7.5' AS decimal(10, 2)) b": {"b": 7.5},
    "SELECT CAST('abcdef' AS varchar(3)) a, CAST(12 AS varchar) b": {"a": "abc", "b": "12"},
    "SELECT DATEDIFF(day, '2026-01-01', '2026-01-31') a, YEAR('2026-05-01') b, MONTH('2026-05-01') c": {
        "a": 30,
        "b": 2026,
        "c": 5,
    },
    "SELECT DATEADD(month, 1, CAST('2026-01-31' AS datetime)) a": {"a": "2026-02-28T00:00:00.000Z"},
    "SELECT CASE WHEN 1 = 2 THEN 'no' ELSE 'yes' END a, IIF(1 = 1, 'then', 'else') b": {"a": "yes", "b": "then"},
}
REFUSED = {
    "DELETE FROM co": "Only SELECT statements",
    "UPDATE co SET stat = 'C'": "Only SELECT statements",
    "DROP TABLE co": "Only SELECT statements",
    "CREATE TABLE x (y int)": "Only SELECT statements",
    "SELECT co_num INTO x FROM co": "Only SELECT statements",
    "EXEC infor.clear_table('co', 'true')": "Only SELECT statements",
    "": "one statement is expected",
    "SELECT 1; SELECT 2": "one statement is expected",
    "SELEC co_num FROM co": "Syntax error near 'FROM'",
    "SELECT 'open FROM co": "is not closed",
    "SELECT co_num::varchar FROM co": "Syntax error near '::'",
    "SELECT co_num FROM co ORDER BY co_num LIMIT 5 OFFSET 5": "OFFSET",
    "SELECT co_num FROM co ORDER BY co_num OFFSET 5 ROWS FETCH NEXT 5 ROWS ONLY": "OFFSET",
    "SELECT TOP 5 PERCENT co_num FROM co": "TOP PERCENT",
    "SELECT TOP 5 WITH TIES co_num FROM co ORDER BY stat": "TOP WITH TIES",
    "SELECT co_num FROM co WHERE co_num LIKE '[CD]%'": "brackets",
    "SELECT co_num FROM co WHERE co_num LIKE 'C[^O]%'": "brackets",
    "SELECT co_num FROM co WHERE (stat = 'O') IS NOT TRUE": "IS TRUE",
    "SELECT co_num FROM co WHERE stat ILIKE 'o'": "not supported",
    "SELECT co_num FROM co QUALIFY ROW_NUMBER() OVER (ORDER BY co_num) = 1": "not supported",
    "SELECT MD5(co_num) FROM co": "MD5 is not supported",
    "SELECT * FROM read_csv('/etc/hostname')": "READ_CSV is not supported",
    "SELECT * FROM nothing": "The object 'nothing' does not exist",
    "SELECT * FROM other.co": "The object 'other.co' does not exist",
    "SELECT * FROM information_schema.routines": "The object 'information_schema.routines' does not exist",
    "SELECT * FROM infor.includedeleted('nothing')": "The object 'nothing' does not exist",
    "SELECT * FROM infor.everything('co')": "everything is not supported",
    "SELECT infor.lastmodified() FROM co a JOIN coitem b ON a.co_num = b.co_num": "name the object of a join",
    "SELECT infor.lastmodified('x') FROM co c": "'x' is no object",
    "SELECT lastmodified() FROM co": "lastmodified is not supported",
    "SELECT stat, COUNT(*) FROM co": "GROUP BY",
}
UNKNOWN_PROPERTIES = {
    "SELECT nothing FROM co": "nothing",
    "SELECT c.nothing FROM co c": "nothing",
    "SELECT x.stat FROM co c": "x",
    "SELECT co_num FROM co WHERE deleted = true": "true",
    "SELECT co_num FROM co WHERE deleted <> FALSE": "false",
    "SELECT UPPER(stat) AS state, COUNT(*) n FROM co GROUP BY state": "state",
    "WITH o AS (SELECT co_num FROM co) SELECT stat FROM o": "stat",
}


@pytest.mark.parametrize("sql", ONE_ROW)
async def test_functions_mean_what_the_dialect_says(lake: Compass, sql: str) -> None:
    assert await lake.rows(sql) == [ONE_ROW[sql]]


@pytest.mark.parametrize("sql", REFUSED)
async def test_a_job_fails_on_what_the_dialect_lacks(lake: Compass, sql: str) -> None:
    assert REFUSED[sql] in (await lake.refusal(sql))["message"]


@pytest.mark.parametrize("sql", UNKNOWN_PROPERTIES)
async def test_an_unknown_property_has_a_code_of_its_own(lake: Compass, sql: str) -> None:
    said = await lake.refusal(sql)
    assert said["messageCode"] == "401"
    assert said["message"].startswith(f"Invalid property name references '{UNKNOWN_PROPERTIES[sql]}'")


@pytest.mark.parametrize("sql", ["SELEC co_num\nFROM co", "SELECT co_num,\n  nothing FROM co"])
async def test_a_refusal_tells_where(lake: Compass, sql: str) -> None:
    said = await lake.refusal(sql)
    assert said["line"] == 2
    assert said["position"] in {3, 4}


async def rows_of(lake: Compass, *statements: str) -> list[list[dict[str, Any]]]:
    return [await lake.rows(statement) for statement in statements]


async def test_names_are_found_in_any_case_and_come_as_the_catalog_spells_them(lake: Compass) -> None:
    first, second = await rows_of(
        lake,
        "SELECT CO_NUM, recorddate FROM Default.CO WHERE CO.Stat = 'O' ORDER BY co_num",
        'SELECT "co_num", "RecordDate" FROM "default"."co" WHERE "co"."stat" = \'O\' ORDER BY 1',
    )
    assert first == second
    assert list(first[0]) == ["co_num", "RecordDate"]
    assert await lake.rows("SELECT default.wc.wc FROM default.wc WHERE wc = 'weld'") == []


async def test_top_and_limit_take_the_first_rows(lake: Compass) -> None:
    top, limit, both = await rows_of(
        lake,
        "SELECT TOP 3 wc FROM wc ORDER BY wc DESC",
        "SELECT wc FROM wc ORDER BY wc DESC LIMIT 3",
        "(SELECT TOP 1 wc FROM wc ORDER BY wc) UNION ALL SELECT TOP (2) 'x' FROM wc",
    )
    assert [row["wc"] for row in top] == ["WIRE", "WELD", "SHEAR"]
    assert (limit, [row["wc"] for row in both]) == (top, ["ASSY", "x", "x"])


async def test_joins_groups_windows_and_subqueries_work_together(lake: Compass) -> None:
    sql = """
        WITH lines AS (
            SELECT l.co_num, l.qty_ordered - l.qty_shipped AS still, l.co_line,
                   ROW_NUMBER() OVER (PARTITION BY l.co_num ORDER BY l.co_line, l.co_release) AS n
            FROM coitem l WHERE l.stat = 'O'
        )
        SELECT o.co_num, COUNT(*) AS lines, SUM(s.still) AS still, MAX(s.n) AS last
        FROM co o INNER JOIN lines s ON s.co_num = o.co_num
        LEFT JOIN (SELECT cust_num, name FROM custaddr WHERE cust_seq = 0) a ON a.cust_num = o.cust_num
        WHERE o.stat IN ('O', 'S') AND EXISTS (SELECT 1 FROM coitem x WHERE x.co_num = o.co_num)
        GROUP BY o.co_num HAVING COUNT(*) > 2 ORDER BY o.co_num
    """
    rows = await lake.rows(sql)
    plant = next(iter(lake.state.plants.values()))
    still: dict[str | None, list[float]] = {}
    for line in plant.rows("SLCoitems"):
        if line["Stat"] == "O":
            open_quantity = float(line["QtyOrdered"] or 0) - float(line["QtyShipped"] or 0)
            still.setdefault(line["CoNum"], []).append(open_quantity)
    wanted = {number: (len(q), sum(q)) for number, q in still.items() if len(q) > 2}
    assert {row["co_num"]: (row["lines"], row["still"]) for row in rows} == wanted
    assert all(row["last"] == row["lines"] for row in rows)


async def test_a_name_of_a_table_can_be_given_to_a_common_table_expression(lake: Compass) -> None:
    rows = await lake.rows("WITH wc AS (SELECT wc FROM wc WHERE wc = 'SAW') SELECT wc FROM wc")
    assert rows == [{"wc": "SAW"}]
    assert len(await lake.rows("WITH wc AS (SELECT 1 x) SELECT wc FROM default.wc")) == 12


async def test_texts_are_joined_with_a_plus_where_columns_say_that_they_are_texts(lake: Compass) -> None:
    rows = await lake.rows(
        "SELECT k.full_name, k.number"
        " FROM (SELECT wc + '/' + dept AS full_name, efficiency + 1 AS number FROM wc) k"
        " WHERE k.full_name + '!' = 'SAW/FAB!'"
    )
    assert rows == [{"full_name": "SAW/FAB", "number": 101.0}]


async def test_computed_columns_have_names_of_their_place(lake: Compass) -> None:
    (row,) = await lake.rows("SELECT COUNT(*), MAX(wc), MIN(infor.lastmodified()) FROM wc")
    assert list(row) == ["_col0", "_col1", "_col2"]


async def test_a_star_stands_for_all_columns_but_the_stamp(lake: Compass) -> None:
    plain, aliased, counted = await rows_of(
        lake,
        "SELECT * FROM wc",
        "SELECT w.*, infor.lastmodified('w') AS seen FROM wc w JOIN wc v ON w.wc = v.wc",
        "SELECT COUNT(*) n FROM (SELECT * FROM wc) x",
    )
    assert set(aliased[0]) - set(plain[0]) <= {"seen", "deleted"}
    assert not any(name.startswith("_") for name in plain[0])
    assert counted == [{"n": 12}]


async def test_now_is_the_time_of_the_lake(open_lake: OpenLake) -> None:
    async with open_lake(SimulatorOptions(clock=lambda: 0.0)) as lake:
        (row,) = await lake.rows(
            "SELECT GETDATE() a, GETUTCDATE() b, CURRENT_TIMESTAMP c, DATEADD(day, -1, GETDATE()) d"
        )
        assert {row["a"], row["b"], row["c"]} == {"2026-05-20T15:30:00.000Z"}
        assert row["d"] == "2026-05-19T15:30:00.000Z"
        lake.state.clock.advance(90)
        assert (await lake.rows("SELECT GETDATE() a"))[0]["a"] == "2026-05-20T15:31:30.000Z"


async def test_the_stamp_is_compared_with_equal_at_least_at_most_and_between(lake: Compass) -> None:
    (row,) = await lake.rows(
        "SELECT MAX(infor.lastmodified()) newest, MIN(infor.lastmodified()) oldest FROM coitem"
    )
    newest, oldest = row["newest"], row["oldest"]
    latest = await lake.rows(f"SELECT co_num FROM coitem WHERE infor.lastmodified() = '{newest}'")  # noqa: S608
    counts = [
        len(await lake.rows(f"SELECT c.co_num FROM coitem c WHERE infor.lastmodified('c') {condition}"))  # noqa: S608
        for condition in (
            f">= '{newest}'",
            f"<= '{oldest}'",
            f"BETWEEN '{newest}' AND '2030-01-01'",
            f">= '{oldest[:19]}'",
        )
    ]
    assert counts[0] == counts[2] == len(latest) > 0
    assert 0 < counts[1] < counts[3]
    assert datetime.fromisoformat(newest) <= datetime(2026, 5, 20, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize("operator", [">", "<", "<>"])
async def test_the_stamp_is_not_compared_otherwise(lake: Compass, operator: str) -> None:
    sql = f"SELECT co_num FROM co WHERE infor.lastmodified() {operator} '2026-01-01'"  # noqa: S608
    assert "=, >=, <= and BETWEEN" in (await lake.refusal(sql))["message"]


async def test_stamps_can_be_grouped_and_sorted(lake: Compass) -> None:
    rows = await lake.rows(
        "SELECT infor.lastmodified('c') seen, COUNT(*) n FROM co c GROUP BY infor.lastmodified('c')"
        " HAVING COUNT(*) > 1 ORDER BY infor.lastmodified('c') DESC"
    )
    seen = [row["seen"] for row in rows]
    assert seen == sorted(seen, reverse=True)
    assert rows
    assert (await lake.rows("SELECT infor.lastmodified() FROM wc"))[0].keys() == {"lastmodified"}
