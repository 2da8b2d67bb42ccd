"""Selections: the rows that a filter leaves, in the order a load asks for; kept for the pages that follow."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from kai_erp.simulator.columns import NUMERIC, Column, Kind, Native, fold, guid_rank
from kai_erp.simulator.conditions import Scope, select
from kai_erp.simulator.filters import parse
from kai_erp.simulator.refusals import BadBookmark, IllegalFilter

_KEPT = 64


@dataclass(frozen=True, slots=True)
class Question:
    """What decides a selection: filter, order, and the properties whose combinations are distinct."""

    filter: str
    order_by: str
    distinct: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """Ordered row numbers, with the columns that order them and whether each descends."""

    rows: Sequence[int]
    columns: tuple[Column, ...]
    descending: tuple[bool, ...]

    def position(self, values: Sequence[str | None], *, after: bool) -> int:
        """Return the index of the first row at (or `after`) the place with these ordering values."""
        place = tuple(_comparable(column, value) for column, value in zip(self.columns, values, strict=True))
        low, high = 0, len(self.rows)
        while low < high:
            middle = (low + high) // 2
            compared = self._compare(self.rows[middle], place)
            if compared < 0 or (after and compared == 0):
                low = middle + 1
            else:
                high = middle
        return low

    def _compare(self, row: int, place: Sequence[Native]) -> int:
        for column, descends, there in zip(self.columns, self.descending, place, strict=True):
            sign = _sign(column.comparable[row], there)
            if sign:
                return -sign if descends else sign
        return 0


def _sign(a: Native, b: Native) -> int:
    """Compare two values of one column as SQL Server sorts: NULL is lowest."""
    if a == b:
        return 0
    if a is None or b is None:
        return -1 if a is None else 1
    return -1 if a < b else 1  # type: ignore[operator]  # values of one column are of one type


def _comparable(column: Column, value: str | None) -> Native:
    """Return a bookmark's value as the column compares it, or raise BadBookmark."""
    if value is None:
        return None
    try:
        if column.shape.kind in NUMERIC:
            return float(value)
        if column.shape.kind is Kind.GUID:
            return guid_rank(value)
    except ValueError:
        raise BadBookmark from None
    return fold(value) if column.shape.kind is Kind.TEXT else value


@dataclass(slots=True)
class Selections:
    """Finds selections and keeps the last ones, by collection, its version and the question."""

    quotes_anywhere: bool = True
    _kept: dict[tuple[str, int, int, Question], Selection] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def kept(self, scope: Scope, question: Question) -> Selection | None:
        """Return the selection if it is known already."""
        return self._kept.get(self._key(scope, question))

    def find(self, scope: Scope, question: Question) -> Selection:
        """Return the selection, or raise the Refusal that its filter or order deserves."""
        key = self._key(scope, question)
        selection = self._kept.get(key)
        if selection is None:
            selection = self._make(scope, question)
            with self._lock:
                while len(self._kept) >= _KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = selection
        return selection

    def forget(self) -> None:
        """Forget what was kept, since what a filter may name has changed."""
        with self._lock:
            self._kept.clear()

    @staticmethod
    def _key(scope: Scope, question: Question) -> tuple[str, int, int, Question]:
        return scope.collection.name, id(scope.collection), scope.collection.version, question

    def _make(self, scope: Scope, question: Question) -> Selection:
        rows = self._filtered(scope, question.filter)
        order = _read_order(scope, question.order_by)
        named = {column.name for column, _ in order}
        tail = question.distinct or scope.collection.key_columns()
        columns = [*order, *((column, False) for column in tail if column.name not in named)]
        # Rows lie in natural key order, and the sort is stable: only other columns need sorting.
        sorted_by = columns if question.distinct else order
        rows = _sort(rows, sorted_by)
        if question.distinct:
            rows = _first_of_each(rows, [column for column, _ in columns])
        names, flags = tuple(c for c, _ in columns), tuple(flag for _, flag in columns)
        return Selection(rows, names, flags)

    def _filtered(self, scope: Scope, text: str) -> Sequence[int]:
        rows = scope.collection.visible()
        if not text:
            return rows
        if self.quotes_anywhere and '"' in text:
            raise IllegalFilter
        return select(scope, parse(text), rows)


def _read_order(scope: Scope, text: str) -> list[tuple[Column, bool]]:
    order: dict[str, tuple[Column, bool]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        column = scope.column(name)
        if direction.strip().upper() not in {"", "ASC", "DESC"}:
            raise IllegalFilter
        order.setdefault(column.name, (column, direction.strip().upper() == "DESC"))
    return list(order.values())


def _sort(rows: Sequence[int], order: Sequence[tuple[Column, bool]]) -> Sequence[int]:
    for column, descends in reversed(order):
        values = column.comparable
        nulls = [row for row in rows if values[row] is None]
        others = [row for row in rows if values[row] is not None]
        others.sort(key=values.__getitem__, reverse=descends)  # type: ignore[arg-type]  # of one type
        rows = [*others, *nulls] if descends else [*nulls, *others]
    return rows


def _first_of_each(rows: Sequence[int], columns: Sequence[Column]) -> list[int]:
    values = [column.comparable for column in columns]
    seen: dict[tuple[Native, ...], int] = {}
    for row in rows:
        seen.setdefault(tuple(column[row] for column in values), row)
    return list(seen.values())
