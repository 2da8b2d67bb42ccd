"""A collection (what an IDO shows of its tables): columns of equal length in natural key order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kai_erp.simulator.columns import Column, Native


@dataclass(frozen=True, slots=True)
class SubCollection:
    """A child IDO, and the properties (parent, child) that link it."""

    name: str
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The primary base table of an IDO: its name, natural key and children."""

    name: str
    key: tuple[str, ...]
    children: tuple[SubCollection, ...] = ()


class Collection:
    """One IDO's rows, stored in natural key order.

    Rows can be hidden, shown again and changed while clients page through them.
    """

    def __init__(self, name: str, table: Table, columns: Iterable[Column]) -> None:
        self.name, self.table = name, table
        self.columns: Mapping[str, Column] = {column.name: column for column in columns}
        self._by_lower = {name.lower(): column for name, column in self.columns.items()}
        self.size = len(self.columns[table.key[0]].natives)
        self.version = self.touched = 0
        self._hidden: frozenset[int] = frozenset()
        self._shown: tuple[int, list[dict[str, str | None]]] | None = None

    def find(self, name: str, *, strict: bool = False) -> Column | None:
        """Return the property of that name, or None."""
        return self.columns.get(name) if strict else self._by_lower.get(name.lower())

    def key_columns(self) -> tuple[Column, ...]:
        """Return the columns of the natural key."""
        return tuple(self.columns[name] for name in self.table.key)

    def visible(self) -> Sequence[int]:
        """Return the row numbers that exist now, in natural key order."""
        if not self._hidden:
            return range(self.size)
        return [row for row in range(self.size) if row not in self._hidden]

    def hide(self, rows: Iterable[int]) -> None:
        """Delete rows (until they are shown again)."""
        self._hidden |= set(rows)
        self.version += 1

    def show(self, rows: Iterable[int]) -> None:
        """Bring hidden rows back, as if they had been inserted."""
        self._hidden -= set(rows)
        self.version += 1

    def change(self, name: str, row: int, value: Native) -> None:
        """Set one value of a property that is not part of the key."""
        if name in self.table.key:
            raise ValueError(f"{name} is part of the key of {self.name}")
        self.columns[name].change(row, value)
        self.version += 1

    def touch(self) -> None:
        """Let what was read of it be read anew, since a table that it joins has changed."""
        self.version += 1
        self.touched += 1

    @property
    def edits(self) -> int:
        """How often rows of its own were changed, hidden or shown."""
        return self.version - self.touched

    def wire_rows(self) -> list[dict[str, str | None]]:
        """Return every row with all its properties as the server sends them."""
        if self._shown is None or self._shown[0] != self.version:
            visible = self.visible()
            values = [column.wire(visible) for column in self.columns.values()]
            rows = [dict(zip(self.columns, row, strict=True)) for row in zip(*values, strict=True)]
            self._shown = self.version, rows
        return [dict(row) for row in self._shown[1]]
