"""Records as a compact table for models: no padding, nothing twice, nothing that is empty throughout.

A list within a record follows it in lines of its own, marked `>`, and `>>` for a list within that. What all rows
of a level share stands once, above them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal

import pyarrow as pa

from kai_erp.mcp.untrusted import plain

_WORTH_SHARING = 3  # so many rows must share a value before it is said once for all
Texts = dict[str, "str | list[Texts]"]


@dataclass(frozen=True, slots=True)
class _Level:
    """The rows of one level: how its lines are marked, its columns, what they share, the lists within."""

    marker: str
    name: str
    columns: tuple[str, ...]
    shared: Mapping[str, str]
    lists: Mapping[str, _Level]


def table_lines(records: pa.Table, zone: tzinfo) -> Iterator[str]:
    """Yield the headings of every level, then the rows."""
    rows = [_texts(row, zone) for row in records.to_pylist()]
    level = _level("", "", rows)
    yield from _headings(level)
    for row in rows:
        yield from _lines(level, row)


def _texts(row: Mapping[str, object], zone: tzinfo) -> Texts:
    """Return a row with its values as cells, and the rows of the lists within it likewise."""
    return {name: _inner(value, zone) if _is_rows(value) else cell(value, zone) for name, value in row.items()}


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and (not value or isinstance(value[0], dict))


def _inner(value: object, zone: tzinfo) -> list[Texts]:
    return [_texts(row, zone) for row in value] if isinstance(value, list) else []


def cell(value: object, zone: tzinfo) -> str:
    """Return a value in its shortest form that nobody takes for the table's own signs; nothing for null."""
    match value:
        case None:
            text = ""
        case bool():
            text = "yes" if value else "no"
        case Decimal():
            text = _number(value)
        case datetime():
            text = f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
        case list():
            text = ", ".join(cell(element, zone) for element in value)
        case _:
            text = _escaped(plain(str(value)).strip())
    return text


def _number(value: Decimal) -> str:
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("|", "\\|")
    return f"\\{escaped}" if escaped.startswith(">") else escaped


def _level(marker: str, name: str, rows: Sequence[Texts]) -> _Level:
    seen: dict[str, set[str]] = {}
    for row in rows:
        for column, value in row.items():
            if isinstance(value, str):
                seen.setdefault(column, set()).add(value)
    filled = [column for column in (rows[0] if rows else {}) if seen.get(column, set()) - {""}]
    shared = {
        column: next(iter(seen[column]))
        for column in filled[1:]
        if len(seen[column]) == 1 and len(rows) >= _WORTH_SHARING
    }
    columns = tuple(column for column in filled if column not in shared)
    return _Level(marker, name, columns, shared, dict(_lists(marker, rows)))


def _lists(marker: str, rows: Sequence[Texts]) -> Iterator[tuple[str, _Level]]:
    """Yield the levels of the lists of records within some rows."""
    names = dict.fromkeys(name for row in rows for name, value in row.items() if isinstance(value, list) and value)
    for place, name in enumerate(names):
        own = f">{marker}{place + 1 if place else ''}"
        yield name, _level(own, name, [inner for row in rows for inner in _rows(row, name)])


def _rows(row: Texts, name: str) -> list[Texts]:
    value = row[name]
    return value if isinstance(value, list) else []


def _headings(level: _Level) -> Iterator[str]:
    title = f"{level.name}: " if level.name else ""
    yield f"{level.marker}{title}{'|'.join(level.columns)}"
    if level.shared:
        same = "|".join(f"{name}={text}" for name, text in level.shared.items())
        yield f"{level.marker}(in every row: {same})"
    for inner in level.lists.values():
        yield from _headings(inner)


def _lines(level: _Level, row: Texts) -> Iterator[str]:
    cells = (row[column] for column in level.columns)
    yield level.marker + "|".join(text if isinstance(text, str) else "" for text in cells)
    for name, inner in level.lists.items():
        for element in _rows(row, name):
            yield from _lines(inner, element)
