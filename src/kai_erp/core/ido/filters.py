"""Filter expressions as IDO filter text.

The grammar is the safe part of T-SQL's: comparisons, `LIKE`, `IN`, `AND`, `OR`, parentheses, `IS NULL`. A text
is `'…'` with `'` doubled, `N'…'` when it is not ASCII; in `LIKE`, `%`, `_` and `[` stand in brackets. The
service refuses a filter with a double quote, perhaps even within a literal, so a text with one is matched with
the wildcard `_` in its place: a little wider, never narrower. Dates go undashed: no server language misreads
those.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
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

_FIRST_GUESS = 64
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def render(expression: Expression) -> str:
    """Return the filter text; a caller's text can only ever be a literal in it.

    Raises ValueError for a name that is no property name, a text with a NUL, which no literal can hold, and an
    expression that no row can match: there is nothing to ask.
    """
    match expression:
        case AllOf(terms):
            return " AND ".join(_grouped(term) for term in terms)
        case AnyOf(terms) if not _impossible(expression):
            return " OR ".join(_grouped(term) for term in terms if not _impossible(term))
        case AnyKey(name, keys) if keys:
            return _any_key(_name(name), keys)
        case Comparison() | NullTest() | Like():
            return _test(_name(expression.name), expression)
        case _:
            raise ValueError("no row can match this filter")


def split_keys(keys: Sequence[str], fits: Callable[[tuple[str, ...]], bool]) -> Iterator[tuple[str, ...]]:
    """Yield the keys in runs, each as long as `fits` allows and at least one key long."""
    start, size = 0, _FIRST_GUESS
    while start < len(keys):
        rest = keys[start:]
        size = _longest_run(rest, fits, min(size, len(rest)))
        yield tuple(rest[:size])
        start += size


def _longest_run(keys: Sequence[str], fits: Callable[[tuple[str, ...]], bool], guess: int) -> int:
    """Return how many of the first keys fit, searched outwards from a guess: runs are much of a length."""
    low, high, size, step = 0, len(keys) + 1, guess, 1
    while high - low > 1:
        low, high = (size, high) if fits(tuple(keys[:size])) else (low, size)
        if low and high <= len(keys):
            size = (low + high) // 2
        else:
            size = min(max(size + step if low else size - step, low + 1), high - 1)
            step *= 2
    return max(low, 1)


def _impossible(expression: Expression) -> bool:
    """Tell whether it can be seen that no row matches."""
    match expression:
        case AnyOf(terms):
            return all(_impossible(term) for term in terms)
        case AnyKey(_, keys):
            return not keys
        case _:
            return isinstance(expression, Nothing)


def _grouped(term: Expression) -> str:
    text = render(term)
    return f"({text})" if isinstance(term, AllOf | AnyOf | AnyKey) else text


def _test(name: str, test: Comparison | NullTest | Like) -> str:
    match test:
        case NullTest():
            return f"{name} IS NULL"
        case Like(_, text, wildcard):
            pattern = _pattern(text, wildcard=wildcard)
            return f"{name} LIKE {_text(pattern if wildcard else f'%{pattern}%')}"
        case Comparison(_, operator, str() as text) if '"' in text:
            return _widened(name, text) if operator is Operator.EQ else f"{name} IS NOT NULL"
        case Comparison(_, operator, value):
            return f"{name} {operator} {_literal(_widened_to(operator, value))}"


def _any_key(name: str, keys: Sequence[str]) -> str:
    plain = [key for key in keys if '"' not in key]
    terms = [_widened(name, key) for key in keys if '"' in key]
    if len(plain) == 1:
        terms.insert(0, f"{name} = {_text(plain[0])}")
    elif plain:
        terms.insert(0, f"{name} IN ({','.join(_text(key) for key in plain)})")
    return " OR ".join(terms)


def _widened(name: str, text: str) -> str:
    """Return a condition that holds wherever the property equals a text that has a `"`, trailing blanks aside."""
    pattern = _pattern(text.rstrip(" "))
    return f"({name} LIKE {_text(pattern)} OR {name} LIKE {_text(pattern + ' %')})"


def _widened_to(operator: Operator, value: Literal) -> Literal:
    """Return an upper bound in the wire's milliseconds that is not below the one given."""
    fine = isinstance(value, datetime) and value.microsecond % 1000
    if not fine or not isinstance(value, datetime) or operator not in {Operator.LT, Operator.LE}:
        return value
    return value + timedelta(microseconds=1000 - value.microsecond % 1000)


def _name(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is no property name")
    return name


def _literal(value: Literal) -> str:
    match value:
        case str():
            return _text(value)
        case datetime():
            return f"'{value.year:04}{value:%m%d %H:%M:%S}.{value.microsecond // 1000:03}'"
        case Decimal():
            return f"{value:f}"
        case _:
            return str(int(value))


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text with a NUL cannot be sent")
    quoted = text.replace("'", "''")
    return f"'{quoted}'" if text.isascii() else f"N'{quoted}'"


def _pattern(text: str, *, wildcard: bool = False) -> str:
    escaped = re.sub(r"[%_\[]", lambda found: f"[{found[0]}]", text).replace('"', "_")
    return escaped.replace("*", "%") if wildcard else escaped
