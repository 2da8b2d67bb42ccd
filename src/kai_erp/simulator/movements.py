"""What has been moved in a plant, so that it can be put back."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import NUMERIC, Column, Kind, Native
from kai_erp.simulator.literals import wire_date

_TOUCHED = "RecordDate"


@dataclass(slots=True)
class Movements:
    """Moves rows of collections and remembers how they were."""

    _hidden: list[tuple[Collection, frozenset[int]]] = field(default_factory=list)
    _changed: list[tuple[Collection, str, int, Native]] = field(default_factory=list)

    def delete(self, collection: Collection, rows: Iterable[int]) -> None:
        """Delete rows, until they are put back."""
        gone = frozenset(rows)
        if gone:
            self._hidden.append((collection, gone))
            collection.hide(gone)

    def change(self, collection: Collection, rows: Iterable[int], column: Column | None, now: datetime) -> None:
        """Change rows as a posting would: another value in the column, the present in RecordDate."""
        for row in rows:
            if column is not None and column.name != _TOUCHED:
                self._set(collection, column.name, row, _another(column, row, now))
            if _TOUCHED in collection.columns:
                self._set(collection, _TOUCHED, row, wire_date(now))

    def _set(self, collection: Collection, name: str, row: int, value: Native) -> None:
        self._changed.append((collection, name, row, collection.columns[name].natives[row]))
        collection.change(name, row, value)

    def restore(self) -> None:
        """Put everything back as it was."""
        while self._changed:
            collection, name, row, value = self._changed.pop()
            collection.change(name, row, value)
        while self._hidden:
            collection, rows = self._hidden.pop()
            collection.show(rows)


def _another(column: Column, row: int, now: datetime) -> Native:
    """Return a value that differs from the one in this row and fits the column."""
    value, shape = column.natives[row], column.shape
    if shape.kind is Kind.FLAG:
        return 0 if value else 1
    if shape.kind in NUMERIC:
        return float(value or 0) + 1 if shape.kind is Kind.DECIMAL else int(value or 0) + 1
    if shape.kind is Kind.DATE:
        return wire_date(now)
    kept = str(value or "")[: max(shape.length - 1, 0)]
    return f"{kept}{'#' if str(value or '')[-1:] != '#' else '*'}"
