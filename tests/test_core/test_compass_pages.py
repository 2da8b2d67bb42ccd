from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kai_erp.core.compass import Convention, LakePage, LakeTime, decode_page, empty_table
from kai_erp.core.compass.values import lake_typed
from kai_erp.core.types import Property, PropertyType
from kai_erp.errors import Nonsense, QueryFailed

CHICAGO, TOKYO = ZoneInfo("America/Chicago"), ZoneInfo("Asia/Tokyo")
TIME = LakeTime(CHICAGO)
COLUMNS = (Property("job", PropertyType.KEY), Property("qty", PropertyType.DECIMAL), Property("note"))


def page(body: str | bytes) -> LakePage:
    return decode_page(body if isinstance(body, bytes) else body.encode(), COLUMNS, TIME)


def rows(body: str | bytes) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in page(body).table.to_pylist()]


def values(kind: PropertyType, *cells: str | None, time: LakeTime = TIME) -> list[object]:
    return list(lake_typed(pa.array(cells, pa.string()), kind, time).column.to_pylist())


def bad(kind: PropertyType, *cells: str | None) -> int:
    return lake_typed(pa.array(cells, pa.string()), kind, TIME).bad


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


# A page


def test_a_page_has_the_declared_columns_whatever_their_case_and_order() -> None:
    body = "extra,NOTE,Job,qty\n1,hello,   888,5.000000000000000\n"
    assert page(body).table.column_names == ["job", "qty", "note"]
    assert rows(body) == [("888", Decimal(5), "hello")]


def test_a_blank_cell_is_null_and_a_text_is_trimmed() -> None:
    assert rows('job,qty,note\n,,""\n"  ", 1.5 ,"  a b "\n') == [(None, None, None), (None, Decimal("1.5"), "a b")]


def test_commas_quotes_and_line_ends_within_a_cell_belong_to_it() -> None:
    assert rows('job,qty,note\r\n1,2,"a, ""b""\nc"\r\n3,4,d\r\n')[0] == ("1", Decimal(2), 'a, "b"\nc')


def test_a_byte_order_mark_and_quoted_names_are_no_part_of_the_header() -> None:
    assert rows(b'\xef\xbb\xbf"job","qty",note\n1,2,3\n') == [("1", Decimal(2), "3")]


def test_past_the_end_there_are_no_rows_but_all_columns() -> None:
    got = page("job,qty,note\n")
    assert got.rows == 0
    assert got.table.schema == page("job,qty,note\n1,2,3\n").table.schema == empty_table(COLUMNS, TIME).schema


def test_a_page_of_one_column_keeps_rows_that_are_null() -> None:
    body = b"note\na\n\nb\n"
    assert decode_page(body, (Property("note"),), TIME).table.to_pydict() == {"note": ["a", None, "b"]}


def test_a_row_may_be_longer_than_a_block() -> None:
    text = "x" * 3_000_000
    assert rows(f"job,qty,note\n1,2,{text}\n1,2,b\n")[0] == ("1", Decimal(2), text)


def test_a_byte_that_is_no_text_costs_a_character_and_not_the_page() -> None:
    assert rows(b"job,qty,note\n1,2,a\xffb\n") == [("1", Decimal(2), "a\ufffdb")]


def test_cells_that_cannot_be_read_are_null_and_counted_by_column() -> None:
    got = page("job,qty,note\n1,x,a\n2,5,b\n3,1-,c\n")
    assert got.table.column("qty").to_pylist() == [None, Decimal(5), None]
    assert got.bad == {"qty": 2}


@pytest.mark.parametrize(
    "body",
    [
        "job,qty,note\n1,2,3\n4,5",
        "job,qty,note\n1,2,3\n4,5\n",
        "job,qty,note\n1,2,3\n4,5,6",
        'job,qty,note\n1,2,3\n4,5,"half\n',
        "job,qty,note",
        "job,qty,note\n1,2,3,4\n",
        "job,qty\n1,2\n",
        "",
        "\n",
        "\0",
        "<html>\n<body>Maintenance</body>\n</html>\n",
        "<html>" + "x" * 200_000,
        '{"some":"thing"}',
        "[]",
    ],
)
def test_a_body_that_is_cut_or_no_such_page_is_nonsense(body: str) -> None:
    with pytest.raises(Nonsense):
        page(body)


def test_a_column_that_is_missing_is_named() -> None:
    with pytest.raises(Nonsense, match="no column qty in job,note"):
        page("job,note\n1,2\n")


@pytest.mark.parametrize(
    "body",
    [
        "MessageCode,MessageType,Message,Line,Position\n401,error,No such property,3,15\n",
        '[{"messageCode":"401","message":"No such property","line":"3","position":"15"}]',
        '{"messageCode":"401","message":"No such property","line":3,"position":15}',
    ],
)
def test_messages_instead_of_rows_are_never_taken_for_data(body: str) -> None:
    with pytest.raises(QueryFailed, match=r"No such property \(code 401\) at line 3, position 15"):
        page(body)


@given(st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))] * 2)))
def test_texts_come_back_as_they_were_but_for_blanks_around_them(cells: list[tuple[str, str]]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    body = "job,note,qty\n" + "".join(f"{quoted(job)},{quoted(note)},1\n" for job, note in cells)
    got = page(body).table
    assert got.num_rows == len(cells)
    expected = [(job.strip() or None, note.strip() or None) for job, note in cells]
    # Arrow and Python differ about a few control characters
    actual = list(zip(got.column("job").to_pylist(), got.column("note").to_pylist(), strict=True))
    assert [tuple((text or "").strip() or None for text in row) for row in actual] == expected


# Numbers and flags


@given(st.lists(st.decimals(-(10**17), 10**17, places=15), max_size=20))
@example([Decimal("0.000000005"), Decimal("-0.000000005"), Decimal("0.000000004999999")])
def test_the_fifteen_places_of_the_lake_are_rounded_half_up_to_eight(numbers: list[Decimal]) -> None:
    rounded = [number.quantize(Decimal("1E-8"), ROUND_HALF_UP) for number in numbers]
    assert values(PropertyType.DECIMAL, *(f"{number:f}" for number in numbers)) == rounded
    assert values(PropertyType.DECIMAL, "x", *(f"{number:f}" for number in numbers)) == [None, *rounded]


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(["", ".0", ".000000000000000"]))
def test_an_integer_may_have_places_that_are_nought(number: int, places: str) -> None:
    assert values(PropertyType.INTEGER, f"{number}{places}") == [number]
    assert values(PropertyType.INTEGER, "x", None, f"{number}{places}") == [None, None, number]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (PropertyType.DECIMAL, "1.2345678950000009", Decimal("1.23456790")),
        (PropertyType.DECIMAL, "1e3", Decimal(1_000)),
        (PropertyType.DECIMAL, ".5", Decimal("0.5")),
        (PropertyType.DECIMAL, "+007", Decimal(7)),
        (PropertyType.DECIMAL, "99999999999999999999.99999999", Decimal("99999999999999999999.99999999")),
        (PropertyType.INTEGER, "1e3", 1_000),
    ],
)
def test_an_odd_way_to_write_a_number_is_read_beside_plain_ones(
    kind: PropertyType, text: str, value: object
) -> None:
    assert values(kind, "1", text, None, "2.0") == [1, value, None, 2]
    assert bad(kind, "1", text, None) == 0


@pytest.mark.parametrize("text", ["x", "1,5", "NaN", "0x10", "--1", "1" * 30, "99999999999999999999.999999999"])
@pytest.mark.parametrize("kind", [PropertyType.DECIMAL, PropertyType.INTEGER])
def test_what_is_no_number_or_too_large_a_one_is_null_and_counted(kind: PropertyType, text: str) -> None:
    assert values(kind, "1", text, None, "2") == [1, None, None, 2]
    assert bad(kind, "1", text, None, "2") == 1


def test_an_integer_is_never_rounded() -> None:
    assert values(PropertyType.INTEGER, "5.5", "-0.5", "6") == [None, None, 6]


@pytest.mark.parametrize(
    ("text", "flag"),
    [("1", True), ("0", False), ("1.0", True), ("0.000000000000000", False), ("true", True), ("False", False)],
)
def test_a_flag_is_written_in_many_ways(text: str, *, flag: bool) -> None:
    assert values(PropertyType.FLAG, text, None) == [flag, None]
    assert bad(PropertyType.FLAG, text, None) == 0


@pytest.mark.parametrize("text", ["2", "2.0", "1.5", "yes", "1.", "10.0"])
def test_what_is_no_flag_is_null_and_counted(text: str) -> None:
    assert values(PropertyType.FLAG, text, "1") == [None, True]
    assert bad(PropertyType.FLAG, text, "1", None) == 1


# Dates


def test_a_time_in_utc_is_told_as_the_clock_of_the_erp_showed_it() -> None:
    winter, summer = "2019-01-01T09:30:00.000Z", "2019-09-01T09:30:00.123Z"
    expected = [wall("2019-01-01T03:30:00"), wall("2019-09-01T04:30:00.123"), None]
    assert values(PropertyType.DATETIME, winter, summer, None) == expected


def test_where_the_lake_copies_the_wall_clock_its_z_means_nothing() -> None:
    time = LakeTime(CHICAGO, "wall_clock")
    texts = ["2019-09-01T09:30:00.000Z", "2019-09-01T09:30:00+02:00", "2019-09-01"]
    expected = [wall("2019-09-01T09:30:00"), wall("2019-09-01T09:30:00"), wall("2019-09-01")]
    assert values(PropertyType.DATETIME, *texts, time=time) == expected


@pytest.mark.parametrize("convention", ["utc", "wall_clock"])
def test_a_date_without_a_time_is_that_date_in_the_erp(convention: Convention) -> None:
    time = LakeTime(TOKYO, convention)
    assert values(PropertyType.DATETIME, "2019-09-01", time=time) == [wall("2019-09-01")]


@given(
    st.lists(st.datetimes(datetime(1753, 1, 1), datetime(2048, 12, 30)), min_size=1, max_size=20),  # noqa: DTZ001
    st.sampled_from([CHICAGO, TOKYO, ZoneInfo("Europe/London"), ZoneInfo("Australia/Lord_Howe")]),
    st.booleans(),
)
@example([wall("2019-03-10T07:59:59"), wall("2019-03-10T08:00"), wall("2019-11-03T06:30")], CHICAGO, False)  # noqa: FBT003
def test_every_instant_becomes_the_wall_clock_time_that_the_zone_says(
    moments: list[datetime], zone: ZoneInfo, odd: bool
) -> None:
    texts = [f"{moment.isoformat(timespec='milliseconds')}Z" for moment in moments]
    expected = [datetime.fromisoformat(text).astimezone(zone).replace(tzinfo=None) for text in texts]
    extra = ["nothing"] * odd
    got = values(PropertyType.DATETIME, *extra, *texts, time=LakeTime(zone))
    assert got == [None] * odd + expected


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2019-09-01T09:30:00", "2019-09-01T04:30"),
        ("2019-09-01 09:30:00.1234567Z", "2019-09-01T04:30:00.123456"),
        ("2019-09-01T09:30:00+02:00", "2019-09-01T02:30"),
        ("20190901", "2019-09-01"),
        ("0001-01-01T00:00:00.000Z", "0001-01-01"),
        ("1753-01-01T12:00:00.000Z", "1753-01-01T06:09:24"),
    ],
)
def test_other_ways_to_write_a_moment_are_understood(text: str, moment: str) -> None:
    assert values(PropertyType.DATETIME, text) == [wall(moment)]
    assert bad(PropertyType.DATETIME, text) == 0


@pytest.mark.parametrize("text", ["x", "2019-02-30", "0000-01-01", "2019-13-01T00:00:00.000Z", "9:30"])
def test_what_is_no_moment_is_null_and_counted(text: str) -> None:
    assert values(PropertyType.DATETIME, text, "2019-09-01", None) == [None, wall("2019-09-01"), None]
    assert bad(PropertyType.DATETIME, text, "2019-09-01", None) == 1


@pytest.mark.parametrize(
    ("zone", "text", "moment"),
    [
        (CHICAGO, "2049-01-01T05:59:59.000Z", "2048-12-31T23:59:59"),
        (CHICAGO, "2049-01-01T06:00:00.000Z", None),
        (TOKYO, "2048-12-31T14:59:59.000Z", "2048-12-31T23:59:59"),
        (TOKYO, "2048-12-31T15:00:00.000Z", None),
        (CHICAGO, "2049-01-01", None),
        (CHICAGO, "9999-12-31T23:59:59.999Z", None),
    ],
)
def test_a_date_from_2049_on_the_clock_of_the_erp_is_none_and_not_a_bad_one(
    zone: ZoneInfo, text: str, moment: str | None
) -> None:
    expected = wall(moment) if moment else None
    assert values(PropertyType.DATETIME, text, time=LakeTime(zone)) == [expected]
    assert bad(PropertyType.DATETIME, text) == 0
