"""Compass SQL: the part of its dialect that every engine behind it is known to understand.

Compass reads T-SQL with extras and hands it to an engine of its own, Trino today and Spark before, so only what
all of them read alike is used: no `LIKE` (its escapes differ), no dates as literals, no backslash within a literal
(Spark would take it for an escape). Keys and texts are compared trimmed and in lower case: the lake tells apart
what the ERP's own database does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from kai_erp.core.expressions import (
    AllOf,
    AnyKey,
    AnyOf,
    Comparison,
    Expression,
    Like,
    Literal,
    Nothing,
    NullTest,
    Operator,
)

_EQUALITY = frozenset({Operator.EQ, Operator.NE})
_NEVER = "1 = 0"


@dataclass(frozen=True, slots=True)
class LakeTables:
    """How the ERP's tables are found in the lake.

    Args:
        template: a lake object's name, made of the table's: `{table}_mst`.
        site: where several sites share the objects, the one to read.
    """

    template: str = "{table}"
    site: str | None = None

    def name(self, table: str) -> str:
        """Return the name of the lake object that holds a table."""
        return self.template.format(table=table)

    def source(self, table: str) -> str:
        """Return what stands in FROM for a table: the object, or the rows of our site in it."""
        if self.site is None:
            return self.name(table)
        return f"(SELECT * FROM {self.name(table)} WHERE {self.condition()})"

    def condition(self) -> str:
        """Return the condition that holds for rows of our site, and for all rows when there is but one."""
        return "1 = 1" if self.site is None else f"site_ref = {literal(self.site)}"


def literal(value: Literal) -> str:
    """Return a value as SQL. Raises ValueError for a date and for a text with a NUL, which have no safe form."""
    match value:
        case str():
            return _text(value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            raise ValueError("dates are compared after the rows are read")
        case _:
            return str(int(value))


def same_key(one: str, other: str) -> str:
    """Return the condition that two key columns hold the same key."""
    return f"{folded(one)} = {folded(other)}"


def folded(column: str) -> str:
    """Return the form in which a key column is compared."""
    return f"LOWER(TRIM({column}))"


def render(expression: Expression, columns: Mapping[str, str]) -> str:
    """Return a condition; `columns` says which column holds each property. It may be wider than the expression.

    Raises ValueError for what has no form here: an order of texts, a date, a text with a NUL.
    """
    match expression:
        case AllOf(terms):
            return " AND ".join(f"({render(term, columns)})" for term in terms)
        case AnyOf(terms):
            return " OR ".join(f"({render(term, columns)})" for term in terms) or _NEVER
        case Nothing():
            return _NEVER
        case _:
            return _test(columns[expression.name], expression)


def _test(column: str, test: AnyKey | Like | NullTest | Comparison) -> str:
    match test:
        case AnyKey(_, keys):
            return _any_key(column, keys)
        case Like(_, text, wildcard):
            return _contains(column, re.split(r"\*+", text) if wildcard else [text])
        case NullTest():
            return f"{column} IS NULL"
        case _:
            return _comparison(column, test)


def _any_key(column: str, keys: tuple[str, ...]) -> str:
    forms = {key.strip().lower(): key.strip() for key in keys}
    return f"{folded(column)} IN ({', '.join(map(_lower, forms.values()))})" if forms else _NEVER


def _contains(column: str, pieces: list[str]) -> str:
    """Return the condition that a text has all the pieces, in whatever order: that is decided after staging."""
    tests = [f"CHARINDEX({_lower(piece)}, LOWER({column})) > 0" for piece in pieces if piece]
    return " AND ".join(tests) or f"{column} IS NOT NULL"


def _comparison(column: str, test: Comparison) -> str:
    if not isinstance(test.value, str):
        return f"{column} {test.operator} {literal(test.value)}"
    if test.operator not in _EQUALITY:
        raise ValueError("texts are compared for equality only: how the lake orders them is not known")
    return f"{folded(column)} {test.operator} {_lower(test.value.strip())}"


def _lower(text: str) -> str:
    """Return a text in lower case, as the engine makes it: it need not be as Python does."""
    return f"LOWER({literal(text)})"


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text with a NUL cannot be sent")
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in text.split("\\")]
    return pieces[0] if len(pieces) == 1 else f"CONCAT({', CHAR(92), '.join(pieces)})"
