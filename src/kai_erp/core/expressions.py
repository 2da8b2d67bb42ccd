"""Filter expressions as values: what a connector asks for, before any dialect.

A caller's text only ever enters as the value of one of these; rendering is the business of the wire modules.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

Literal = str | int | Decimal | datetime


class Operator(StrEnum):
    """Comparison operators that every source understands."""

    EQ = "="
    NE = "<>"
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


@dataclass(frozen=True, slots=True)
class Comparison:
    """A property against a literal."""

    name: str
    operator: Operator
    value: Literal


@dataclass(frozen=True, slots=True)
class NullTest:
    """Whether a property is null."""

    name: str


@dataclass(frozen=True, slots=True)
class AnyKey:
    """A property is one of some keys, each in exactly the stored form."""

    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """A text property contains `text`, or matches it with `*` as the only wildcard when `wildcard`."""

    name: str
    text: str
    wildcard: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every term holds."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one term holds."""

    terms: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """No row can match, so nothing need be read."""


Expression = Comparison | NullTest | AnyKey | Like | AllOf | AnyOf | Nothing


def equals(name: str, value: Literal) -> Comparison:
    """Return the test that a property equals a value."""
    return Comparison(name, Operator.EQ, value)


def all_of(*terms: Expression | None) -> Expression | None:
    """Return the conjunction of the given terms, flat; absent ones do not count."""
    present = tuple(part for term in terms for part in terms_of(term))
    if any(isinstance(term, Nothing) for term in present):
        return Nothing()
    if len(present) <= 1:
        return present[0] if present else None
    return AllOf(present)


def any_of(*terms: Expression) -> Expression:
    """Return the disjunction of the given terms; those that no row can match do not count."""
    possible = tuple(term for term in terms if not isinstance(term, Nothing))
    if len(possible) <= 1:
        return possible[0] if possible else Nothing()
    return AnyOf(possible)


def terms_of(expression: Expression | None) -> tuple[Expression, ...]:
    """Return the terms that must all hold."""
    if expression is None:
        return ()
    return expression.terms if isinstance(expression, AllOf) else (expression,)


def names_in(expression: Expression) -> frozenset[str]:
    """Return the properties that an expression is about."""
    if isinstance(expression, AllOf | AnyOf):
        return frozenset(name for term in expression.terms for name in names_in(term))
    return frozenset() if isinstance(expression, Nothing) else frozenset({expression.name})
