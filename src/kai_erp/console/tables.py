"""Answers as pages need them: some rows of a table, in an order, with nulls where fields are hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

PAGE_ROWS, MOST_ROWS = 100, 1_000
_LONGEST_NUMBER = 9
Order = Sequence[tuple[str, str]]


class Row(dict[str, Any]):
    """A record; a field that HIDDEN_FIELDS names reads as null."""

    def __missing__(self, name: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a list: rows `start` to `stop` of `total`."""

    rows: list[Row]
    start: int
    stop: int
    total: int

    @property
    def more(self) -> int:
        """How many the next part has."""
        return min(PAGE_ROWS, self.total - self.stop)


def part_of(table: pa.Table, start: int, count: int) -> Part:
    """Return the rows of a table from `start` on, `count` at most."""
    rows = rows_of(table.slice(start, count))
    return Part(rows, start, start + len(rows), table.num_rows)


def rows_of(table: pa.Table) -> list[Row]:
    """Return the rows of a table, and the rows within them."""
    return [row(record) for record in table.to_pylist()]


def row(record: Mapping[str, object]) -> Row:
    """Return a record, and the records within it, as rows."""
    return Row({name: _inner(value) for name, value in record.items()})


def column(table: pa.Table, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    """Return a column; nulls of a kind where it is hidden."""
    if name in table.column_names:
        return table.column(name)
    return pa.chunked_array([pa.nulls(table.num_rows, kind)])


def ordered(table: pa.Table, order: Order) -> pa.Table:
    """Return a table in an order: columns and `ascending` or `descending`; nulls last."""
    known = [(name, direction) for name, direction in order if name in table.column_names]
    if not known:
        return table
    return table.take(pc.sort_indices(table, sort_keys=known))


def number_of(text: str | None, default: int, most: int) -> int:
    """Return a number that an address names, if it is one that makes sense there."""
    known = text is not None and text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    return min(int(text), most) if text and known else default


def _inner(value: object) -> object:
    if isinstance(value, list):
        return [row(entry) if isinstance(entry, dict) else entry for entry in value]
    return value
