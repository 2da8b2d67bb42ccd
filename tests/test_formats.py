import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kai_erp import formats

PATIENT = settings(deadline=None)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Monrovia"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
AWKWARD = st.sampled_from(
    ["", "=1+1", '"', "\\", "a\nb", "a,b", "'", "\x00", "\x1f\x7f", "-5", "\t", "\r", "é€😀"]
)
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 28), timezones=st.just(UTC))  # noqa: DTZ001 naive by API
LINE = pa.struct([("item", pa.string()), ("qty", pa.decimal128(20, 8)), ("due", pa.date32())])
PARENT = pa.schema([("order", pa.string()), ("lines", pa.list_(LINE)), ("open", pa.bool_())])


def column(values: Sequence[object], kind: pa.DataType) -> pa.Table:
    return pa.table({"v": pa.array(values, kind)})


def shown(values: Sequence[object], kind: pa.DataType, zone: str = "Europe/Berlin") -> list[object]:
    """Return the values as an exact JSON reader sees them."""
    text = formats.json_array(column(values, kind), ZoneInfo(zone))
    return [record["v"] for record in json.loads(text, parse_float=Decimal)]


def cells(table: pa.Table) -> list[list[str]]:
    text = b"".join(formats.csv(table, BERLIN)).decode()
    return list(csv.reader(io.StringIO(text, newline="")))


def orders(*lines: list[dict[str, object] | None] | None) -> pa.Table:
    records = [{"order": f"C{i}", "lines": own, "open": i % 2 == 0} for i, own in enumerate(lines)]
    return pa.Table.from_pylist(records, PARENT)


@PATIENT
@given(st.lists(st.none() | TEXT | AWKWARD))
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int16(), pa.string())], ids=str)
def test_any_text_survives_json(kind: pa.DataType, values: list[str | None]) -> None:
    assert shown(values, kind) == values


@PATIENT
@given(st.lists(st.none() | TEXT | AWKWARD))
def test_any_text_survives_csv_but_for_the_mark_before_formulas(values: list[str | None]) -> None:
    table = pa.table({"key": pa.array(range(len(values))), "v": pa.array(values, pa.string())})
    expected = ["'" + v if v and v[0] in "=+-@\t\r" else v or "" for v in values]
    assert [row[1] for row in cells(table)] == ["v", *expected]


@PATIENT
@given(st.integers(0, 20), st.lists(st.none() | st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-99, 99)))
def test_decimals_are_exact_and_in_plain_notation(scale: int, unscaled: list[int | None]) -> None:
    values = [None if n is None else Decimal(f"{n}E-{scale}") for n in unscaled]
    table = pa.table({"key": pa.nulls(len(values)), "v": pa.array(values, pa.decimal128(38, scale))})
    texts = [row[1] for row in cells(table)[1:]]
    assert shown(values, pa.decimal128(38, scale)) == values
    assert [Decimal(text) if text else None for text in texts] == values
    assert not any("E" in text or ("." in text and text[-1] in ".0") for text in texts)


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        ("25.00000000", 8, "25"),
        ("0.50", 2, "0.5"),
        ("-0E-8", 8, "0"),
        ("0", 0, "0"),
        ("0E-20", 20, "0"),
        ("100", 0, "100"),
        ("-100.10", 2, "-100.1"),
        ("0.00000010", 8, "0.0000001"),
        ("123456789012345678901234567890.12345678", 8, "123456789012345678901234567890.12345678"),
        ("1200", -2, "1200"),
        ("0", -2, "0"),
    ],
)
def test_a_decimal_loses_its_trailing_zeros_and_nothing_else(value: str, scale: int, text: str) -> None:
    table = column([Decimal(value)], pa.decimal128(38, scale))
    assert formats.json_array(table, BERLIN) == f'[{{"v":{text}}}]'.encode()


@PATIENT
@given(st.lists(st.none() | MOMENTS), st.sampled_from(ZONES))
@pytest.mark.parametrize("unit", ["us", "ms"])
def test_a_timestamp_is_the_same_moment_in_the_zone_asked_for(
    unit: str, values: list[datetime | None], zone: str
) -> None:
    floored = [v and v.replace(microsecond=v.microsecond // 1000 * 1000) for v in values]
    table = column(values if unit == "us" else floored, pa.timestamp(unit, "UTC"))
    texts = [record["v"] for record in formats.rows(table, ZoneInfo(zone))]
    assert [t and datetime.fromisoformat(str(t)) for t in texts] == floored
    for text, value in zip(texts, floored, strict=True):
        if value and value.astimezone(ZoneInfo(zone)).strftime("%z")[5:] == "":
            assert text == value.astimezone(ZoneInfo(zone)).isoformat(
                timespec="milliseconds" if value.microsecond else "seconds"
            )


@pytest.mark.parametrize(
    ("moment", "zone", "text"),
    [
        (datetime(2026, 11, 20, 15, 30, tzinfo=UTC), "Europe/Berlin", "2026-11-20T16:30:00+01:00"),
        (datetime(2026, 7, 1, 12, 0, 0, 45_999, UTC), "America/New_York", "2026-07-01T08:00:00.045-04:00"),
        (datetime(2026, 7, 1, 12, 0, 0, 999, UTC), "UTC", "2026-07-01T12:00:00+00:00"),
        (datetime(2026, 7, 1, tzinfo=UTC), "Asia/Kolkata", "2026-07-01T05:30:00+05:30"),
        (datetime(2026, 7, 1, tzinfo=UTC), "America/St_Johns", "2026-06-30T21:30:00-02:30"),
        (datetime(753, 1, 1, tzinfo=UTC), "UTC", "0753-01-01T00:00:00+00:00"),
        (datetime(1753, 1, 1, tzinfo=UTC), "Europe/Berlin", "1753-01-01T00:53:00+00:53"),
        (datetime(1, 1, 1, tzinfo=UTC), "America/New_York", "0000-12-31T19:04:00-04:56"),
        (datetime(9999, 12, 31, 23, 30, tzinfo=UTC), "Europe/Berlin", "10000-01-01T00:30:00+01:00"),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), "UTC", "1969-12-31T23:59:59.999+00:00"),
    ],
)
def test_a_timestamp_reads_as_iso_8601_with_an_offset_in_minutes(moment: datetime, zone: str, text: str) -> None:
    assert shown([moment], pa.timestamp("us", "UTC"), zone) == [text]


@pytest.mark.parametrize("zone", ZONES)
def test_offsets_change_at_the_very_second_of_the_transition(zone: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(minutes=15 * n, seconds=s) for n in range(35_040) for s in (0, 899)]
    table = column(moments, pa.timestamp("ms", "Asia/Tokyo"))
    expected = [moment.astimezone(ZoneInfo(zone)).isoformat() for moment in moments]
    assert [record["v"] for record in formats.rows(table, ZoneInfo(zone))] == expected


def test_a_zone_on_a_stored_timestamp_does_not_matter_but_its_absence_is_refused() -> None:
    moment = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert shown([moment], pa.timestamp("us", "No/Such_Zone")) == ["2026-03-29T03:00:00+02:00"]
    with pytest.raises(TypeError, match="no moment"):
        formats.json_array(column([moment.replace(tzinfo=None)], pa.timestamp("us")), BERLIN)


@PATIENT
@given(st.lists(st.none() | st.floats()))
def test_floats_are_numbers_when_finite_and_null_otherwise(values: list[float | None]) -> None:
    table = pa.table({"key": pa.nulls(len(values)), "v": pa.array(values, pa.float64())})
    expected = [value if value is not None and math.isfinite(value) else None for value in values]
    assert [record["v"] for record in json.loads(formats.json_array(table, BERLIN))] == expected
    assert [float(row[1]) if row[1] else None for row in cells(table)[1:]] == expected


@PATIENT
@given(st.data())
@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_integers_are_exact(bits: int, data: st.DataObject) -> None:
    limit = 2 ** (bits - 1)
    values = data.draw(st.lists(st.none() | st.integers(-limit, limit - 1)))
    table = column(values, getattr(pa, f"int{bits}")())
    assert formats.rows(table, BERLIN) == table.to_pylist()


@pytest.mark.parametrize("kind", [pa.binary(), pa.month_day_nano_interval()], ids=str)
def test_a_type_without_a_text_form_is_refused(kind: pa.DataType) -> None:
    with pytest.raises(TypeError, match="no text form"):
        formats.json_array(pa.table({"v": pa.nulls(1, kind)}), BERLIN)


@PATIENT
@given(st.lists(st.none() | st.dates()))
def test_dates_are_iso_8601(values: list[date | None]) -> None:
    assert shown(values, pa.date32()) == [value and value.isoformat() for value in values]


def test_booleans_and_nulls_have_their_own_words() -> None:
    table = pa.table({"yes": [True, False, None], "none": pa.nulls(3)})
    assert formats.rows(table, BERLIN) == table.to_pylist()
    assert b"".join(formats.csv(table, BERLIN)) == b"yes,none\ntrue,\nfalse,\n,\n"


def test_rows_are_plain_values_that_any_json_writer_takes() -> None:
    table = pa.table({"n": pa.array([Decimal("5.00"), Decimal("0.50"), Decimal(10**25)], pa.decimal128(38, 2))})
    values = [record["n"] for record in formats.rows(table, BERLIN)]
    assert values == [5, 0.5, 1e25]
    assert [type(value) for value in values] == [int, float, float]


LISTS = st.lists(
    st.none() | st.lists(st.none() | st.builds(lambda t: {"t": t, "n": [{"x": t}]}, TEXT), max_size=3)
)


@PATIENT
@given(LISTS, st.integers(0, 3))
@pytest.mark.parametrize("kind", [pa.list_, pa.large_list], ids=["list", "large_list"])
def test_nested_records_survive_json_at_any_depth(
    kind: Callable[[pa.DataType], pa.DataType], values: list[object], start: int
) -> None:
    inner = pa.struct([("t", pa.string()), ("n", pa.list_(pa.struct([("x", pa.string())])))])
    table = pa.table(
        {
            "a": pa.array(values, kind(inner)),
            "b": pa.array([{"l": v} for v in values], pa.struct([("l", kind(inner))])),
        }
    )
    table = table.slice(start)
    assert json.loads(formats.json_array(table, BERLIN)) == table.to_pylist()


def test_a_null_struct_is_null() -> None:
    table = column([{"x": 1}, None, {"x": None}], pa.struct([("x", pa.int64())]))
    assert formats.json_array(table, BERLIN) == b'[{"v":{"x":1}},{"v":null},{"v":{"x":null}}]'


def test_keys_keep_the_order_of_the_columns_and_are_escaped() -> None:
    table = pa.table({'b"': [1], "a": ["x"]})
    assert formats.json_rows(table, BERLIN).to_pylist() == [r'{"b\"":1,"a":"x"}']


def test_csv_quotes_the_header_and_marks_no_numbers() -> None:
    table = pa.table({"a,b": [Decimal("-1.50")], "=c": [-2], "d": [-0.5], "e": ["-1.5"]})
    assert b"".join(formats.csv(table, BERLIN)) == b"\"a,b\",'=c,d,e\n-1.5,-2,-0.5,'-1.5\n"


def test_a_null_alone_on_its_csv_line_is_still_a_record() -> None:
    assert cells(column(["a", None], pa.string())) == [["v"], ["a"], [""]]


def test_csv_leaves_nested_columns_out() -> None:
    assert cells(orders([], None)) == [["order", "open"], ["C0", "true"], ["C1", "false"]]


def test_flatten_gives_one_row_per_element_and_one_to_a_parent_without() -> None:
    line = {"item": "A", "qty": Decimal(2), "due": date(2026, 1, 2)}
    table = formats.flatten(orders([line, line | {"item": "B"}], [], None, [line, None]), "lines")
    assert cells(table) == [
        ["order", "lines.item", "lines.qty", "lines.due", "open"],
        ["C0", "A", "2", "2026-01-02", "true"],
        ["C0", "B", "2", "2026-01-02", "true"],
        ["C1", "", "", "", "false"],
        ["C2", "", "", "", "true"],
        ["C3", "A", "2", "2026-01-02", "false"],
        ["C3", "", "", "", "false"],
    ]


def test_flatten_takes_slices_and_chunks() -> None:
    line = {"item": "A", "qty": Decimal(2), "due": None}
    table = pa.concat_tables([orders([line], [line, line]).slice(1), orders(None, [line]), orders()])
    assert formats.flatten(table, "lines")["order"].to_pylist() == ["C1", "C1", "C0", "C1"]


@pytest.mark.parametrize(
    "empty", [orders(), orders([]).slice(1), pa.concat_tables([orders(), orders()]), pa.table({})]
)
def test_an_empty_table_is_an_empty_answer_everywhere(empty: pa.Table) -> None:
    assert formats.json_array(empty, BERLIN) == b"[]"
    assert formats.json_rows(empty, BERLIN).to_pylist() == []
    assert formats.rows(empty, BERLIN) == []
    assert list(formats.jsonl(empty, BERLIN)) == []
    assert len(cells(empty)) == 1
    assert pa.ipc.open_stream(b"".join(formats.arrow_stream(empty))).read_all().schema == empty.schema
    assert pq.read_table(io.BytesIO(formats.parquet(empty))).num_rows == 0


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list], ids=["list", "large_list"])
def test_flatten_of_a_table_of_nothing_but_the_list(kind: Callable[[pa.DataType], pa.DataType]) -> None:
    table = formats.flatten(column([[{"a": 1}], None, []], kind(pa.struct([("a", pa.int8())]))), "v")
    assert table.to_pydict() == {"v.a": [1, None, None]}


def test_flatten_of_an_empty_table_has_the_columns() -> None:
    assert formats.flatten(orders(), "lines").column_names == [
        "order",
        "lines.item",
        "lines.qty",
        "lines.due",
        "open",
    ]


def mixed(count: int) -> pa.Table:
    """Return a table of many chunks with every kind of value and dictionaries that do not fit together."""
    kind = pa.dictionary(pa.int8(), pa.string())
    chunks = [
        pa.table(
            {
                "n": pa.array(range(start, start + 100)),
                "text": pa.array([f"{start}-{n}" if n % 7 else None for n in range(100)])
                .dictionary_encode()
                .cast(kind),
                "amount": pa.array([Decimal(n) / 8 for n in range(100)], pa.decimal128(12, 4)),
                "lines": pa.array([[{"x": n}] * (n % 3) for n in range(100)]),
            }
        )
        for start in range(0, count, 100)
    ]
    return pa.concat_tables(chunks).slice(3)


def test_chunks_slices_and_blocks_make_no_difference() -> None:
    table = mixed(12_000)
    expected = json.loads(json.dumps(table.to_pylist(), default=float))
    assert json.loads(formats.json_array(table, BERLIN)) == expected
    assert [json.loads(text) for text in formats.json_rows(table, BERLIN).to_pylist()] == expected
    assert [row[:2] for row in cells(table)[1:]] == [[str(r["n"]), r["text"] or ""] for r in expected]


def test_json_lines_come_in_parts_of_whole_lines() -> None:
    parts = list(formats.jsonl(mixed(2_500), BERLIN))
    assert [part.count(b"\n") for part in parts] == [1000, 1000, 497]
    assert all(part.endswith(b"\n") for part in parts)
    assert [json.loads(line)["n"] for part in parts for line in part.splitlines()] == list(range(3, 2500))


def test_arrow_and_parquet_give_the_table_back() -> None:
    table = mixed(2_500)
    parts = list(formats.arrow_stream(table))
    assert len(parts) > 2
    assert pa.ipc.open_stream(b"".join(parts)).read_all().to_pylist() == table.to_pylist()
    assert pq.read_table(io.BytesIO(formats.parquet(table))).to_pylist() == table.to_pylist()
