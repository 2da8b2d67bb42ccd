"""Conditions for the lake, in the part of its SQL that all engines behind it read alike."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
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
)
from kai_erp.core.lake_sql import LakeTables, literal, render, same_key

COLUMNS = {"Item": "i.item", "Name": "a.name", "Seq": "a.cust_seq"}


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (AnyKey("Item", ("C12", "C000012")), "LOWER(TRIM(i.item)) IN (LOWER('C12'), LOWER('C000012'))"),
        (AnyKey("Item", ("888", "    888")), "LOWER(TRIM(i.item)) IN (LOWER('888'))"),
        (AnyKey("Item", ()), "1 = 0"),
        (Nothing(), "1 = 0"),
        (AnyOf(()), "1 = 0"),
        (Like("Name", "d'A%_["), "CHARINDEX(LOWER('d''A%_['), LOWER(a.name)) > 0"),
        (
            Like("Item", "FB*1*", wildcard=True),
            "CHARINDEX(LOWER('FB'), LOWER(i.item)) > 0 AND CHARINDEX(LOWER('1'), LOWER(i.item)) > 0",
        ),
        (Like("Item", "*", wildcard=True), "i.item IS NOT NULL"),
        (NullTest("Name"), "a.name IS NULL"),
        (Comparison("Seq", Operator.EQ, 0), "a.cust_seq = 0"),
        (Comparison("Seq", Operator.GT, Decimal("0.50")), "a.cust_seq > 0.50"),
        (Comparison("Name", Operator.NE, " Main "), "LOWER(TRIM(a.name)) <> LOWER('Main')"),
        (
            AllOf((NullTest("Name"), AnyOf((NullTest("Item"), Comparison("Seq", Operator.EQ, 1))))),
            "(a.name IS NULL) AND ((i.item IS NULL) OR (a.cust_seq = 1))",
        ),
    ],
)
def test_a_condition_is_written_so_that_every_engine_reads_it_alike(expression: Expression, text: str) -> None:
    assert render(expression, COLUMNS) == text


@pytest.mark.parametrize(
    "expression",
    [
        Comparison("Name", Operator.LT, "m"),
        Comparison("Name", Operator.EQ, datetime(2026, 1, 1)),  # noqa: DTZ001  # the ERP's clock has no zone
        AnyKey("Name", ("a\0b",)),
    ],
)
def test_what_has_no_safe_form_is_refused(expression: Expression) -> None:
    with pytest.raises(ValueError, match=r"texts|dates|NUL"):
        render(expression, COLUMNS)


def test_a_backslash_is_no_escape_anywhere_since_it_stands_in_no_literal() -> None:
    assert literal("\\' OR 1=1") == "CONCAT('', CHAR(92), ''' OR 1=1')"


@given(st.text(st.characters(exclude_characters="\0")))
def test_no_text_leaves_its_literal(text: str) -> None:
    written = literal(text)
    bare = written.replace("''", "")
    assert "\\" not in written
    assert bare.count("'") % 2 == 0
    outside = bare.split("'")[::2]
    assert set("".join(outside)) <= set("CONCATHR(), 92")


def test_a_table_is_found_under_its_name_in_the_lake() -> None:
    tables = LakeTables("default.{table}_mst")
    assert tables.source("job") == tables.name("job") == "default.job_mst"
    assert tables.condition() == "1 = 1"


def test_of_several_sites_only_ours_is_read() -> None:
    tables = LakeTables("csi_{table}", "O'HARE")
    assert tables.source("co") == "(SELECT * FROM csi_co WHERE site_ref = 'O''HARE')"
    assert tables.condition() == "site_ref = 'O''HARE'"


def test_keys_are_compared_trimmed_and_in_one_case() -> None:
    assert same_key("a.job", "b.job") == "LOWER(TRIM(a.job)) = LOWER(TRIM(b.job))"
