"""The filter grammar: what parses, what is refused, and what it selects."""

import operator
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kai_erp.simulator.collection import Collection, Table
from kai_erp.simulator.columns import (
    DATE,
    FLAG,
    GUID,
    INTEGER,
    QUANTITY,
    Column,
    derived,
    key,
    text,
    unbound,
)
from kai_erp.simulator.conditions import Scope, select
from kai_erp.simulator.filters import parse
from kai_erp.simulator.refusals import ConversionFailed, IllegalFilter, NoColumn, PropertyNotFound, Refusal

NAMES = ["Alpha", "alpha  ", " Alpha", "50% off", "A_B", "[x]", "O'Brien", 'The "Big"', None, "äöü", "12"]
SIZE = len(NAMES)
QUANTITIES = [0.0, 1.5, -2.0, None, 10.0, 7.25, 3.0, 3.0, None, 100.0, 1.0]
COUNTS = [n if n % 4 else None for n in range(SIZE)]
DATES = [None if n == 3 else f"202605{10 + n} 0{n % 8}:30:00.000" for n in range(SIZE)]
NOW = datetime(2026, 5, 15, 12)  # noqa: DTZ001 - the ERP's clock has no zone


def column_of_guids() -> Column:
    return Column(
        "RowPointer", GUID, [f"0000000{n % 10}-0000-0000-0000-00000000000{9 - n % 10}" for n in range(SIZE)]
    )


COLLECTION = Collection(
    "SLThings",
    Table("thing", ("Id",)),
    [
        Column("Id", key(INTEGER), list(range(SIZE))),
        Column("Name", text(40), NAMES),
        Column("Other", text(40), ["ALPHA", "beta", "Alpha", *NAMES[3:]]),
        Column("Qty", QUANTITY, QUANTITIES),
        Column("Done", FLAG, [n % 2 for n in range(SIZE)]),
        Column("Count", INTEGER, COUNTS),
        Column("Due", DATE, DATES),
        column_of_guids(),
        derived("DerTotal", QUANTITY, lambda: [1.0] * SIZE),
        unbound("UbPick", SIZE),
    ],
)
SCOPE = Scope(COLLECTION, COLLECTION.find, NOW)


def ids(condition: str) -> list[int]:
    return list(select(SCOPE, parse(condition), COLLECTION.visible()))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("Name = 'ALPHA'", [0, 1]),
        ("Name = N'alpha   '", [0, 1]),
        ("Name = ' alpha'", [2]),
        ("name='O''Brien'", [6]),
        ("NOT Name = 'alpha'", [2, 3, 4, 5, 6, 7, 9, 10]),
        ("Name <> 'alpha'", [2, 3, 4, 5, 6, 7, 9, 10]),
        ("Name != 'alpha'", [2, 3, 4, 5, 6, 7, 9, 10]),
        ("Name LIKE 'a%'", [0, 1, 4]),
        ("Name LIKE '%a'", [0, 2]),
        ("Name LIKE 'A_B'", [4]),
        ("Name LIKE 'A[_]B'", [4]),
        ("Name LIKE '50[%]%'", [3]),
        ("Name LIKE '[[]x]'", [5]),
        ("Name LIKE '[a-m]%'", [0, 1, 4]),
        ("Name LIKE '[^a-m5]%'", [2, 5, 6, 7, 9, 10]),
        ("Name LIKE '[a'", []),
        ("Name LIKE '[]'", []),
        ("Name LIKE '%ÖÜ'", [9]),
        ("Name NOT LIKE '%a%'", [3, 5, 6, 7, 9, 10]),
        ("Qty LIKE '3.0%'", [6, 7]),
        ("Name IN ('alpha', 'A_B')", [0, 1, 4]),
        ("Name NOT IN ('alpha', 'A_B')", [2, 3, 5, 6, 7, 9, 10]),
        ("Name NOT IN ('alpha', NULL)", []),
        ("Count IN (1, '2', 3)", [1, 2, 3]),
        ("Name IS NULL", [8]),
        ("Name IS NOT NULL AND Qty Is Null", [3]),
        ("NULL IS NULL AND Id=1", [1]),
        ("'x' IS NULL", []),
        ("'abc' LIKE 'a%' AND Id=1", [1]),
        ("Id=1 AND NULL LIKE '%'", []),
        ("1 IN (1, 2) AND Id=3", [3]),
        ("NULL = NULL", []),
        ("Name LIKE '[z-a]%'", []),
        ("Name LIKE '[^]%'", [0, 1, 2, 3, 4, 5, 6, 7, 9, 10]),
        ("Due > DATEADD(day, -1, NULL)", []),
        ("Name = NULL", []),
        ("NOT Name = NULL", []),
        ("Qty > 3", [4, 5, 9]),
        ("Qty >= 3.0", [4, 5, 6, 7, 9]),
        ("Qty < -1.5", [2]),
        ("3 < Qty", [4, 5, 9]),
        ("Qty = '1.50'", [1]),
        ("NOT Qty > 3", [0, 1, 2, 6, 7, 10]),
        ("Count = ''", []),
        ("Done = 1 AND Id < 6", [1, 3, 5]),
        ("Done = '1' AND Id < 6", [1, 3, 5]),
        ("Id = 1 OR Id = 3 AND Id = 4", [1]),
        ("(Id = 1 OR Id = 3) AND Id = 3", [3]),
        ("NOT (Id < 9 OR Id = 10)", [9]),
        ("NOT (Id > 2 AND Qty > 0)", [0, 1, 2]),
        ("Id IN (9) and not not Id = 9", [9]),
        ("1 = 1 AND Id = 2", [2]),
        ("1 = 2", []),
        ("Name = Other AND Id < 5", [0, 3, 4]),
        ("Qty < Id", [2, 6, 7, 10]),
        ("Due = '2026-05-11 01:30:00'", [1]),
        ("Due < '20260512'", [0, 1]),
        ("Due < '2026-05-12 02:30:00.001'", [0, 1, 2]),
        ("Due < '2026-05-12T02:30'", [0, 1]),
        ("Due > '20260519 00:00:00.0'", [9, 10]),
        ("Due > GETDATE()", [6, 7, 8, 9, 10]),
        ("Due > GetDate() AND Due < DATEADD(day, 2, GETDATE())", [6, 7]),
        ("Due > DATEADD(mm, -1, '20260619')", [9, 10]),
        ("DATEADD(hh, 24, Due) > '20260520'", [9, 10]),
        ("DATEADD(day, 1, Name) = NULL AND Id > 100", None),
        ("Due >= 46157", [7, 8, 9, 10]),
        ("Due > ''", [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]),
        ("RowPointer > '00000005-0000-0000-0000-000000000004'", [0, 1, 2, 3, 4, 10]),
        ("RowPointer = '00000002-0000-0000-0000-000000000007'", [2]),
    ],
)
def test_it_selects_as_t_sql_does(condition: str, expected: list[int] | None) -> None:
    if expected is None:
        with pytest.raises(ConversionFailed):
            ids(condition)
    else:
        assert ids(condition) == expected


@pytest.mark.parametrize(
    "condition",
    [
        'Name = "alpha"',
        "Name = 'alpha",
        "Name = alpha'",
        "Name = 'a' OR",
        "Name",
        "Name = ",
        "= 'a'",
        "(Name = 'a'",
        "Name = 'a')",
        "Name LIKE 5",
        "Name LIKE Other",
        "Name LIKE 'a!%' ESCAPE '!'",
        "Name BETWEEN 'a' AND 'b'",
        "Name IN ()",
        "Name IN ('a' 'b')",
        "Name IN (SELECT Name FROM thing)",
        "Name IN (Other)",
        "EXISTS (SELECT 1)",
        "UPPER(Name) = 'A'",
        "LEN(Name) > 3",
        "Qty + 1 > 3",
        "Name = 'a'; DROP TABLE thing",
        "Name = 'a' -- comment",
        "Name = 'a' /* comment */",
        "Name IS 'a'",
        "Name NOT 'a'",
        "DATEADD(day, Count, Due) > '20260101'",
        "DATEADD(fortnight, 1, '20260101') > Due",
        "DATEADD('day', 1, Due) > '20260101'",
        "GETDATE(1) > Due",
        "DATEADD(day, 99999999999, GETDATE()) > Due",
        "DATEADD(day, 1.5, GETDATE()) > Due",
        "[Name] = 'a'",
        "Name = 'a' Name = 'b'",
        "(" * 100 + "Id=1" + ")" * 100,
        "NOT " * 5000 + "Id=1",
    ],
)
def test_it_refuses_what_is_no_plain_predicate(condition: str) -> None:
    with pytest.raises(IllegalFilter, match="IllegalFilterException"):
        ids(condition)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("Qty = 'many'", "Error converting data type nvarchar to numeric."),
        ("Count = '1.5'", "Conversion failed when converting the nvarchar value '1.5' to data type int."),
        ("Done = 'yes'", "to data type tinyint"),
        ("Name = 12", "Conversion failed when converting the nvarchar value 'alpha' to data type int."),
        ("Due > 'tomorrow'", "Conversion failed when converting date and/or time from character string."),
        ("Due > '20260230'", "Conversion failed when converting date"),
        ("Due > '2026-0512'", "Conversion failed when converting date"),
        ("RowPointer = '{0000}'", "to uniqueidentifier"),
        ("Due > 99999999", "Conversion failed when converting date"),
        ("Due > DATEADD(day, 999999999, GETDATE())", "Conversion failed when converting date"),
        ("Due > DATEADD(year, 9999, GETDATE())", "Conversion failed when converting date"),
    ],
)
def test_it_fails_as_sql_server_does_when_a_value_does_not_convert(condition: str, message: str) -> None:
    with pytest.raises(ConversionFailed) as failure:
        ids(condition)
    assert message in str(failure.value)


def test_it_names_the_first_property_that_is_unknown() -> None:
    with pytest.raises(PropertyNotFound, match=r"^Property Nope not found on SLThings IDO\.$"):
        ids("Id = 1 AND Nope = 2 AND Never = 3")


@pytest.mark.parametrize("name", ["DerTotal", "UbPick"])
def test_it_refuses_properties_without_a_column(name: str) -> None:
    with pytest.raises(NoColumn):
        ids(f"{name} = '1'")


def test_derived_properties_can_be_allowed() -> None:
    scope = Scope(COLLECTION, COLLECTION.find, NOW, derived_too=True)
    assert list(select(scope, parse("DerTotal = 1"), [0, 1])) == [0, 1]
    with pytest.raises(NoColumn):
        select(scope, parse("UbPick IS NULL"), [0, 1])


OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
Truth = bool | None
Case = tuple[str, Callable[[int], Truth]]


def comparison(values: list[float | None] | list[int | None], name: str, sign: str, constant: int) -> Case:
    def truth(row: int) -> Truth:
        value = values[row]
        return None if value is None else OPERATORS[sign](value, constant)

    return f"{name} {sign} {constant}", truth


def negation(case: Case) -> Case:
    def truth(row: int) -> Truth:
        inner = case[1](row)
        return None if inner is None else not inner

    return f"NOT ({case[0]})", truth


def conjunction(cases: list[Case]) -> Case:
    def truth(row: int) -> Truth:
        inner = [case[1](row) for case in cases]
        return False if False in inner else None if None in inner else True

    return " AND ".join(f"({case[0]})" for case in cases), truth


def disjunction(cases: list[Case]) -> Case:
    def truth(row: int) -> Truth:
        inner = [case[1](row) for case in cases]
        return True if True in inner else None if None in inner else False

    return " or ".join(f"({case[0]})" for case in cases), truth


LEAVES = st.builds(
    comparison, st.just(QUANTITIES), st.just("Qty"), st.sampled_from(sorted(OPERATORS)), st.integers(-3, 12)
) | st.builds(
    comparison, st.just(COUNTS), st.just("Count"), st.sampled_from(sorted(OPERATORS)), st.integers(-3, 12)
)
CASES = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(negation, inner)
        | st.builds(conjunction, st.lists(inner, min_size=2, max_size=3))
        | st.builds(disjunction, st.lists(inner, min_size=2, max_size=3))
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(CASES)
def test_any_combination_follows_three_valued_logic(case: Case) -> None:
    condition, truth = case
    assert ids(condition) == [row for row in range(SIZE) if truth(row) is True]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="NameQtyId'()=<>%_[]-,. 01\"ANDORNOTLIKEISNULLIN", max_size=40))
def test_any_text_is_either_a_selection_or_a_refusal(condition: str) -> None:
    try:
        found = ids(condition)
    except Refusal:
        return
    assert set(found) <= set(range(SIZE))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12))
def test_a_quoted_text_finds_the_row_that_holds_it(value: str) -> None:
    collection = Collection(
        "SLOne",
        Table("one", ("Id",)),
        [Column("Id", key(INTEGER), [0, 1]), Column("Name", text(40), [value, f"{value}x"])],
    )
    scope = Scope(collection, collection.find, NOW)
    quoted = value.replace("'", "''")
    assert list(select(scope, parse(f"Name = '{quoted}'"), [0, 1])) == [0]
    brackets = str.maketrans({"[": "[[]", "%": "[%]", "_": "[_]"})
    assert list(select(scope, parse(f"Name LIKE '{quoted.translate(brackets)}'"), [0, 1])) == [0]
