"""The oracle of the customer search against answers worked out by hand."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.oracles.answers import Expected
from tests.oracles.customer_search import expected_customers
from tests.oracles.wire import Row

POSTAL: Row = {
    "CustNum": "C000012",
    "CustSeq": "0",
    "Name": "Alder Truck Sales ",
    "Addr_1": "1 Mill St",
    "Addr_2": " ",
    "City": "Saint-Jérôme",
    "State": "QC",
    "Zip": "J7Z 1A1",
    "Country": "Canada",
}
DEFAULTS: dict[str, Row] = {
    "SLCustomers": {
        **POSTAL,
        "Contact_1": "A. Novak",
        "Phone_1": "555-0101",
        "CustomerEmailAddr": "orders@example.com",
        "CurrCode": "CAD",
        "CreditHold": "0",
        "CreditLimit": "50000.00000000",
        "TermsCode": "N30",
        "CustType": "DEALER",
        "ShowInDropDownList": "1",
    },
    "SLCustAddrs": {**POSTAL, "Name": "Alder office", "Addr_2": "Dock 2"},
}


def tables(**changes: Sequence[Row]) -> dict[str, list[Row]]:
    """Return one default row per collection, or one per change with that change made to it."""
    return {
        name: [{**default, **change} for change in changes.get(name, [{}])] for name, default in DEFAULTS.items()
    }


def numbers(answer: Expected) -> list[object]:
    return [shown["customer_num"] for shown in answer.records]


def record(answer: Expected) -> dict[str, object]:
    """Return the only customer."""
    (only,) = answer.records
    return only


def test_a_customer_has_the_fields_of_the_contract_in_its_order() -> None:
    assert list(record(expected_customers(tables(), query="alder")).items()) == [
        ("customer_num", "C000012"),
        ("name", "Alder Truck Sales"),
        ("contact_name", "A. Novak"),
        ("phone", "555-0101"),
        ("email", "orders@example.com"),
        ("address_1", "1 Mill St"),
        ("address_2", None),
        ("city", "Saint-Jérôme"),
        ("state", "QC"),
        ("zip_code", "J7Z 1A1"),
        ("country", "Canada"),
        ("active", True),
        ("credit_hold", False),
        ("credit_limit", Decimal(50000)),
        ("currency", "CAD"),
        ("payment_terms", "N30"),
        ("customer_type", "DEALER"),
        ("addresses", record(expected_customers(tables(), query="alder"))["addresses"]),
    ]


def test_addresses_are_those_of_the_address_collection_by_sequence() -> None:
    rows = tables(
        SLCustAddrs=[
            {"CustSeq": "10", "Name": "Yard 10"},
            {"CustSeq": "2", "Name": "Yard 2", "CustNum": "c000012 "},
            {},
            {"CustNum": "C000013"},
        ]
    )
    addresses = record(expected_customers(rows, query="C12"))["addresses"]
    assert isinstance(addresses, list)
    assert [(one["sequence"], one["name"], one["is_default"]) for one in addresses] == [
        (0, "Alder office", True),
        (2, "Yard 2", False),
        (10, "Yard 10", False),
    ]
    assert list(addresses[0].items()) == [
        ("sequence", 0),
        ("name", "Alder office"),
        ("address_1", "1 Mill St"),
        ("address_2", "Dock 2"),
        ("city", "Saint-Jérôme"),
        ("state", "QC"),
        ("zip_code", "J7Z 1A1"),
        ("country", "Canada"),
        ("is_default", True),
    ]


def test_without_the_address_collection_the_default_one_is_the_customer_s_own() -> None:
    rows = tables(SLCustAddrs=[{}, {"CustSeq": "1"}])
    addresses = record(expected_customers(rows, query="C12", missing=frozenset({"SLCustAddrs"})))["addresses"]
    assert addresses == [
        {
            "sequence": 0,
            "name": "Alder Truck Sales",
            "address_1": "1 Mill St",
            "address_2": None,
            "city": "Saint-Jérôme",
            "state": "QC",
            "zip_code": "J7Z 1A1",
            "country": "Canada",
            "is_default": True,
        }
    ]


def test_a_customer_whose_addresses_are_lost_has_none() -> None:
    rows = tables(SLCustAddrs=[{"CustNum": "C000013"}])
    assert record(expected_customers(rows, query="C12"))["addresses"] == []


@pytest.mark.parametrize(
    "text",
    [
        "Alder",
        "TRUCK",
        "r t",
        "e",
        "jérôme",
        "JÉRÔME",
        "saint-",
        "qc",
        " QC ",
        "C000012",
        "c12",
        "C0012",
        " c12  ",
    ],
)
def test_a_customer_is_found_by_part_of_name_or_city_by_state_or_number(text: str) -> None:
    assert numbers(expected_customers(tables(), query=text)) == ["C000012"]


@pytest.mark.parametrize(
    "text",
    ["q", "C", "12", "C1", "C00001", "C112", "%", "*", "_", "al*", "Jerome", "Mill", "Canada", "J7Z", "CAD"],
)
def test_nothing_else_finds_a_customer(text: str) -> None:
    rows = tables(SLCustomers=[{"City": "Jérômé", "Name": "Alder Truk Sales"}])
    assert numbers(expected_customers(rows, query=text)) == []


@pytest.mark.parametrize("text", ["888", "    888", "888 "])
def test_a_number_without_a_prefix_is_found_short_and_padded(text: str) -> None:
    rows = tables(SLCustomers=[{"CustNum": "    888"}, {"CustNum": "C000888"}, {"CustNum": "   8880"}])
    assert numbers(expected_customers(rows, query=text)) == ["888"]


@pytest.mark.parametrize("text", ["", "   "])
def test_a_blank_text_finds_nothing(text: str) -> None:
    assert expected_customers(tables(), query=text).records == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("100% Hauling", "% h"),
        ("Fleet_One", "t_o"),
        ("[Demo] Bodies", "[demo]"),
        ("O'Malley", "o'm"),
        ('The "Big Rig" Shop', '"big'),
        ("Łódź", "łÓDŹ"),
        ("Straße", "STRASSE"),
        ("A*B", "a*"),
    ],
)
def test_marks_are_plain_characters(name: str, text: str) -> None:
    rows = tables(SLCustomers=[{"Name": name}, {"CustNum": "C000013", "Name": "OTHER", "City": "TOWN"}])
    assert numbers(expected_customers(rows, query=text)) == ["C000012"]


@pytest.mark.parametrize(
    ("flag", "active"), [("1", True), ("0", False), (None, True), ("", True), ("x", True), ("2", True)]
)
def test_active_is_whoever_is_not_hidden_from_lists(flag: str | None, active: bool) -> None:
    rows = tables(SLCustomers=[{"ShowInDropDownList": flag}])
    assert record(expected_customers(rows, query="alder", active_only=False))["active"] is active
    hidden = expected_customers(rows, query="alder")
    assert len(hidden.records) == active
    assert hidden.summary["inactive_hidden"] == (not active)


def test_an_inactive_customer_is_found_by_its_whole_number() -> None:
    rows = tables(SLCustomers=[{"ShowInDropDownList": "0"}])
    answer = expected_customers(rows, query="c12")
    assert record(answer)["active"] is False
    assert answer.summary == {"total": 1, "active": 0, "on_credit_hold": 0, "inactive_hidden": 0}


def test_ship_to_rows_are_no_customers() -> None:
    rows = tables(SLCustomers=[{"CustSeq": "1"}, {"CustSeq": None}])
    assert expected_customers(rows, query="alder").records == []


def test_a_number_match_stands_first_then_names_then_numbers() -> None:
    rows = tables(
        SLCustomers=[
            {"CustNum": "C000001", "Name": "b 888"},
            {"CustNum": "C000002", "Name": "A 888"},
            {"CustNum": "C000003", "Name": "_ 888"},
            {"CustNum": "C000005", "Name": "a 888 "},
            {"CustNum": "c000004", "Name": "A 888"},
            {"CustNum": "    888", "Name": "Zebra"},
            {"CustNum": "C000006", "Name": None, "City": "888"},
        ]
    )
    answer = expected_customers(rows, query="888")
    assert numbers(answer) == ["888", "C000003", "C000002", "c000004", "C000005", "C000001", "C000006"]


def test_the_summary_counts_the_answer() -> None:
    rows = tables(
        SLCustomers=[
            {},
            {"CustNum": "C000013", "CreditHold": "1"},
            {"CustNum": "C000014", "CreditHold": None, "ShowInDropDownList": "0"},
        ]
    )
    answer = expected_customers(rows, query="alder")
    assert list(answer.summary.items()) == [
        ("total", 2),
        ("active", 2),
        ("on_credit_hold", 1),
        ("inactive_hidden", 1),
    ]
    whole = expected_customers(rows, query="alder", active_only=False)
    assert whole.summary == {"total": 3, "active": 2, "on_credit_hold": 1, "inactive_hidden": 0}


def test_what_the_erp_does_not_tell_is_null() -> None:
    nothing = dict.fromkeys(name for name in DEFAULTS["SLCustomers"] if name not in {"CustNum", "CustSeq"})
    shown = record(expected_customers(tables(SLCustomers=[nothing], SLCustAddrs=[nothing]), query="C12"))
    known = {"customer_num": "C000012", "active": True, "credit_hold": False, "addresses": shown["addresses"]}
    assert {name: value for name, value in shown.items() if value is not None} == known


def test_an_empty_answer_says_so_even_when_somebody_is_hidden() -> None:
    answer = expected_customers(tables(SLCustomers=[{"ShowInDropDownList": "0"}]), query="alder")
    assert answer.records == []
    assert answer.summary == {"total": 0, "active": 0, "on_credit_hold": 0, "inactive_hidden": 1}
    assert answer.codes == {"no_match"}
    assert expected_customers(tables(), query="alder").codes == frozenset()
