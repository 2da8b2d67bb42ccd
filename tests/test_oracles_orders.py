"""The oracle of open orders against answers worked out by hand.

Unless a test says otherwise: 10 ordered and 4 shipped at 25.50 less 10 %, so 229.50 in all and 137.70 open;
due in eight days, with today the 22nd in Berlin (10:00 in London, 11:00 there).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from tests.oracles.answers import Expected
from tests.oracles.open_orders import expected_orders
from tests.oracles.wire import Row

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
DEFAULTS: dict[str, Row] = {
    "SLCos": {
        "CoNum": "CO00000871",
        "Type": "R",
        "Stat": "O",
        "CustNum": "    888",
        "CustSeq": "2",
        "CustPo": "PO-7781",
        "OrderDate": "20261001 00:00:00.000",
        "Whse": "MAIN",
        "Price": "1000.00000000",
        "CreditHold": "0",
        "ShipToName": "Joined yard",
        "ShipToCity": "Joined city",
        "ShipToState": "JC",
    },
    "SLCoitems": {
        "CoNum": "CO00000871",
        "CoLine": "1",
        "CoRelease": "0",
        "Item": "FB-1020",
        "Description": "The line's own bed",
        "Stat": "O",
        "QtyOrdered": "10.00000000",
        "QtyShipped": "4.00000000",
        "Price": "25.50000000",
        "Disc": "10.00000000",
        "UM": "BX",
        "DueDate": "20261130 00:00:00.000",
        "PromiseDate": "20261201 00:00:00.000",
        "Whse": "EAST",
        "IteWhsQtyOnHand": "120.00000000",
    },
    "SLCustomers": {
        "CustNum": "    888",
        "CustSeq": "0",
        "Name": "Alder Truck Sales ",
        "CurrCode": "USD",
        "CreditHold": "0",
    },
    "SLItems": {"Item": "FB-1020", "Description": "Flat bed 10 ft  ", "UM": "EA"},
    "SLCustAddrs": {"CustNum": "    888", "CustSeq": "2", "Name": "Alder yard", "City": "Akron", "State": "OH"},
}

orders = partial(expected_orders, now=NOW, zone=BERLIN)


def plant(**changes: Sequence[Row]) -> dict[str, list[Row]]:
    """Return one default row per collection, or one per change with that change made to it."""
    return {
        name: [{**default, **change} for change in changes.get(name, [{}])] for name, default in DEFAULTS.items()
    }


def record(answer: Expected) -> dict[str, object]:
    """Return the only order."""
    (only,) = answer.records
    return only


def lines(answer: Expected) -> list[dict[str, object]]:
    """Return the lines of all orders."""
    found = []
    for shown in answer.records:
        assert isinstance(shown["lines"], list)
        found += shown["lines"]
    return found


def one(name: str, **changes: str | None) -> object:
    """Return one field of the default line, with changes to its row."""
    (only,) = lines(orders(plant(SLCoitems=[changes])))
    return only[name]


def order_nums(answer: Expected) -> list[object]:
    return [shown["order_num"] for shown in answer.records]


def test_an_order_has_the_fields_of_the_contract_in_its_order() -> None:
    shown = record(orders(plant()))

    assert list(shown.items()) == [
        ("order_num", "CO00000871"),
        ("customer_num", "888"),
        ("customer_name", "Alder Truck Sales"),
        ("customer_po", "PO-7781"),
        ("order_date", date(2026, 10, 1)),
        ("due_date", date(2026, 11, 30)),
        ("days_until_due", 8),
        ("is_late", False),
        ("status", "open"),
        ("ship_to_name", "Alder yard"),
        ("ship_to_city", "Akron"),
        ("ship_to_state", "OH"),
        ("credit_hold", False),
        ("currency", "USD"),
        ("total_amount", Decimal(1000)),
        ("open_amount", Decimal("137.70")),
        ("lines", shown["lines"]),
    ]


def test_a_line_has_the_fields_of_the_contract_in_its_order() -> None:
    (shown,) = lines(orders(plant()))

    assert list(shown.items()) == [
        ("line", 1),
        ("release", 0),
        ("item", "FB-1020"),
        ("item_description", "Flat bed 10 ft"),
        ("um", "EA"),
        ("qty_ordered", Decimal(10)),
        ("qty_shipped", Decimal(4)),
        ("qty_remaining", Decimal(6)),
        ("unit_price", Decimal("25.5")),
        ("discount_pct", Decimal(10)),
        ("extended_price", Decimal("229.50")),
        ("open_amount", Decimal("137.70")),
        ("due_date", date(2026, 11, 30)),
        ("promise_date", date(2026, 12, 1)),
        ("days_until_due", 8),
        ("is_late", False),
        ("warehouse", "EAST"),
        ("qty_on_hand", Decimal(120)),
    ]


@pytest.mark.parametrize(
    ("kind", "stat", "shown"),
    [
        ("R", "O", True),
        ("B", "S", True),
        (None, "O", True),
        ("E", "O", False),
        ("R", "P", False),
        ("R", "C", False),
        ("R", "H", False),
        ("R", None, False),
    ],
)
def test_open_orders_are_ordered_or_stopped_and_no_estimates(
    kind: str | None, stat: str | None, shown: bool
) -> None:
    assert bool(orders(plant(SLCos=[{"Type": kind, "Stat": stat}])).records) is shown


@pytest.mark.parametrize(
    ("stat", "ordered", "shipped", "shown"),
    [
        ("O", "10", "9.99999999", True),
        ("O", "10", "10.00000000", False),
        ("O", "10", "11", False),
        ("O", "10", None, True),
        ("O", None, "0", False),
        ("O", None, "-1", True),
        ("F", "10", "4", False),
        ("P", "10", "4", False),
        ("C", "10", "4", False),
    ],
)
def test_open_lines_are_ordered_and_not_wholly_shipped(
    stat: str, ordered: str | None, shipped: str | None, shown: bool
) -> None:
    rows = plant(SLCoitems=[{"Stat": stat, "QtyOrdered": ordered, "QtyShipped": shipped}])
    assert bool(orders(rows).records) is shown


def test_a_stopped_order_says_so() -> None:
    assert record(orders(plant(SLCos=[{"Stat": "S"}])))["status"] == "stopped"


def test_a_line_without_its_header_and_a_header_without_lines_are_not_open() -> None:
    assert orders(plant(SLCoitems=[{"CoNum": "CO00000872"}])).records == []


def test_a_line_finds_its_header_customer_and_item_however_they_are_spelled() -> None:
    rows = plant(SLCos=[{"CustNum": " 888 "}], SLCoitems=[{"CoNum": " co00000871  ", "Item": "fb-1020 "}])
    shown = record(orders(rows))
    assert (shown["customer_name"], shown["ship_to_name"]) == ("Alder Truck Sales", "Alder yard")
    assert lines(orders(rows))[0]["item_description"] == "Flat bed 10 ft"
    assert lines(orders(rows))[0]["item"] == "fb-1020"


def test_the_due_date_is_the_promise_date_when_there_is_none() -> None:
    for far in (None, "20490101 00:00:00.000", "20491231 00:00:00.000", "soon"):
        assert one("due_date", DueDate=far) == date(2026, 12, 1)
    assert one("due_date", DueDate="20481231 00:00:00.000") == date(2048, 12, 31)
    assert one("due_date", DueDate=None, PromiseDate="20491231 00:00:00.000") is None
    assert one("promise_date", PromiseDate="20491231 00:00:00.000") is None


def test_an_undated_line_is_not_late_and_has_no_days() -> None:
    shown = record(orders(plant(SLCoitems=[{"DueDate": None, "PromiseDate": None}])))
    assert (shown["due_date"], shown["days_until_due"], shown["is_late"]) == (None, None, False)
    assert (one("days_until_due", DueDate=None, PromiseDate=None)) is None


def test_today_is_that_of_the_zone() -> None:
    evening = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # already the 23rd in Berlin
    rows = plant(SLCoitems=[{"DueDate": "20261122 00:00:00.000"}])
    assert record(expected_orders(rows, now=evening, zone=BERLIN))["days_until_due"] == -1
    assert record(expected_orders(rows, now=evening, zone=BERLIN))["is_late"] is True
    assert record(expected_orders(rows, now=evening, zone=ZoneInfo("UTC")))["is_late"] is False


def test_an_order_is_due_with_the_earliest_of_the_lines_shown() -> None:
    rows = plant(
        SLCoitems=[
            {"CoLine": "1"},
            {"CoLine": "2", "DueDate": "20261120 00:00:00.000"},
            {"CoLine": "3", "DueDate": "20261101 00:00:00.000", "Stat": "F"},
            {"CoLine": "4", "DueDate": None, "PromiseDate": None},
        ]
    )
    shown = record(orders(rows))
    assert (shown["due_date"], shown["days_until_due"], shown["is_late"]) == (date(2026, 11, 20), -2, True)
    assert record(orders(rows, item="fb-1020", days_out=365))["due_date"] == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("days_out", "left"), [(0, ["2", "3"]), (7, ["2", "3"]), (8, ["1", "2", "3"]), (None, ["1", "2", "3", "4"])]
)
def test_days_out_keeps_what_is_past_due_and_drops_what_is_undated(days_out: int | None, left: list[str]) -> None:
    answer = orders(dated_lines(), days_out=days_out)
    assert [str(line["line"]) for line in lines(answer)] == left


def dated_lines() -> dict[str, list[Row]]:
    dues = {"1": "20261130", "2": "20261122", "3": "20261121", "4": None}
    return plant(SLCoitems=[{"CoLine": n, "DueDate": due, "PromiseDate": None} for n, due in dues.items()])


def test_late_only_keeps_what_is_due_before_today() -> None:
    answer = orders(dated_lines(), late_only=True)
    assert [line["line"] for line in lines(answer)] == [3]
    assert orders(dated_lines(), late_only=True, days_out=0).records == answer.records


def test_the_amounts_of_an_order_are_those_of_the_lines_shown() -> None:
    rows = plant(SLCoitems=[{"CoLine": "1"}, {"CoLine": "2", "Item": "OTHER", "QtyShipped": "0"}])
    assert record(orders(rows))["open_amount"] == Decimal("367.20")
    assert record(orders(rows, item=" other "))["open_amount"] == Decimal("229.50")
    assert record(orders(rows, item="OTHER"))["total_amount"] == Decimal(1000)


@pytest.mark.parametrize(
    ("ordered", "price", "disc", "amount"),
    [
        ("1", "0.00500000", "0", "0.01"),  # half up
        ("1", "0.00499999", "0", "0.00"),
        ("1", "-0.00500000", None, "-0.01"),  # away from zero
        ("3", "1.11500000", "0", "3.35"),  # 3.345
        ("0.5", "33.33000000", "2.50000000", "16.25"),  # 16.248375
        ("1", "100", "150", "-50.00"),
        ("1", "100", "-12.5", "112.50"),
    ],
)
def test_amounts_are_rounded_half_up_per_line(ordered: str, price: str, disc: str | None, amount: str) -> None:
    changes = {"QtyOrdered": ordered, "QtyShipped": None, "Price": price, "Disc": disc}
    assert one("extended_price", **changes) == Decimal(amount)
    assert one("open_amount", **changes) == Decimal(amount)


def test_amounts_are_rounded_before_they_are_summed() -> None:
    cells = {"QtyOrdered": "1", "QtyShipped": "0", "Price": "0.00500000", "Disc": "0"}
    answer = orders(plant(SLCoitems=[{"CoLine": "1", **cells}, {"CoLine": "2", **cells}]))
    assert record(answer)["open_amount"] == Decimal("0.02")
    assert answer.summary["open_amount"] == Decimal("0.02")


def test_a_line_without_a_price_has_no_amounts_and_sums_count_it_as_nothing() -> None:
    rows = plant(SLCoitems=[{"CoLine": "1", "Price": None}, {"CoLine": "2"}])
    first, _ = lines(orders(rows))
    assert [first[name] for name in ("unit_price", "extended_price", "open_amount")] == [None] * 3
    assert record(orders(rows))["open_amount"] == Decimal("137.70")
    assert record(orders(plant(SLCoitems=[{"Price": None}])))["open_amount"] == 0
    assert record(orders(plant(SLCos=[{"Price": None}])))["total_amount"] is None
    assert one("discount_pct", Disc=None) == 0


def test_what_the_line_lacks_comes_from_the_header_and_what_the_item_lacks_from_the_line() -> None:
    assert one("warehouse", Whse=" ") == "MAIN"
    assert one("item_description", Item="FREIGHT") == "The line's own bed"
    assert one("um", Item="FREIGHT") == "BX"
    assert one("item", Item=None) is None
    assert one("qty_on_hand", IteWhsQtyOnHand=None) is None
    bare = plant(SLItems=[{"Description": " ", "UM": None}])
    assert [lines(orders(bare))[0][name] for name in ("item_description", "um")] == ["The line's own bed", "BX"]


def test_without_items_the_line_says_what_it_can() -> None:
    (shown,) = lines(orders(plant(), missing=frozenset({"SLItems"})))
    assert (shown["item_description"], shown["um"]) == ("The line's own bed", "BX")


def test_the_ship_to_is_the_address_of_the_header_as_a_whole_else_what_the_header_joins() -> None:
    def ship_to(rows: dict[str, list[Row]], *missing: str) -> list[object]:
        shown = record(orders(rows, missing=frozenset(missing)))
        return [shown[name] for name in ("ship_to_name", "ship_to_city", "ship_to_state")]

    joined = ["Joined yard", "Joined city", "JC"]
    assert ship_to(plant()) == ["Alder yard", "Akron", "OH"]
    assert ship_to(plant(SLCustAddrs=[{"City": None}])) == ["Alder yard", None, "OH"]
    assert ship_to(plant(SLCustAddrs=[{"CustSeq": "3"}])) == joined
    assert ship_to(plant(SLCos=[{"CustSeq": None}])) == joined
    assert ship_to(plant(), "SLCustAddrs") == joined


def test_the_customer_is_the_one_with_sequence_0() -> None:
    rows = plant(SLCustomers=[{"CustSeq": "2", "Name": "Yard"}, {"CustSeq": "0"}])
    assert record(orders(rows))["customer_name"] == "Alder Truck Sales"
    shown = record(orders(plant(SLCustomers=[{"CustSeq": "2"}])))
    assert (shown["customer_num"], shown["customer_name"], shown["currency"]) == ("888", None, None)


@pytest.mark.parametrize(
    ("order", "customer", "held"), [("0", "1", True), ("1", None, True), (None, None, False), (None, "0", False)]
)
def test_credit_is_held_of_the_order_or_of_the_customer(
    order: str | None, customer: str | None, held: bool
) -> None:
    rows = plant(SLCos=[{"CreditHold": order}], SLCustomers=[{"CreditHold": customer}])
    assert record(orders(rows))["credit_hold"] is held


@pytest.mark.parametrize("text", ["888", "    888", "  888  ", "alder", "TRUCK SALES", "r t", "Alder Truck Sales"])
def test_a_customer_is_found_by_number_or_part_of_the_name(text: str) -> None:
    assert len(orders(plant(), customer=text).records) == 1


@pytest.mark.parametrize("text", ["88", "0888", "*", "alder%", "Alder Yard", "Akron"])
def test_another_customer_is_not_found(text: str) -> None:
    assert orders(plant(), customer=text).records == []


def test_a_customer_number_wins_over_names_that_contain_it() -> None:
    rows = plant(
        SLCos=[{}, {"CoNum": "CO00000872", "CustNum": "C000012"}],
        SLCoitems=[{}, {"CoNum": "CO00000872"}],
        SLCustomers=[{}, {"CustNum": "C000012", "Name": "Studio 888"}, {"CustNum": "C000088", "Name": "Nobody"}],
    )
    assert order_nums(orders(rows, customer="888")) == ["CO00000871"]
    assert order_nums(orders(rows, customer="88")) == ["CO00000872"]
    assert order_nums(orders(rows, customer="c12")) == ["CO00000872"]
    assert order_nums(orders(rows, customer="C88")) == []


@pytest.mark.parametrize("text", ["CO00000871", "co871", " CO0871 ", "PO-7781", "po-7781 "])
def test_an_order_is_found_by_its_number_or_the_customer_s_own(text: str) -> None:
    assert order_nums(orders(plant(), order=text)) == ["CO00000871"]


@pytest.mark.parametrize("text", ["871", "CO87", "PO-778", "PO-7781*", "CO*"])
def test_another_order_is_not_found(text: str) -> None:
    assert orders(plant(), order=text).records == []


def test_an_old_order_number_is_found_short_and_padded() -> None:
    rows = plant(SLCos=[{"CoNum": "    100234"}], SLCoitems=[{"CoNum": "    100234"}])
    assert order_nums(orders(rows, order="100234")) == order_nums(orders(rows, order="    100234")) == ["100234"]


def test_a_blank_filter_counts_as_absent() -> None:
    assert len(orders(plant(), customer=" ", order="", item="  ").records) == 1


def test_orders_stand_by_due_date_and_number_lines_by_line_and_release() -> None:
    placed = [
        ("_1", "20261201"),
        ("b1", "20261201"),
        ("B2", "20261201"),
        ("A1", "20261202"),
        ("a2", None),
        ("A3", None),
    ]
    rows = plant(
        SLCos=[{"CoNum": number} for number, _ in placed[::-1]],
        SLCoitems=[
            {"CoNum": number, "CoLine": line, "CoRelease": release, "DueDate": due, "PromiseDate": None}
            for number, due in placed
            for line, release in (("10", "0"), ("2", "10"), ("2", "9"))
        ],
    )
    answer = orders(rows)
    assert order_nums(answer) == [number for number, _ in placed]
    assert [(line["line"], line["release"]) for line in lines(answer)[:3]] == [(2, 9), (2, 10), (10, 0)]


def test_the_summary_counts_the_answer() -> None:
    rows = plant(
        SLCos=[{}, {"CoNum": "CO00000872"}],
        SLCoitems=[
            {},
            {"CoLine": "2", "DueDate": "20261121"},
            {"CoLine": "3", "DueDate": "20261120"},
            {"CoNum": "CO00000872"},
        ],
    )
    answer = orders(rows)
    assert list(answer.summary.items()) == [
        ("total", 2),
        ("lines", 4),
        ("late_orders", 1),
        ("late_lines", 2),
        ("open_amount", Decimal("550.80")),
    ]
    assert answer.codes == frozenset()


@pytest.mark.parametrize(("other", "mixed"), [("CAD", True), ("usd ", False), (None, False), (" ", False)])
def test_several_currencies_have_no_common_sum(other: str | None, mixed: bool) -> None:
    rows = plant(
        SLCos=[{}, {"CoNum": "CO00000872", "CustNum": "C000012"}],
        SLCoitems=[{}, {"CoNum": "CO00000872"}],
        SLCustomers=[{}, {"CustNum": "C000012", "CurrCode": other, "Name": "Birch"}],
    )
    answer = orders(rows)
    assert answer.summary["open_amount"] == (None if mixed else Decimal("275.40"))
    assert answer.codes == ({"mixed_currencies"} if mixed else set())
    assert orders(rows, customer="Birch").summary["open_amount"] == Decimal("137.70")


def test_an_empty_answer_has_a_summary_of_nothing_and_says_so() -> None:
    answer = orders(plant(), order="NONE")
    assert answer.summary == {"total": 0, "lines": 0, "late_orders": 0, "late_lines": 0, "open_amount": Decimal(0)}
    assert answer.codes == {"no_match"}
