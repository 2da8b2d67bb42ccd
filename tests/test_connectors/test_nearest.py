"""What an empty answer suggests, and what texts a filter takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kai_erp.connectors import ScheduleQuery
from kai_erp.connectors.nearest import nearest, no_match

CENTERS = ["WELD", "WELD2", "ASSY", "PAINT", "Weld "]


def test_the_nearest_values_come_first() -> None:
    assert nearest("WELT", ["PAINT", "WELD2", "WELD"])[0] == "WELD"


def test_values_that_contain_the_text_or_are_contained_in_it_are_near() -> None:
    assert nearest("J12", ["J000000012", "XJ12Y"]) == ["XJ12Y"]
    assert "WELD" in nearest("WELDING", ["WELD"])


def test_case_does_not_matter_and_each_value_stands_once() -> None:
    assert nearest("weld", ["WELD", "Weld", "WELD"]) == ["WELD"]


@given(st.text(max_size=12), st.lists(st.text(min_size=1, max_size=8)))
def test_suggestions_are_few_distinct_and_known(text: str, known: list[str]) -> None:
    found = nearest(text, known)
    assert len(found) == len(set(found)) <= 5
    assert set(found) <= set(known)


def test_the_warning_repeats_what_was_asked_for() -> None:
    notice = no_match({"work_center": "WELT", "include_completed": True}, {"work_center": CENTERS})
    assert notice.code == "no_match"
    assert notice.message.startswith("Nothing matches work_center=WELT, include_completed=True. Nearest known")


def test_without_filters_there_is_nothing_of_the_kind() -> None:
    assert no_match({}, {}).message == "The ERP has nothing of this kind now."


@pytest.mark.parametrize("text", ["x" * 201, "\x00", "a\tb", "a\nb", "\x7f", "\x9b", "\ud800"])
def test_long_texts_and_control_characters_are_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ScheduleQuery(work_center=text)


@pytest.mark.parametrize(
    ("text", "kept"), [("x" * 200, "x" * 200), (" A ", "A"), ("", None), (" ", None), ("日本", "日本")]
)
def test_blanks_around_a_text_are_dropped_and_a_blank_one_counts_as_absent(text: str, kept: str | None) -> None:
    assert ScheduleQuery(job=text).job == kept


def test_unknown_parameters_are_refused() -> None:
    with pytest.raises(ValidationError):
        ScheduleQuery.model_validate({"wc": "WELD"})
