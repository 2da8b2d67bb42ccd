"""The words of a filter."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from kai_erp.simulator.refusals import IllegalFilter

KEYWORDS = frozenset({"AND", "OR", "NOT", "LIKE", "IN", "IS", "NULL"})


class Sort(StrEnum):
    """The sort of a token."""

    NAME = "name"
    KEYWORD = "keyword"
    TEXT = "text"
    NUMBER = "number"
    OPERATOR = "operator"
    MARK = "mark"
    END = "end"


class Token(NamedTuple):
    """One word: keywords in upper case, texts without their quotes."""

    sort: Sort
    value: str


_PATTERN = re.compile(
    r"""\s*(?:
        (?P<text>[Nn]?'(?:[^']|'')*')
      | (?P<number>\d+(?:\.\d*)?|\.\d+)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<operator><>|!=|<=|>=|=|<|>)
      | (?P<mark>[(),-])
    )""",
    re.VERBOSE,
)


def tokens(source: str) -> Iterator[Token]:
    """Yield the tokens of a filter, an END last; raise IllegalFilter at anything else."""
    position, end = 0, len(source.rstrip())
    while position < end:
        match = _PATTERN.match(source, position)
        if match is None or match.lastgroup is None:
            raise IllegalFilter
        yield _token(match.lastgroup, match[match.lastgroup])
        position = match.end()
    yield Token(Sort.END, "")


def _token(group: str, value: str) -> Token:
    if group == "text":
        return Token(Sort.TEXT, value[value.index("'") + 1 : -1].replace("''", "'"))
    if group == "name" and value.upper() in KEYWORDS:
        return Token(Sort.KEYWORD, value.upper())
    if group == "operator" and value == "!=":
        return Token(Sort.OPERATOR, "<>")
    return Token(Sort(group), value)
