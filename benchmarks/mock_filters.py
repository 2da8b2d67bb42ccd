"""Filters of the mock ERP: the part of T-SQL that a client sends, made into a test of rows."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.mock_rows import Row

Test = Callable[[Row], bool]

_TOKEN = re.compile(r"\s*(N?'(?:[^']|'')*'|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|<>|<=|>=|[=<>(),])")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass
class Filter:
    """A parsed filter: a test of rows, and lists of keys that every matching row is in."""

    text: str
    places: Mapping[str, int]
    keys: dict[str, frozenset[str]] = field(default_factory=dict)
    _tokens: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tokens = _TOKEN.findall(self.text)[::-1]
        if "".join(self._tokens[::-1]).replace(" ", "") != self.text.replace(" ", ""):
            raise ValueError(f"cannot read {self.text}")
        self.test = self._any(top=True)
        if self._tokens:
            raise ValueError(f"cannot read {self.text}")

    def _any(self, *, top: bool) -> Test:
        before = dict(self.keys)
        tests = [self._all(top=top)]
        while self._took("OR"):
            self.keys = before
            tests.append(self._all(top=False))
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _all(self, *, top: bool) -> Test:
        tests = [self._one(top=top)]
        while self._took("AND"):
            tests.append(self._one(top=top))
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _one(self, *, top: bool) -> Test:
        if self._took("("):
            inner = self._any(top=top)
            self._need(")")
            return inner
        name = self._tokens.pop()
        place = self.places[name]
        if self._took("IS"):
            wanted = not self._took("NOT")
            self._need("NULL")
            return lambda row: (row[place] is None) is wanted
        if self._took("IN"):
            return self._in(name, place, top=top)
        return self._compared(name, place, top=top)

    def _in(self, name: str, place: int, *, top: bool) -> Test:
        self._need("(")
        keys = {_text(self._tokens.pop())}
        while self._took(","):
            keys.add(_text(self._tokens.pop()))
        self._need(")")
        return self._keyed(name, place, frozenset(keys), top=top)

    def _keyed(self, name: str, place: int, keys: frozenset[str], *, top: bool) -> Test:
        if top:
            self.keys[name] = keys
        return lambda row: (row[place] or "").rstrip(" ") in keys

    def _compared(self, name: str, place: int, *, top: bool) -> Test:
        sign, literal = self._tokens.pop(), self._tokens.pop()
        compare = _COMPARE[sign]
        if not literal.endswith("'"):
            number = float(literal)
            return lambda row: row[place] is not None and compare(float(row[place] or 0), number)
        text = _text(literal)
        if sign == "=":
            return self._keyed(name, place, frozenset({text}), top=top)
        return lambda row: row[place] is not None and compare((row[place] or "").rstrip(" "), text)

    def _took(self, token: str) -> bool:
        if self._tokens and self._tokens[-1].upper() == token:
            self._tokens.pop()
            return True
        return False

    def _need(self, token: str) -> None:
        if not self._took(token):
            raise ValueError(f"{token} is missing in {self.text}")


def _text(literal: str) -> str:
    """Return the text of a literal, its trailing blanks aside."""
    return literal.removeprefix("N")[1:-1].replace("''", "'").rstrip(" ")
