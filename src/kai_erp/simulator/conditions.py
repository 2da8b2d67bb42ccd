"""Evaluate a filter over the columns of a collection, with T-SQL's three-valued logic.

`select` narrows a list of rows to those for which a condition is true (or, under NOT, false):
a row for which it is unknown is in neither answer.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import NUMERIC, Column, Kind, Native, Natives, Origin, fold
from kai_erp.simulator.filters import (
    All,
    Comparison,
    Condition,
    Either,
    In,
    IsNull,
    Like,
    Name,
    Not,
    Null,
    Number,
    Operand,
    Shifted,
    Text,
)
from kai_erp.simulator.literals import (
    days_to_date,
    like_pattern,
    shift_date,
    to_date,
    to_guid,
    to_number,
    wire_date,
)
from kai_erp.simulator.refusals import NoColumn, PropertyNotFound

# T-SQL converts the side of the lower type: dates win over numbers, numbers over GUIDs and text.
_PRECEDENCE = (Kind.DATE, Kind.DECIMAL, Kind.INTEGER, Kind.SHORT, Kind.FLAG, Kind.GUID, Kind.TEXT)
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "<>": "<>"}
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

Test = Callable[[Native, Native], bool]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a filter may see: a collection, how to look a property up, and the server's clock."""

    collection: Collection
    find: Callable[[str], Column | None]
    now: datetime
    derived_too: bool = False

    def column(self, name: str) -> Column:
        """Return the property of that name for a filter or an order, or raise a Refusal."""
        column = self.find(name)
        if column is None:
            raise PropertyNotFound(name, self.collection.name)
        if column.origin is Origin.UNBOUND or (column.origin is Origin.DERIVED and not self.derived_too):
            raise NoColumn(name, self.collection.name)
        return column


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a comparison: a constant, or a value for each row."""

    kind: Kind
    constant: Native = None
    values: Natives | None = None


def select(scope: Scope, condition: Condition, rows: Sequence[int], *, truth: bool = True) -> Sequence[int]:
    """Return the rows, in order, for which the condition is `truth`."""
    if isinstance(condition, Not):
        return select(scope, condition.child, rows, truth=not truth)
    if isinstance(condition, All | Either):
        return _combine(scope, condition, rows, truth=truth)
    if isinstance(condition, Comparison):
        return _compare(scope, condition, rows, truth=truth)
    if isinstance(condition, In):
        return _among(scope, condition, rows, truth=truth)
    return _shape(scope, condition, rows, truth=truth)


def _combine(scope: Scope, condition: All | Either, rows: Sequence[int], *, truth: bool) -> Sequence[int]:
    """Return AND as a chain and OR as a union; by De Morgan the false rows of one are the other's kind."""
    if isinstance(condition, All) is truth:
        for child in condition.children:
            rows = select(scope, child, rows, truth=truth)
        return rows
    found: set[int] = set()
    for child in condition.children:
        found.update(select(scope, child, rows, truth=truth))
    return sorted(found)


def _compare(scope: Scope, condition: Comparison, rows: Sequence[int], *, truth: bool) -> Sequence[int]:
    operator = condition.operator if truth else _OPPOSITE[condition.operator]
    left, right = _side(scope, condition.left), _side(scope, condition.right)
    if left.values is None:
        left, right, operator = right, left, _MIRRORED[operator]
    kind = _common(left.kind, right.kind)
    first, second = _converted(left, kind), _converted(right, kind)
    if isinstance(first, _Values):
        if isinstance(second, _Values):
            return _pairs(first.values, second.values, _TESTS[operator], rows)
        return _against(first.values, second, operator, rows)
    if first is None or isinstance(second, _Values) or second is None:
        return []
    return rows if _TESTS[operator](first, second) else []


def _against(values: Natives, constant: Native, operator: str, rows: Sequence[int]) -> list[int]:
    if constant is None:
        return []
    if operator == "=":
        return [row for row in rows if values[row] == constant]
    test = _TESTS[operator]
    return [row for row in rows if (value := values[row]) is not None and test(value, constant)]


def _pairs(first: Natives, second: Natives, test: Test, rows: Sequence[int]) -> list[int]:
    return [row for row in rows if (a := first[row]) is not None and (b := second[row]) is not None and test(a, b)]


def _less(a: Native, b: Native) -> bool:
    return a < b  # type: ignore[operator]  # both sides were converted to one kind


_TESTS: dict[str, Test] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": _less,
    ">": lambda a, b: _less(b, a),
    "<=": lambda a, b: not _less(b, a),
    ">=": lambda a, b: not _less(a, b),
}


def _among(scope: Scope, condition: In, rows: Sequence[int], *, truth: bool) -> Sequence[int]:
    left = _side(scope, condition.left)
    sides = [_side(scope, choice) for choice in condition.choices]
    kind = left.kind
    for side in sides:
        kind = _common(kind, side.kind)
    converted = _converted(left, kind)
    values = converted.values if isinstance(converted, _Values) else [converted] * scope.collection.size
    choices = [c for side in sides if not isinstance(c := _converted(side, kind), _Values)]
    if not truth and None in choices:
        return []
    wanted = set(choices) - {None}
    return [row for row in rows if (value := values[row]) is not None and (value in wanted) is truth]


def _shape(scope: Scope, condition: Like | IsNull, rows: Sequence[int], *, truth: bool) -> Sequence[int]:
    """Return the rows whose value has the form, or the absence, that the condition tests for."""
    if isinstance(condition, Like):
        return _like(scope, condition, rows, truth=truth)
    side = _side(scope, condition.left)
    if side.values is None:
        return rows if (side.constant is None) is truth else []
    values = side.values
    return [row for row in rows if (values[row] is None) is truth]


def _like(scope: Scope, condition: Like, rows: Sequence[int], *, truth: bool) -> Sequence[int]:
    if isinstance(condition.left, Name):
        shown = scope.column(condition.left.name).wire(range(scope.collection.size))
    else:
        side = _side(scope, condition.left)
        shown = [None if side.constant is None else str(side.constant)] * scope.collection.size
    matches = like_pattern(condition.pattern).fullmatch
    return [row for row in rows if (text := shown[row]) is not None and (matches(text) is not None) is truth]


def _side(scope: Scope, operand: Operand) -> _Side:
    if isinstance(operand, Name):
        column = scope.column(operand.name)
        return _Side(column.shape.kind, values=column.comparable)
    if isinstance(operand, Text):
        return _Side(Kind.TEXT, operand.value)
    if isinstance(operand, Number):
        return _Side(Kind.DECIMAL if "." in operand.value else Kind.INTEGER, float(operand.value))
    if isinstance(operand, Null):
        return _Side(Kind.TEXT)
    if isinstance(operand, Shifted):
        return _shifted(operand, _side(scope, operand.date))
    return _Side(Kind.DATE, wire_date(scope.now))


def _shifted(operand: Shifted, date: _Side) -> _Side:
    converted = _converted(date, Kind.DATE)
    if isinstance(converted, _Values):
        moved = [None if v is None else shift_date(str(v), operand.part, operand.count) for v in converted.values]
        return _Side(Kind.DATE, values=moved)
    if converted is None:
        return _Side(Kind.DATE)
    return _Side(Kind.DATE, shift_date(str(converted), operand.part, operand.count))


def _common(left: Kind, right: Kind) -> Kind:
    return min(left, right, key=_PRECEDENCE.index)


@dataclass(frozen=True, slots=True)
class _Values:
    """A converted side that differs by row."""

    values: Natives


def _converted(side: _Side, kind: Kind) -> Native | _Values:
    """Return a side as values of `kind` that compare with `<` and `==`, or raise ConversionFailed."""
    if side.values is None:
        return _converted_one(side.constant, side.kind, kind)
    if side.kind is kind or {side.kind, kind} <= NUMERIC:
        return _Values(side.values)
    return _Values(list(_converted_all(side.values, side.kind, kind)))


def _converted_all(values: Natives, source: Kind, kind: Kind) -> Iterable[Native]:
    return (_converted_one(value, source, kind) for value in values)


def _converted_one(value: Native, source: Kind, kind: Kind) -> Native:
    if value is None:
        return None
    if source in NUMERIC:
        return days_to_date(float(value)) if kind is Kind.DATE else value
    if source is not Kind.TEXT or kind is Kind.TEXT:
        return fold(str(value)) if kind is Kind.TEXT else value
    if kind is Kind.DATE:
        return to_date(str(value))
    return to_guid(str(value)) if kind is Kind.GUID else to_number(str(value), kind)
