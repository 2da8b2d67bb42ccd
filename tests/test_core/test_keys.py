import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core.keys import expand_key, fold_key, stored_forms

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=15)
WIDTHS = st.lists(st.integers(1, 30), max_size=3).map(tuple)
BLANKS = st.text(" ", max_size=5)
PREFIX = st.text(
    st.characters(min_codepoint=65, max_codepoint=122, categories=["Lu", "Ll"]), min_size=1, max_size=4
)
SHORT_FORMS = st.one_of(
    st.integers(0, 10**9).map(str),
    st.tuples(PREFIX, st.integers(0, 10**6)).map(lambda pair: f"{pair[0]}{pair[1]}"),
)


def meaning(key: str) -> tuple[str, str]:
    """Return what a stored key identifies: its prefix without regard to case, and its number."""
    prefix, number = re.fullmatch(r"([A-Za-z]*)(\d+)", key.strip()).groups()  # type: ignore[union-attr]
    return prefix.lower(), number.lstrip("0") if prefix else number


@pytest.mark.parametrize(
    ("typed", "widths", "forms"),
    [
        ("888", (7,), ("888", "    888")),
        (" 888 ", (7,), ("888", "    888")),
        ("    888", (7,), ("888", "    888")),
        ("C12", (7,), ("C12", "C000012")),
        ("c12", (7,), ("c12", "c000012")),
        ("C000012", (7,), ("C000012",)),
        ("C0012", (7,), ("C0012", "C000012")),
        ("J35479", (10, 20), ("J35479", "J000035479", "J0000000000000035479")),
        ("342", (10, 20), ("342", " " * 7 + "342", " " * 17 + "342")),
        ("12345678901", (10,), ("12345678901",)),
        ("12345678901", (10, 20), ("12345678901", " " * 9 + "12345678901")),
        ("FB-1020", (10,), ("FB-1020",)),
        ("C0", (4,), ("C0", "C000")),
        ("12C", (7,), ("12C",)),
        ("٣٤", (7,), ("٣٤",)),
        ("", (7,), ("",)),
    ],
)
def test_a_typed_key_stands_for_these_stored_forms(
    typed: str, widths: tuple[int, ...], forms: tuple[str, ...]
) -> None:
    assert expand_key(typed, widths) == forms


@given(SHORT_FORMS, BLANKS, BLANKS, WIDTHS)
def test_every_form_identifies_the_key_that_was_typed(
    typed: str, before: str, after: str, widths: tuple[int, ...]
) -> None:
    forms = expand_key(before + typed + after, widths)
    assert forms[0] == typed
    assert {meaning(form) for form in forms} == {meaning(typed)}


@given(TEXT, WIDTHS)
def test_every_form_but_the_typed_one_fills_one_of_the_widths(typed: str, widths: tuple[int, ...]) -> None:
    first, *filled = expand_key(typed, widths)
    assert first == typed.strip()
    assert all(len(form) in widths for form in filled)


@given(TEXT, WIDTHS)
def test_no_form_is_listed_twice(typed: str, widths: tuple[int, ...]) -> None:
    forms = expand_key(typed, widths)
    assert len(set(forms)) == len(forms)


@given(SHORT_FORMS, st.integers(14, 30))
def test_a_short_form_finds_the_stored_key_and_the_stored_key_finds_itself(typed: str, width: int) -> None:
    stored = expand_key(typed, (width,))[-1]
    assert len(stored) == width
    assert stored.strip() in {form.strip() for form in expand_key(stored, (width,))}
    assert fold_key(stored) in {fold_key(form) for form in expand_key(typed.swapcase(), (width,))}


@given(SHORT_FORMS, SHORT_FORMS)
def test_different_keys_share_no_form(one: str, other: str) -> None:
    if meaning(one) != meaning(other):
        forms = {fold_key(form) for form in expand_key(one, (14,))}
        assert forms.isdisjoint(fold_key(form) for form in expand_key(other, (14,)))


@given(TEXT, BLANKS, BLANKS)
def test_folding_does_not_see_blanks_around_a_key(key: str, before: str, after: str) -> None:
    assert fold_key(before + key + after) == fold_key(key)


@given(TEXT)
def test_folding_twice_changes_nothing(key: str) -> None:
    assert fold_key(fold_key(key)) == fold_key(key)


@pytest.mark.parametrize(("one", "other"), [("c12", "C12"), ("straße", "STRASSE"), ("σας", "ΣΑΣ"), ("é", "É")])
def test_folding_does_not_see_case(one: str, other: str) -> None:
    assert fold_key(one) == fold_key(other)


def test_folding_keeps_blanks_and_zeros_within_a_key() -> None:
    assert len({fold_key(key) for key in ("C 12", "C12", "C012", "C-12")}) == 4


@pytest.mark.parametrize(
    ("held", "widths", "forms"),
    [
        ("888", (7,), ("888", "    888")),
        ("    888", (7,), ("    888", "888")),
        ("C12", (7,), ("C12", "C000012")),
        ("C000012", (7,), ("C000012",)),
        ("C000012  ", (7,), ("C000012",)),
        ("99001", (10, 20), ("99001", "     99001", "               99001")),
        ("FB-1020", (), ("FB-1020",)),
        (" FB-1020 ", (), (" FB-1020", "FB-1020")),
    ],
)
def test_a_key_of_one_table_is_looked_for_in_every_form_that_another_may_hold(
    held: str, widths: tuple[int, ...], forms: tuple[str, ...]
) -> None:
    assert stored_forms(held, widths) == forms
