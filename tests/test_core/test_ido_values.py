from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kai_erp.core.ido.values import DECIMAL, instants, trimmed, typed
from kai_erp.core.keys import fold_key, fold_keys
from kai_erp.core.types import PropertyType

NONE = datetime(2049, 1, 1)  # noqa: DTZ001  # the ERP's clock has no zone
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
NUMERALS = st.text("0123456789+-.eExX_, \t", min_size=1, max_size=6).filter(lambda text: text == text.strip())
CONVERTED = [PropertyType.INTEGER, PropertyType.DECIMAL, PropertyType.FLAG, PropertyType.DATETIME]


def values(kind: PropertyType, *cells: str | None) -> list[object]:
    return list(typed(pa.array(cells, pa.string()), kind).column.to_pylist())


def bad(kind: PropertyType, *cells: str | None) -> int:
    return typed(pa.array(cells, pa.string()), kind).bad


@given(st.lists(st.decimals(-(10**20) + 1, 10**20 - 1, places=8), max_size=20))
def test_a_decimal_with_eight_places_is_exact(numbers: list[Decimal]) -> None:
    assert values(PropertyType.DECIMAL, *(f"{number:f}" for number in numbers)) == numbers


@given(st.integers(0, 7), st.integers(-(10**18), 10**18))
def test_a_decimal_with_fewer_places_is_exact(places: int, unscaled: int) -> None:
    number = Decimal(unscaled).scaleb(-places)
    assert values(PropertyType.DECIMAL, f"{number:f}") == [number]


@given(st.decimals(-(10**12), 10**12, places=14))
@example(Decimal("0.000000025"))
@example(Decimal("-0.000000025"))
@example(Decimal("0.0000000249"))
def test_further_places_are_rounded_half_up(number: Decimal) -> None:
    rounded = number.quantize(Decimal("1E-8"), ROUND_HALF_UP)
    assert values(PropertyType.DECIMAL, f"{number:f}") == [rounded]


@pytest.mark.parametrize("text", ["1" + "0" * 20, "-" + "9" * 21, "9" * 60, "1e25"])
def test_a_number_too_huge_to_hold_is_null_and_counted(text: str) -> None:
    assert values(PropertyType.DECIMAL, text) == [None]
    assert bad(PropertyType.DECIMAL, text) == 1


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("-0.00000000", 0),
        ("+5", 5),
        (".5", Decimal("0.5")),
        ("5.", 5),
        ("007", 7),
        ("99999999999999999999.99999999", Decimal("99999999999999999999.99999999")),
    ],
)
def test_a_number_may_be_written_in_any_plain_way(text: str, number: Decimal) -> None:
    assert values(PropertyType.DECIMAL, text) == [number]
    assert bad(PropertyType.DECIMAL, text) == 0


@pytest.mark.parametrize(
    "text", ["1_000", "1,5", "1.000,50", "1 000", "--1", "NaN", "Infinity", "x", "\uff11", "1a"]
)
@pytest.mark.parametrize("kind", [PropertyType.DECIMAL, PropertyType.INTEGER])
def test_what_is_no_number_is_null_and_counted(kind: PropertyType, text: str) -> None:
    assert values(kind, text) == [None]
    assert bad(kind, text) == 1


def test_a_hexadecimal_number_is_none_of_ours() -> None:
    assert values(PropertyType.INTEGER, "0x10") == [None]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_an_integer_of_64_bits_is_exact(numbers: list[int]) -> None:
    assert values(PropertyType.INTEGER, *map(str, numbers)) == numbers
    assert bad(PropertyType.INTEGER, *map(str, numbers)) == 0


@pytest.mark.parametrize(("text", "number"), [("10.00000000", 10), ("-3.0", -3), ("0.0", 0)])
def test_an_integer_may_have_a_fraction_of_zeros(text: str, number: int) -> None:
    assert values(PropertyType.INTEGER, text) == [number]


@pytest.mark.parametrize("text", ["1.5", "-0.5", "0.00000001", str(2**63), str(-(2**63) - 1), "1" * 30])
def test_an_integer_is_never_rounded_nor_wrapped(text: str) -> None:
    assert values(PropertyType.INTEGER, text) == [None]
    assert bad(PropertyType.INTEGER, text) == 1


@pytest.mark.parametrize(
    ("text", "flag"), [("1", True), ("0", False), ("true", True), ("FALSE", False), ("True", True)]
)
def test_a_flag_is_one_or_zero_or_a_boolean(text: str, *, flag: bool) -> None:
    assert values(PropertyType.FLAG, text) == [flag]
    assert bad(PropertyType.FLAG, text) == 0


@pytest.mark.parametrize("text", ["2", "-1", "yes", "Y", "10", "01", "on", "t"])
def test_what_is_no_flag_is_null_and_counted(text: str) -> None:
    assert values(PropertyType.FLAG, text) == [None]
    assert bad(PropertyType.FLAG, text) == 1


MILLISECONDS = st.datetimes(datetime(1753, 1, 1), datetime(2048, 12, 31)).map(  # noqa: DTZ001  # the ERP's clock
    lambda moment: moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
)


def forms(moment: datetime) -> list[tuple[str, datetime]]:
    """Return each accepted way to write a moment, and the moment that it says."""
    moment = moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)
    second = moment.replace(microsecond=0)
    day = second.replace(hour=0, minute=0, second=0)
    fraction = f"{moment.microsecond // 1_000:03}"
    return [
        (f"{moment:%Y%m%d %H:%M:%S}.{fraction}", moment),
        (f"{moment:%Y%m%d %H:%M:%S}", second),
        (f"{moment:%Y%m%d}", day),
        (f"{moment:%Y-%m-%d %H:%M:%S}.{fraction}", moment),
        (f"{moment:%Y-%m-%d %H:%M:%S}", second),
        (f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction}", moment),
        (f"{moment:%Y-%m-%dT%H:%M:%S}", second),
        (f"{moment:%Y-%m-%d}", day),
    ]


@given(MILLISECONDS)
def test_a_moment_may_come_in_any_accepted_form(moment: datetime) -> None:
    texts, said = zip(*forms(moment), strict=True)
    assert values(PropertyType.DATETIME, *texts) == list(said)
    assert bad(PropertyType.DATETIME, *texts) == 0


@given(st.timedeltas(timedelta(milliseconds=-5_000), timedelta(days=365 * 900)))
def test_a_date_from_2049_on_means_none_and_is_not_counted_as_bad(after: timedelta) -> None:
    for text, said in forms(NONE + after):
        assert values(PropertyType.DATETIME, text) == [said if said < NONE else None]
        assert bad(PropertyType.DATETIME, text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "20260230",
        "20261301",
        "20260101 24:00:00",
        "01.02.2026",
        "2026",
        "tomorrow",
        "0",
        "20260101x",
        "2026-01-01T10:00:00Z",
        "2026é101",
        "20261é1 07:00",
    ],
)
def test_what_is_no_date_is_null_and_counted(text: str) -> None:
    assert values(PropertyType.DATETIME, text) == [None]
    assert bad(PropertyType.DATETIME, text) == 1


@pytest.mark.parametrize("kind", CONVERTED)
def test_an_absent_cell_is_null_and_not_counted(kind: PropertyType) -> None:
    assert values(kind, None) == [None]
    assert bad(kind, None) == 0


@given(st.lists(WORDS, min_size=1, max_size=10))
@pytest.mark.parametrize("kind", CONVERTED)
def test_any_text_is_either_typed_or_counted_and_never_an_error(kind: PropertyType, words: list[str]) -> None:
    nulls = values(kind, *words).count(None)
    assert bad(kind, *words) == nulls or kind is PropertyType.DATETIME


@given(st.lists(WORDS | NUMERALS, max_size=6), NUMERALS)
@pytest.mark.parametrize("kind", CONVERTED)
def test_what_a_cell_means_does_not_depend_on_the_cells_around_it(
    kind: PropertyType, around: list[str], text: str
) -> None:
    assert values(kind, text) == values(kind, text, "no value", *around)[:1]


@given(MILLISECONDS, st.integers(0, 7), st.sampled_from(["", "Z", "+01:00", " ", "x", "0", ":", ".", "-"]))
def test_what_a_date_means_does_not_depend_on_the_cells_around_it(moment: datetime, form: int, tail: str) -> None:
    text = forms(moment)[form][0] + tail
    alone = values(PropertyType.DATETIME, text)
    for neighbour in ("no date", "2026-01-02", "20260102 03:04:05.006"):
        assert values(PropertyType.DATETIME, text, neighbour)[:1] == alone


@pytest.mark.parametrize("text", ["20260101 10:00:00.00000 nonsense", "20260101 10:00:00.123456"])
def test_a_long_date_means_the_same_in_a_column_of_dates_and_among_others(text: str) -> None:
    assert values(PropertyType.DATETIME, text) == values(PropertyType.DATETIME, text, "no date")[:1]


def test_bad_cells_are_counted_one_by_one_among_good_and_absent_ones() -> None:
    column = typed(pa.array(["1", None, "x", "2.5", "x", None, "y"]), PropertyType.DECIMAL)
    assert column.column.to_pylist() == [Decimal(1), None, None, Decimal("2.5"), None, None, None]
    assert column.bad == 3


@pytest.mark.parametrize(
    ("kind", "arrow"),
    [
        (PropertyType.INTEGER, pa.int64()),
        (PropertyType.DECIMAL, DECIMAL),
        (PropertyType.FLAG, pa.bool_()),
        (PropertyType.DATETIME, pa.timestamp("us")),
        (PropertyType.TEXT, pa.string()),
        (PropertyType.KEY, pa.string()),
    ],
)
@pytest.mark.parametrize("cells", [[], [None], ["nonsense"], ["1"], ["20260101"]], ids=repr)
def test_a_column_has_the_type_of_its_kind_whatever_is_in_it(
    kind: PropertyType, arrow: pa.DataType, cells: list[str | None]
) -> None:
    column = typed(pa.array(cells, pa.string()), kind).column
    assert column.type == arrow
    assert len(column) == len(cells)


@given(st.lists(st.none() | WORDS, min_size=1, max_size=10))
@pytest.mark.parametrize("kind", [PropertyType.TEXT, PropertyType.KEY])
def test_a_text_is_what_it_is_and_cannot_be_bad(kind: PropertyType, words: list[str | None]) -> None:
    assert values(kind, *words) == words
    assert bad(kind, *words) == 0


@given(st.lists(st.none() | WORDS.map(lambda text: f"  {text} "), max_size=10))
def test_blanks_around_a_text_go_and_a_blank_text_is_null(words: list[str | None]) -> None:
    expected = [(word.strip() or None) if word is not None else None for word in words]
    assert [word and word.strip() for word in trimmed(pa.array(words, pa.string())).to_pylist()] == expected


@given(st.lists(st.none() | WORDS, max_size=10))
def test_keys_are_folded_one_by_one_and_absent_ones_stay_absent(words: list[str | None]) -> None:
    expected = [None if word is None else fold_key(word) for word in words]
    assert fold_keys(pa.array(words, pa.string())).to_pylist() == expected


# Instants


def around(*days: tuple[int, int, int]) -> st.SearchStrategy[datetime]:
    """Return wall-clock times near the days on which clocks change, and anywhere in between."""
    starts = [datetime(*day) for day in days]  # noqa: DTZ001  # a wall clock
    near = st.tuples(st.sampled_from(starts), st.integers(-180, 30 * 60)).map(
        lambda pair: pair[0] + timedelta(minutes=pair[1])
    )
    return near | st.datetimes(datetime(1900, 1, 1), datetime(2048, 12, 31))  # noqa: DTZ001  # likewise


@pytest.mark.parametrize(
    ("zone", "walls"),
    [
        ("UTC", around((2026, 1, 1))),
        ("Europe/Berlin", around((2026, 3, 29), (2026, 10, 25))),
        ("America/Chicago", around((2026, 3, 8), (2026, 11, 1))),
        ("America/Havana", around((2026, 3, 8), (2026, 11, 1))),
        ("Asia/Beirut", around((2026, 3, 29), (2026, 10, 25))),
        ("Australia/Lord_Howe", around((2026, 4, 5), (2026, 10, 4))),
        ("Antarctica/Troll", around((2026, 3, 29), (2026, 10, 25))),
        ("Pacific/Apia", around((2011, 12, 29), (2011, 12, 31))),
        ("Africa/Casablanca", around((2026, 2, 15), (2026, 3, 22))),
        ("Asia/Kolkata", around((2026, 1, 1))),
    ],
)
@given(st.data())
def test_a_wall_clock_is_the_first_moment_it_may_mean(
    zone: str, walls: st.SearchStrategy[datetime], data: st.DataObject
) -> None:
    column = data.draw(st.lists(st.none() | walls, max_size=6))
    where = ZoneInfo(zone)
    expected = [None if wall is None else wall.replace(tzinfo=where, fold=0).astimezone(UTC) for wall in column]
    found = instants(pa.array(column, pa.timestamp("us")), where)
    assert found.type == pa.timestamp("us", "UTC")
    assert found.to_pylist() == expected
