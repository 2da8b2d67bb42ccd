"""Any record as a row of a page: each value with how it is written, and records within it as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

_KINDS: Sequence[tuple[type | tuple[type, ...], str]] = (
    (type(None), "none"),
    (bool, "flag"),
    (int, "whole"),
    ((float, Decimal), "number"),
    (datetime, "moment"),
    (date, "day"),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A value and how it is written: `none`, `flag`, `whole`, `number`, `day`, `moment`, `text`, `grid`."""

    kind: str
    value: object


@dataclass(frozen=True, slots=True)
class Grid:
    """Records as a table: the names of its columns, and the cells of its rows."""

    names: Sequence[str]
    numeric: Sequence[bool]
    rows: Sequence[Sequence[Cell]]


def grid_of(names: Sequence[str], records: Sequence[Mapping[str, object]]) -> Grid:
    """Return the table of some records."""
    rows = [[cell_of(record.get(name)) for name in names] for record in records]
    numeric = [_is_numeric([row[place] for row in rows]) for place in range(len(names))]
    return Grid(names, numeric, rows)


def cell_of(value: object) -> Cell:
    """Return the cell of a value."""
    if isinstance(value, Mapping):
        return Cell("grid", grid_of(list(value), [value]))
    if isinstance(value, list):
        return _list_of(value)
    kind = next((kind for kinds, kind in _KINDS if isinstance(value, kinds)), "text")
    return Cell(kind, str(value) if kind == "text" else value)


def _list_of(values: Sequence[object]) -> Cell:
    records = [value for value in values if isinstance(value, Mapping)]
    if records and len(records) == len(values):
        return Cell("grid", grid_of(list(records[0]), records))
    return Cell("text", ", ".join(map(str, values))) if values else Cell("none", None)


def _is_numeric(cells: Sequence[Cell]) -> bool:
    kinds = {cell.kind for cell in cells} - {"none"}
    return bool(kinds) and kinds <= {"whole", "number"}
