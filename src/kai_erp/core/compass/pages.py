"""Reading a page of a result, asked for as CSV.

Every page begins with a header line, in the catalogue's case, and every line ends, the last one too; past the end
there is the header alone. An empty cell is null.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as pa_csv

from kai_erp.core.compass.messages import decode_messages, is_message_header, told
from kai_erp.core.compass.values import LakeTime, lake_typed
from kai_erp.core.ido.responses import excerpt
from kai_erp.core.ido.texts import shown
from kai_erp.core.types import Property
from kai_erp.errors import Nonsense, QueryFailed

_SOURCE = "A page of the data lake"
_BOM = b"\xef\xbb\xbf"
_LONGEST_HEADER = 1 << 16


@dataclass(frozen=True, slots=True)
class LakePage:
    """Typed rows, and how many cells of a column could not be read, where there are such."""

    table: pa.Table
    bad: Mapping[str, int]

    @property
    def rows(self) -> int:
        """Return how many rows the page has."""
        return int(self.table.num_rows)


def decode_page(body: bytes, columns: Sequence[Property], time: LakeTime) -> LakePage:
    """Return the declared columns of a page; others that came along are left out.

    Raises QueryFailed when messages came instead of rows, Nonsense when the body is cut or no such page.
    """
    header = _header(body)
    places = {name.strip().casefold(): place for place, name in reversed(list(enumerate(header)))}
    missing = [prop.name for prop in columns if prop.name.casefold() not in places]
    if missing:
        raise _no_page(body, header, missing)
    if not body.endswith(b"\n") or body.count(b'"') % 2:
        raise Nonsense(_SOURCE, "a body that is cut off")
    texts = _texts(body, len(header), [places[prop.name.casefold()] for prop in columns])
    cells = {prop.name: lake_typed(column, prop.type, time) for prop, column in zip(columns, texts, strict=True)}
    table = pa.table({name: column.column for name, column in cells.items()})
    return LakePage(table, {name: column.bad for name, column in cells.items() if column.bad})


def empty_table(columns: Sequence[Property], time: LakeTime) -> pa.Table:
    """Return the table of a result without rows."""
    none = pa.array([], pa.string())
    return pa.table({prop.name: lake_typed(none, prop.type, time).column for prop in columns})


def _header(body: bytes) -> list[str]:
    line = body[:_LONGEST_HEADER].removeprefix(_BOM).partition(b"\n")[0].decode("utf-8", "replace")
    try:
        return next(csv.reader([line.rstrip("\r")]), [])
    except csv.Error:
        return []


def _no_page(body: bytes, header: Sequence[str], missing: Sequence[str]) -> Exception:
    """Return what a body is that has not got our columns: messages, or something without a meaning."""
    if is_message_header(header) or body.lstrip()[:1] in {b"[", b"{"}:
        messages = decode_messages(body)
        if messages:
            return QueryFailed(shown(told(messages)))
    return Nonsense(_SOURCE, f"no column {', '.join(missing)} in {excerpt(body)}")


def _texts(body: bytes, width: int, places: Sequence[int]) -> list[pa.Array]:
    """Return the cells of the columns at `places` as texts, null where empty."""
    try:
        table = _parsed(body, width, places)
    except pa.ArrowInvalid:
        readable = body.decode(
            "utf-8", "replace"
        ).encode()  # a byte that is no text costs one character, not the page
        try:
            table = _parsed(readable, width, places)
        except pa.ArrowInvalid as failure:
            raise Nonsense(_SOURCE, shown(str(failure))) from None
    return [table.column(f"f{place}").combine_chunks() for place in places]


def _parsed(body: bytes, width: int, places: Sequence[int]) -> pa.Table:
    """Return the wanted columns of a CSV, named by place; it is one block, so that no row is too long for it."""
    wanted = [f"f{place}" for place in places]
    return pa_csv.read_csv(
        pa.BufferReader(body),
        pa_csv.ReadOptions(
            use_threads=False,
            block_size=len(body) + 1,
            skip_rows=1,
            column_names=[f"f{place}" for place in range(width)],
        ),
        pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=width > 1),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()),
            include_columns=wanted,
            strings_can_be_null=True,
            null_values=[""],
        ),
    )
