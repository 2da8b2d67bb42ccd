import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kai_erp.core.expressions import (
    AllOf,
    AnyKey,
    AnyOf,
    Comparison,
    Expression,
    Like,
    Nothing,
    NullTest,
    Operator,
    all_of,
    equals,
)
from kai_erp.core.ido.filters import render, split_keys
from kai_erp.simulator.filter_tokens import tokens
from kai_erp.simulator.filters import Comparison as ParsedComparison
from kai_erp.simulator.filters import Text, parse
from tests.test_core.fakes import Row, matching

AWKWARD = st.sampled_from("'%_[]\"*^-\\ \t\n\r;()=,N%%aAbBzßİé😀\x01\x7f")
ANY = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(st.one_of(AWKWARD, ANY), max_size=8)
QUOTELESS = TEXT.filter(lambda text: '"' not in text)
CELLS = st.lists(st.none() | TEXT, max_size=8)
LITERAL = re.compile(r"N?'((?:[^']|'')*)'", re.DOTALL)


def found(expression: Expression, values: list[str | None]) -> list[str | None]:
    """Return the values that a server lets through."""
    return [row["Name"] for row in matching([{"Name": value} for value in values], render(expression))]


def alike(one: str, other: str) -> bool:
    """Tell whether the usual collation takes two texts for equal."""
    return one.rstrip(" ").casefold() == other.rstrip(" ").casefold()


def contains(text: str, value: str) -> bool:
    return re.search(re.escape(text), value, re.IGNORECASE) is not None


def sorts(expression: Expression) -> list[str]:
    return [token.sort for token in tokens(render(expression))]


@given(QUOTELESS, CELLS)
def test_an_equality_lets_through_exactly_the_value_it_was_made_of(text: str, values: list[str | None]) -> None:
    values = [*values, text, f"{text}x", f"x{text}", text[:-1]]
    assert found(equals("Name", text), values) == [v for v in values if v is not None and alike(v, text)]


@given(TEXT, TEXT, CELLS)
def test_an_equality_with_a_double_quote_misses_no_row(before: str, after: str, values: list[str | None]) -> None:
    text = f'{before}"{after}'
    let_through = found(equals("Name", text), [*values, text, text + "  "])
    assert {text, text + "  "} <= set(let_through)
    assert [v for v in values if v is not None and alike(v, text) and v not in let_through] == []


@given(QUOTELESS)
def test_a_literal_reads_back_as_the_text_it_was_made_of(text: str) -> None:
    literal = LITERAL.fullmatch(render(equals("Name", text)).removeprefix("Name = "))
    assert literal is not None
    assert literal[1].replace("''", "'") == text


@given(TEXT)
def test_a_text_is_marked_as_national_exactly_when_it_is_not_ascii(text: str) -> None:
    assert ("LIKE N'" in render(Like("Name", text))) is not text.replace('"', "_").isascii()


@given(QUOTELESS, CELLS)
def test_contains_lets_through_exactly_the_values_that_hold_the_text(text: str, values: list[str | None]) -> None:
    values = [*values, text, f"x{text}y", text[1:], text.swapcase()]
    assert found(Like("Name", text), values) == [v for v in values if v is not None and contains(text, v)]


@given(TEXT, TEXT, TEXT, TEXT)
def test_contains_with_a_double_quote_misses_no_row(before: str, after: str, left: str, right: str) -> None:
    text = f'{before}"{after}'
    assert found(Like("Name", text), [f"{left}{text}{right}"]) == [f"{left}{text}{right}"]


@given(st.lists(QUOTELESS.map(lambda text: text.replace("*", "")), min_size=1, max_size=4), CELLS)
def test_a_star_is_the_only_wildcard(parts: list[str], values: list[str | None]) -> None:
    values = [*values, "".join(parts), "x".join(parts), "*".join(parts)]
    shape = re.compile(".*".join(map(re.escape, parts)), re.IGNORECASE | re.DOTALL)
    expected = [v for v in values if v is not None and shape.fullmatch(v)]
    assert found(Like("Name", "*".join(parts), wildcard=True), values) == expected


@given(TEXT)
def test_a_star_is_a_plain_character_where_it_is_no_wildcard(text: str) -> None:
    assert found(Like("Name", f"{text}*"), [f"a{text}*b", f"{text}b"]) == [f"a{text}*b"]


@given(st.lists(TEXT, min_size=1, max_size=6, unique=True), CELLS)
def test_a_key_list_lets_through_its_keys_and_without_double_quotes_nothing_else(
    keys: list[str], values: list[str | None]
) -> None:
    let_through = found(AnyKey("Name", tuple(keys)), [*keys, *values])
    assert let_through[: len(keys)] == keys
    if not any('"' in key for key in keys):
        others = [v for v in values if v is not None and any(alike(v, key) for key in keys)]
        assert let_through[len(keys) :] == others


@pytest.mark.parametrize(
    "make",
    [
        lambda text: equals("A", text),
        lambda text: Comparison("A", Operator.NE, text),
        lambda text: Like("A", text),
        lambda text: Like("A", text, wildcard=True),
        lambda text: AnyKey("A", (text, "b")),
        lambda text: AnyOf((equals("A", text), NullTest("B"))),
        lambda text: AllOf((AnyKey("A", ("b", text, "c")), equals("B", 1))),
    ],
)
@given(QUOTELESS)
@example("' OR 1=1 --")
@example("'; DROP TABLE job")
@example("x' OR ''='")
def test_a_text_never_breaks_out_of_its_literal(make: Callable[[str], Expression], text: str) -> None:
    assert sorts(make(text)) == sorts(make("a"))


@given(TEXT, TEXT)
@pytest.mark.parametrize("operator", list(Operator))
def test_a_filter_has_no_double_quote_even_when_its_texts_do(operator: Operator, text: str, other: str) -> None:
    quoted = f'{text}"'
    terms = (
        Comparison("A", operator, quoted),
        Like("A", quoted),
        Like("A", quoted, wildcard=True),
        AnyKey("A", (quoted, other, f'"{other}')),
    )
    assert '"' not in render(AnyOf(terms))
    parse(render(AnyOf(terms)))


@pytest.mark.parametrize("operator", [Operator.NE, Operator.LT, Operator.LE, Operator.GT, Operator.GE])
def test_another_comparison_with_a_double_quote_is_left_to_the_join(operator: Operator) -> None:
    assert render(Comparison("A", operator, '"')) == "A IS NOT NULL"


@pytest.mark.parametrize(
    ("expression", "rendered"),
    [
        (equals("Suffix", 0), "Suffix = 0"),
        (equals("Suffix", -3), "Suffix = -3"),
        (equals("Flag", True), "Flag = 1"),  # noqa: FBT003  # a value, not an option
        (Comparison("Qty", Operator.GT, Decimal("1E+3")), "Qty > 1000"),
        (Comparison("Qty", Operator.LE, Decimal("0.00000001")), "Qty <= 0.00000001"),
        (Comparison("Qty", Operator.LT, Decimal("-2.50")), "Qty < -2.50"),
        (
            Comparison("Due", Operator.GE, datetime(2026, 1, 2, 3, 4, 5, 6_000)),  # noqa: DTZ001  # the ERP's clock
            "Due >= '20260102 03:04:05.006'",
        ),
        (NullTest("Complete"), "Complete IS NULL"),
        (Comparison("Stat", Operator.NE, "C"), "Stat <> 'C'"),
        (equals("Name", "O'Hara"), "Name = 'O''Hara'"),
        (equals("Name", "Müller"), "Name = N'Müller'"),
        (Like("Name", "50%_[x]"), "Name LIKE '%50[%][_][[]x]%'"),
        (Like("Item", "FB*", wildcard=True), "Item LIKE 'FB%'"),
        (AnyKey("Job", ("a",)), "Job = 'a'"),
        (AnyKey("Job", ("a", "b")), "Job IN ('a','b')"),
        (AnyKey("Job", ('a"', "b", "c")), "Job IN ('b','c') OR (Job LIKE 'a_' OR Job LIKE 'a_ %')"),
    ],
)
def test_an_expression_is_written_in_the_safe_part_of_the_grammar(expression: Expression, rendered: str) -> None:
    assert render(expression) == rendered


NUMBERED = st.one_of(
    st.builds(Comparison, st.just("N"), st.sampled_from([Operator.EQ, Operator.NE]), QUOTELESS),
    st.builds(NullTest, st.sampled_from(["N", "M"])),
    st.builds(Like, st.sampled_from(["N", "M"]), QUOTELESS),
    st.builds(AnyKey, st.just("M"), st.lists(QUOTELESS, min_size=1, max_size=3).map(tuple)),
)
TREES: st.SearchStrategy[Expression] = st.recursive(
    NUMBERED,
    lambda inner: st.one_of(
        st.builds(AllOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def holds(expression: Expression, row: Row) -> bool:
    """Tell whether an expression is true of a row; what is null makes a comparison untrue."""
    match expression:
        case AllOf(terms):
            return all(holds(term, row) for term in terms)
        case AnyOf(terms):
            return any(holds(term, row) for term in terms)
        case NullTest(name):
            return row[name] is None
        case AnyKey(name, keys):
            return (value := row[name]) is not None and any(alike(value, key) for key in keys)
        case Like(name, text):
            return (value := row[name]) is not None and contains(text, value)
        case Comparison(name, operator, str() as text):
            value = row[name]
            return value is not None and alike(value, text) is (operator is Operator.EQ)
        case _:
            raise AssertionError(expression)


@given(TREES, st.lists(st.fixed_dictionaries({"N": st.none() | TEXT, "M": st.none() | TEXT}), max_size=6))
def test_a_nested_expression_means_what_it_says(tree: Expression, rows: list[dict[str, str | None]]) -> None:
    assert matching(rows, render(tree)) == [row for row in rows if holds(tree, row)]


@pytest.mark.parametrize("name", ["", "a b", "1a", "a;", "a'", 'a"', "a.b", "ä", "a\n", "a)--"])
def test_only_a_property_name_may_stand_for_a_property(name: str) -> None:
    for expression in (equals(name, 1), NullTest(name), Like(name, "x"), AnyKey(name, ("x",))):
        with pytest.raises(ValueError, match="is no property name"):
            render(expression)


def test_a_text_with_a_nul_is_refused_because_no_literal_can_hold_it() -> None:
    for expression in (equals("A", "x\0y"), Like("A", "\0"), AnyKey("A", ("a", "\0"))):
        with pytest.raises(ValueError, match="NUL"):
            render(expression)


@pytest.mark.parametrize("empty", [Nothing(), AnyKey("A", ()), AllOf((equals("A", 1), Nothing()))])
def test_what_no_row_can_match_is_not_rendered_as_a_filter_that_every_row_matches(empty: Expression) -> None:
    with pytest.raises(ValueError, match="no row can match"):
        render(empty)


@pytest.mark.parametrize("empty", [AnyOf(()), AnyOf((Nothing(),)), AllOf((equals("A", 1), AnyOf(())))])
def test_an_alternative_of_nothing_is_not_rendered_either(empty: Expression) -> None:
    with pytest.raises(ValueError, match="no row can match"):
        render(empty)


def test_an_alternative_that_cannot_be_is_left_out_of_the_others() -> None:
    assert render(AnyOf((Nothing(), equals("A", 1), NullTest("A")))) == "A = 1 OR A IS NULL"


def test_an_alternative_with_no_keys_is_left_out_of_the_others() -> None:
    assert render(AnyOf((AnyKey("A", ()), equals("B", 1)))) == "B = 1"


def test_a_moment_finer_than_the_wire_never_narrows_a_comparison() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 900)  # noqa: DTZ001  # the ERP's clock has no zone
    assert render(Comparison("Due", Operator.LT, moment)) != "Due < '20260102 03:04:05.000'"


def test_a_conjunction_of_absent_terms_is_absent() -> None:
    assert all_of(None, None) is None
    assert all_of() is None
    assert all_of(None, NullTest("A")) == NullTest("A")
    assert all_of(NullTest("A"), None, NullTest("B")) == AllOf((NullTest("A"), NullTest("B")))


def test_a_conjunction_with_nothing_is_nothing() -> None:
    assert all_of(NullTest("A"), Nothing(), None) == Nothing()


@given(st.lists(st.text("abc", max_size=9), max_size=40), st.integers(1, 60))
def test_split_keys_covers_each_key_once_in_runs_that_fit_and_could_not_be_longer(
    keys: list[str], limit: int
) -> None:
    def fits(run: tuple[str, ...]) -> bool:
        return sum(map(len, run)) + len(run) <= limit

    runs = list(split_keys(keys, fits))
    assert [key for run in runs for key in run] == keys
    assert all(fits(run) or len(run) == 1 for run in runs)
    assert not any(fits((*run, after[0])) for run, after in pairwise(runs))


def test_a_key_that_alone_is_too_long_still_gets_a_run_of_its_own() -> None:
    assert list(split_keys(["a", "bbbb", "c"], lambda run: len("".join(run)) < 3)) == [("a",), ("bbbb",), ("c",)]


@given(QUOTELESS)
def test_the_simulator_reads_the_same_text_out_of_a_filter(text: str) -> None:
    assume(text)
    parsed = parse(render(equals("Name", text)))
    assert isinstance(parsed, ParsedComparison)
    assert parsed.right == Text(text)
