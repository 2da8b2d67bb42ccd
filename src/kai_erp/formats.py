"""Records as JSON, JSON Lines, CSV, Arrow and Parquet, encoded column by column.

Each distinct value of a column becomes text once and Arrow joins the texts to rows: no row is a Python object.
Decimals are exact. Offsets of timestamps are `zoneinfo`'s: Arrow's functions need the system's zone database.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from io import BytesIO
from typing import Any, TypeAlias, cast

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = [
    "arrow_stream",
    "csv",
    "flat",
    "flatten",
    "json_array",
    "json_parts",
    "json_rows",
    "jsonl",
    "parquet",
    "rows",
]

Array: TypeAlias = pa.Array
TEXT = (pa.string(), pa.large_string())
BLOCK, LONG_BLOCK = 10_000, 5_000  # rows encoded at once: all of them, or of many so many
CHUNK = 1_000  # rows in one part of a stream
END = 2**31 - 1
DAY, MINUTE = 86_400_000, 60_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, LAST = -62_135_510_400_000, 253_402_214_400_000  # a day inside the years that Python knows
ESCAPED = bytes(range(0x20)) + b'"\\'
ESCAPED_IN = pc.MatchSubstringOptions(r'["\\\x00-\x1f]')
QUOTED_IN = pc.MatchSubstringOptions(r'[",\r\n]')
FORMULA = pc.MatchSubstringOptions(r"^[=+\-@\t\r]")


def json_rows(table: pa.Table, zone: tzinfo) -> "pa.ChunkedArray[pa.StringScalar]":
    """Return one JSON object per row, its keys in column order."""
    return pa.chunked_array([_objects(block, zone) for block in _blocks(table)], type=pa.string())


def json_array(table: pa.Table, zone: tzinfo) -> bytes:
    """Return the records as one JSON array."""
    return b"".join(json_parts(table, zone))


def json_parts(table: pa.Table, zone: tzinfo) -> Iterator[bytes]:
    """Yield the records as one JSON array, in parts of some thousand records."""
    blocks = _blocks(table)
    for index, block in enumerate(blocks):
        last = index == len(blocks) - 1
        content = _content(_objects(block, zone, "},"))
        yield b"".join([b"" if index else b"[", content[:-1] if last else content, b"]" if last else b""])
    if not blocks:
        yield b"[]"


def rows(table: pa.Table, zone: tzinfo) -> list[dict[str, object]]:
    """Return the records of a small page as a JSON reader sees them, whole numbers beyond 64 bits as floats."""
    return cast("list[dict[str, object]]", orjson.loads(json_array(table, zone)))


def jsonl(table: pa.Table, zone: tzinfo) -> Iterator[bytes]:
    """Yield the records as JSON Lines, a thousand at a time."""
    for block in _blocks(table):
        yield from _chunks(_objects(block, zone, "}\n"))


def csv(table: pa.Table, zone: tzinfo) -> Iterator[bytes]:
    r"""Yield the header, then the records as CSV (RFC 4180, but with `\n`), a thousand at a time.

    Nested columns are left out: `flatten` the one to keep first. Null is an empty cell, and text that a
    spreadsheet would take for a formula gets a leading `'`.
    """
    flat = table.select([field.name for field in table.schema if not pa.types.is_nested(field.type)])
    header = _cells(pa.array(flat.column_names, pa.string())).to_pylist()
    yield ",".join(header).encode() + b"\n"
    for block in _blocks(flat):
        yield from _chunks(_lines(block, zone))


def arrow_stream(table: pa.Table) -> Iterator[bytes]:
    """Yield the records in Arrow's streaming format, a thousand at a time."""
    sink = BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=CHUNK):
            writer.write_batch(batch)
            yield sink.getvalue()
            sink.truncate(sink.seek(0))
    yield sink.getvalue()


def parquet(table: pa.Table) -> bytes:
    """Return the records as a Parquet file."""
    sink = BytesIO()
    pq.write_table(_decoded(table), sink)
    return sink.getvalue()


def flatten(table: pa.Table, path: str) -> pa.Table:
    """Return one row per element of the list `path`, its fields as columns `path.field`.

    The parent's fields are repeated; a parent without elements appears once, with nulls.
    """
    lists = cast("Array", table[path].combine_chunks())
    lonely = _call("equal", _call("list_value_length", lists).fill_null(0), 0)
    lists = _call("if_else", lonely, pa.scalar([None], lists.type), lists)
    parents, fields = _call("list_parent_indices", lists), _call("list_flatten", lists).flatten()
    names = [f"{path}.{field.name}" for field in lists.type.value_type]
    columns: dict[str, Array | pa.ChunkedArray] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        columns |= zip(names, fields, strict=True) if name == path else {name: column.take(parents)}
    return pa.table(columns)


def flat(table: pa.Table, path: str | None) -> pa.Table:
    """Return the records in rows of their list `path`, or as they are when they have none."""
    return flatten(table, path) if path else table


def _call(function: str, *arguments: object, options: pc.FunctionOptions | None = None) -> Array:
    """Return what an Arrow function computes."""
    return cast("Array", pc.call_function(function, list(arguments), options))


def _blocks(table: pa.Table) -> list[pa.RecordBatch]:
    """Return the table in large batches."""
    rows = BLOCK if table.num_rows <= BLOCK else LONG_BLOCK
    return cast("list[pa.RecordBatch]", _decoded(table).combine_chunks().to_batches(max_chunksize=rows))


def _decoded(table: pa.Table) -> pa.Table:
    """Return the table without dictionaries: those of several chunks may not fit into one."""
    for index, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(index, table.column_names[index], column.cast(column.type.value_type))
    return table


def _chunks(texts: Array) -> Iterator[bytes]:
    """Yield the texts, a thousand rows in one part."""
    for start in range(0, len(texts), CHUNK):
        yield bytes(_content(texts.slice(start, CHUNK)))


def _content(texts: Array) -> memoryview:
    """Return the texts one after the other: as their array holds them in memory."""
    _, positions, data = texts.buffers()
    if not len(texts) or not positions or not data:
        return memoryview(b"")
    ends = memoryview(positions).cast("i")
    return memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]]


def _objects(batch: "pa.RecordBatch | pa.StructArray", zone: tzinfo, end: str = "}") -> Array:
    """Return each row as a JSON object closed by `end`."""
    fields = batch.schema if isinstance(batch, pa.RecordBatch) else batch.type
    columns = batch.columns if isinstance(batch, pa.RecordBatch) else batch.flatten()
    labels = [f"{',' if index else '{'}{orjson.dumps(field.name).decode()}:" for index, field in enumerate(fields)]
    return _joined(*[_values(column, zone, label) for column, label in zip(columns, labels, strict=True)], end)


def _values(values: Array, zone: tzinfo, label: str = "") -> Array:
    """Return each value as JSON, preceded by the label."""
    if isinstance(values, pa.DictionaryArray):
        return _values(values.dictionary_decode(), zone, label)
    if pa.types.is_nested(values.type):
        texts = _objects(values, zone) if isinstance(values, pa.StructArray) else _arrays(values, zone)
        return _joined(label, _call("if_else", values.is_valid(), texts, "null"))
    if values.type in TEXT:
        return _spread(values, _strings, label, "null")
    if pa.types.is_temporal(values.type):
        return _spread(values, lambda distinct: _marked(_scalars(distinct, zone)), label, "null")
    return _spread(values, lambda distinct: _scalars(distinct, zone), label, "null")


def _arrays(lists: Array, zone: tzinfo) -> Array:
    """Return each list as a JSON array, `[]` for null."""
    elements = _values(_call("list_flatten", lists), zone)
    ends = _call("cumulative_sum", _call("list_value_length", lists).fill_null(0))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends.cast(pa.int32())])
    inner = pa.ListArray.from_arrays(cast("pa.Int32Array", offsets), elements)
    return _joined("[", _call("binary_join", inner, ","), "]")


def _lines(batch: pa.RecordBatch, zone: tzinfo) -> Array:
    """Return each row as a line of CSV."""
    # A blank line would be no record: csv readers skip it.
    null = "" if batch.num_columns > 1 else '""'
    cells = []
    for index, column in enumerate(batch.columns):
        encode = _cells if column.type in TEXT else lambda distinct: _scalars(distinct, zone)
        cells.append(_spread(column, encode, "," if index else "", null))
    return _joined(*cells, "\n")


def _spread(values: Array, encode: Callable[[Array], Array], label: str, null: str) -> Array:
    """Return the labelled text of each value, encoding each distinct value once."""
    encoded = values.dictionary_encode("encode")
    texts = _sliced(_call("coalesce", encode(encoded.dictionary), null), 0, 0, label)
    return texts.take(encoded.indices)


def _joined(*parts: "Array | str") -> Array:
    """Return the parts joined row by row."""
    return _call("binary_join_element_wise", *parts, "")


def _sliced(texts: Array, start: int, stop: int, replacement: str) -> Array:
    """Return the texts with the bytes from start to stop replaced."""
    return _call("binary_replace_slice", texts, options=pc.ReplaceSliceOptions(start, stop, replacement))


def _marked(texts: Array) -> Array:
    """Return the texts between quotation marks."""
    return _sliced(_sliced(texts, 0, 0, '"'), END, END, '"')


def _strings(texts: Array) -> Array:
    """Return texts as JSON strings."""
    texts = texts.cast(pa.string())
    content = bytes(_content(texts))
    if len(content.translate(None, ESCAPED)) == len(content):
        return _marked(texts)
    escaped = _call("match_substring_regex", texts, options=ESCAPED_IN)
    return _replaced(_marked(texts), texts, escaped, lambda text: orjson.dumps(text).decode())


def _cells(texts: Array) -> Array:
    """Return texts as CSV cells that no spreadsheet takes for a formula."""
    texts = texts.cast(pa.string())
    formula = _call("match_substring_regex", texts, options=FORMULA)
    safe = _call("if_else", formula, _sliced(texts, 0, 0, "'"), texts)
    doubled = _call("replace_substring", safe, options=pc.ReplaceSubstringOptions('"', '""'))
    quoted = _call("match_substring_regex", safe, options=QUOTED_IN)
    return _call("if_else", quoted, _marked(doubled), safe)


def _replaced(texts: Array, values: Array, mask: Array, encode: Callable[[Any], str]) -> Array:
    """Return the texts, the few under the mask replaced by the encoded values."""
    few = values.filter(mask).to_pylist()
    if not few:
        return texts
    mask = mask.fill_null(fill_value=False)
    return _call("replace_with_mask", texts, mask, pa.array([encode(value) for value in few], pa.string()))


def _scalars(values: Array, zone: tzinfo) -> Array:
    """Return numbers, booleans, dates and timestamps as JSON and CSV both show them, without quotes."""
    kind = values.type
    if pa.types.is_decimal(kind):
        return _decimals(values)
    if pa.types.is_timestamp(kind):
        return _timestamps(values, zone)
    if pa.types.is_floating(kind):
        return _call("if_else", _call("is_finite", values), values.cast(pa.string()), None)
    if not any(
        fits(kind) for fits in (pa.types.is_integer, pa.types.is_boolean, pa.types.is_date, pa.types.is_null)
    ):
        raise TypeError(f"no text form for {kind}")
    return values.cast(pa.string())


def _decimals(values: Array) -> Array:
    """Return decimals in plain notation without trailing zeros."""
    texts = values.cast(pa.string())
    exponents = _call("match_substring", texts, options=pc.MatchSubstringOptions("E"))
    texts = _replaced(texts, values, exponents, "{:f}".format)
    for end in "0." if values.type.scale > 0 else "":
        texts = _call("ascii_rtrim", texts, options=pc.TrimOptions(end))
    return texts


def _timestamps(values: Array, zone: tzinfo) -> Array:
    """Return timestamps in ISO 8601 with the zone's offset, in milliseconds when not on a second."""
    # An offset with seconds (before about 1900) goes to the whole minute, as in RFC 3339, section 5.8.
    if values.type.tz is None:
        raise TypeError("a timestamp without a time zone is no moment")
    naive = values.cast(pa.int64()).cast(pa.timestamp(values.type.unit))
    utc = _call("floor_temporal", naive, options=pc.RoundTemporalOptions(unit="millisecond")).cast(
        pa.timestamp("ms")
    )
    offsets = _offsets(utc, zone)
    local = _call("add", utc.cast(pa.int64()), _call("multiply", offsets, MINUTE)).cast(pa.timestamp("ms"))
    texts = _sliced(local.cast(pa.string()), -13, -12, "T")
    whole = _call("ends_with", texts, options=pc.MatchSubstringOptions(".000"))
    texts = _call("if_else", whole, _sliced(texts, -4, END, ""), texts)
    return _joined(texts, _spread(offsets.fill_null(0), _signed, "", ""))


def _offsets(utc: Array, zone: tzinfo) -> Array:
    """Return the zone's offset at each moment, in minutes."""
    days = _call("floor_temporal", utc, options=pc.RoundTemporalOptions(unit="day")).dictionary_encode()
    known = [_day_offset(day, zone) for day in days.dictionary.cast(pa.int64()).to_pylist()]
    offsets = pa.array(known, pa.int64()).take(days.indices)
    moments = utc.cast(pa.int64()).filter(offsets.is_null()).to_pylist()
    exact = [None if moment is None else _offset(moment, zone) for moment in moments]
    return _call("replace_with_mask", offsets, offsets.is_null(), pa.array(exact, pa.int64()))


@lru_cache(maxsize=8192)
def _day_offset(day: int, zone: tzinfo) -> int | None:
    """Return the offset that holds for a whole UTC day, None when it changes (no zone changed twice in one)."""
    first, last = _offset(day, zone), _offset(day + DAY, zone)
    return first if first == last else None


def _offset(moment: int, zone: tzinfo) -> int:
    """Return the zone's offset in minutes at so many milliseconds after 1970."""
    utc = EPOCH + timedelta(milliseconds=min(max(moment, FIRST), LAST))
    return round((utc.astimezone(zone).replace(tzinfo=UTC) - utc) / timedelta(minutes=1))


def _signed(offsets: Array) -> Array:
    """Return offsets in minutes as `+01:00`."""
    parts = [("-" if minutes < 0 else "+", *divmod(abs(minutes), 60)) for minutes in offsets.to_pylist()]
    return pa.array([f"{sign}{hours:02}:{minutes:02}" for sign, hours, minutes in parts], pa.string())
