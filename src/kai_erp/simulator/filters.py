"""The filter grammar: a recursive-descent parser of the predicates an IDO load accepts.

Comparisons, LIKE, IN, IS NULL, AND, OR, NOT and parentheses over property names; of functions only
GETDATE and DATEADD. Anything else is an illegal filter.
"""

from dataclasses import dataclass

from kai_erp.simulator.filter_tokens import Sort, Token, tokens
from kai_erp.simulator.refusals import IllegalFilter

_DEEPEST = 60
_LONGEST_COUNT = 10


@dataclass(frozen=True, slots=True)
class Name:
    """A property."""

    name: str


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted literal."""

    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """A bare number, as written."""

    value: str


@dataclass(frozen=True, slots=True)
class Null:
    """The literal NULL."""


@dataclass(frozen=True, slots=True)
class Now:
    """GETDATE()."""


@dataclass(frozen=True, slots=True)
class Shifted:
    """DATEADD(part, count, date)."""

    part: str
    count: int
    date: "Operand"


Operand = Name | Text | Number | Null | Now | Shifted


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands and an operator."""

    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Like:
    """A text pattern."""

    left: Operand
    pattern: str


@dataclass(frozen=True, slots=True)
class In:
    """Membership in a list of literals."""

    left: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """A test for NULL."""

    left: Operand


@dataclass(frozen=True, slots=True)
class Not:
    """A negation."""

    child: "Condition"


@dataclass(frozen=True, slots=True)
class All:
    """Conditions joined by AND."""

    children: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Conditions joined by OR."""

    children: tuple["Condition", ...]


Condition = Comparison | Like | In | IsNull | Not | All | Either


def parse(source: str) -> Condition:
    """Return the condition a filter text stands for, or raise IllegalFilter."""
    return _Parser(list(tokens(source))).whole()


class _Parser:
    def __init__(self, words: list[Token]) -> None:
        self._words, self._at, self._depth = words, 0, 0

    def whole(self) -> Condition:
        condition = self._either()
        if self._peek().sort is not Sort.END:
            raise IllegalFilter
        return condition

    def _peek(self, ahead: int = 0) -> Token:
        return self._words[min(self._at + ahead, len(self._words) - 1)]

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _accept(self, value: str, sort: Sort = Sort.KEYWORD) -> bool:
        if self._peek() == (sort, value):
            self._at += 1
            return True
        return False

    def _expect(self, value: str, sort: Sort = Sort.MARK) -> None:
        if not self._accept(value, sort):
            raise IllegalFilter

    def _either(self) -> Condition:
        children = [self._all()]
        while self._accept("OR"):
            children.append(self._all())
        return children[0] if len(children) == 1 else Either(tuple(children))

    def _all(self) -> Condition:
        children = [self._negation()]
        while self._accept("AND"):
            children.append(self._negation())
        return children[0] if len(children) == 1 else All(tuple(children))

    def _negation(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise IllegalFilter
        condition = Not(self._negation()) if self._accept("NOT") else self._primary()
        self._depth -= 1
        return condition

    def _primary(self) -> Condition:
        if self._accept("(", Sort.MARK):
            condition = self._either()
            self._expect(")")
            return condition
        return self._predicate(self._operand())

    def _predicate(self, left: Operand) -> Condition:
        token = self._next()
        if token.sort is Sort.OPERATOR:
            return Comparison(token.value, left, self._operand())
        if token == (Sort.KEYWORD, "NOT"):
            return Not(self._text_predicate(left, self._next()))
        if token == (Sort.KEYWORD, "IS"):
            negated = self._accept("NOT")
            self._expect("NULL", Sort.KEYWORD)
            return Not(IsNull(left)) if negated else IsNull(left)
        return self._text_predicate(left, token)

    def _text_predicate(self, left: Operand, token: Token) -> Condition:
        if token == (Sort.KEYWORD, "LIKE"):
            pattern = self._next()
            if pattern.sort is not Sort.TEXT:
                raise IllegalFilter
            return Like(left, pattern.value)
        if token == (Sort.KEYWORD, "IN"):
            return In(left, self._choices())
        raise IllegalFilter

    def _choices(self) -> tuple[Operand, ...]:
        self._expect("(")
        choices = [self._operand()]
        while self._accept(",", Sort.MARK):
            choices.append(self._operand())
        self._expect(")")
        if any(isinstance(choice, Name) for choice in choices):
            raise IllegalFilter
        return tuple(choices)

    def _operand(self) -> Operand:
        token = self._next()
        if token.sort is Sort.TEXT:
            return Text(token.value)
        if token.sort is Sort.NUMBER:
            return Number(token.value)
        if token == (Sort.MARK, "-") and self._peek().sort is Sort.NUMBER:
            return Number(f"-{self._next().value}")
        if token == (Sort.KEYWORD, "NULL"):
            return Null()
        if token.sort is Sort.NAME:
            return self._function(token.value) if self._peek() == (Sort.MARK, "(") else Name(token.value)
        raise IllegalFilter

    def _function(self, name: str) -> Operand:
        self._expect("(")
        if name.upper() == "GETDATE":
            self._expect(")")
            return Now()
        if name.upper() != "DATEADD":
            raise IllegalFilter
        part = self._next()
        self._expect(",")
        count = self._count()
        self._expect(",")
        self._depth += 1
        if part.sort is not Sort.NAME or self._depth > _DEEPEST:
            raise IllegalFilter
        date = self._operand()
        self._depth -= 1
        self._expect(")")
        return Shifted(part.value.lower(), count, date)

    def _count(self) -> int:
        operand = self._operand()
        if not isinstance(operand, Number) or "." in operand.value or len(operand.value) > _LONGEST_COUNT:
            raise IllegalFilter
        return int(operand.value)
