"""The oracle of the inventory status against answers worked out by hand.

Unless a test says otherwise: 120 on hand in MAIN, 30 + 2 asked for there and 40 by jobs, so 48 are available;
ordered again at 20.
"""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from tests.oracles.answers import Expected
from tests.oracles.inventory_status import expected_inventory
from tests.oracles.wire import Row

DEFAULTS: dict[str, Row] = {
    "SLItems": {
        "Item": "FB-1020",
        "Description": "Flat bed 10 ft  ",
        "UM": "EA",
        "Stat": "A",
        "ProductCode": "BEDS",
        "UseReorderPoint": "1",
        "ReorderPoint": "20.00000000",
        "QtyAllocjob": "40.00000000",
        "UnitCost": "125.50000000",
    },
    "SLItemwhses": {
        "Item": "FB-1020",
        "Whse": "MAIN",
        "QtyOnHand": "120.00000000",
        "QtyAllocCo": "30.00000000",
        "AllocTrn": "2.00000000",
        "QtyRsvdCo": "7.00000000",
        "QtyOrdered": "200.00000000",
        "QtyReorder": "25.00000000",
        "QtyWip": "15.00000000",
        "QtyTrans": "3.00000000",
        "QtyAllocjob": "40.00000000",
    },
    "SLItemLocs": {
        "Item": "FB-1020",
        "Whse": "MAIN",
        "Loc": "STOCK",
        "QtyOnHand": "110.00000000",
        "QtyRsvd": "5.00000000",
        "MrbFlag": "0",
    },
}
TWO: list[Row] = [{}, {"Whse": "EAST", "QtyOnHand": "8", "QtyReorder": "1"}]
TOTALS = ("total_on_hand", "total_allocated", "total_available", "safety_stock", "reorder_point")


def plant(**changes: Sequence[Row]) -> dict[str, list[Row]]:
    """Return one default row per collection, or one per change with that change made to it."""
    return {
        name: [{**default, **change} for change in changes.get(name, [{}])] for name, default in DEFAULTS.items()
    }


def record(answer: Expected) -> dict[str, object]:
    """Return the only item."""
    (only,) = answer.records
    return only


def items(answer: Expected) -> list[object]:
    return [shown["item"] for shown in answer.records]


def warehouses(answer: Expected) -> list[dict[str, object]]:
    """Return the stock of the only item."""
    stock = record(answer)["warehouse_stock"]
    assert isinstance(stock, list)
    return stock


def low(stock: Row, item: Row) -> object:
    """Return whether the default item, with changes to its rows, runs low."""
    return record(expected_inventory(plant(SLItemwhses=[stock], SLItems=[item])))["is_low_stock"]


def test_an_item_has_the_fields_of_the_contract_in_its_order() -> None:
    shown = record(expected_inventory(plant()))

    assert list(shown.items()) == [
        ("item", "FB-1020"),
        ("description", "Flat bed 10 ft"),
        ("product_code", "BEDS"),
        ("um", "EA"),
        ("status", "A"),
        ("total_on_hand", Decimal(120)),
        ("total_allocated", Decimal(72)),
        ("total_available", Decimal(48)),
        ("total_on_order", Decimal(200)),
        ("total_wip", Decimal(15)),
        ("total_in_transit", Decimal(3)),
        ("safety_stock", Decimal(25)),
        ("reorder_point", Decimal(20)),
        ("is_low_stock", False),
        ("is_out_of_stock", False),
        ("unit_cost", Decimal("125.5")),
        ("total_value", Decimal("15060.00")),
        ("warehouse_stock", shown["warehouse_stock"]),
    ]


def test_a_warehouse_has_the_fields_of_the_contract_in_its_order() -> None:
    (shown,) = warehouses(expected_inventory(plant()))

    assert list(shown.items()) == [
        ("warehouse", "MAIN"),
        ("qty_on_hand", Decimal(120)),
        ("qty_allocated", Decimal(32)),
        ("qty_available", Decimal(88)),
        ("qty_on_order", Decimal(200)),
        ("qty_wip", Decimal(15)),
        ("qty_in_transit", Decimal(3)),
        ("safety_stock", Decimal(25)),
        (
            "locations",
            [
                {
                    "location": "STOCK",
                    "qty_on_hand": Decimal(110),
                    "qty_reserved": Decimal(5),
                    "under_review": False,
                }
            ],
        ),
    ]


def test_totals_are_sums_over_the_warehouses_with_the_jobs_once() -> None:
    shown = record(expected_inventory(plant(SLItemwhses=TWO)))

    assert [shown[name] for name in TOTALS] == [Decimal(n) for n in (128, 104, 24, 26, 20)]
    assert [shown[name] for name in ("total_on_order", "total_wip", "total_in_transit")] == [400, 30, 6]
    assert shown["total_value"] == Decimal("16064.00")


def test_one_of_several_warehouses_knows_neither_the_jobs_nor_the_reorder_point() -> None:
    answer = expected_inventory(plant(SLItemwhses=TWO), warehouse=" east ")

    shown = record(answer)
    assert [shown[name] for name in TOTALS] == [Decimal(8), Decimal(32), Decimal(-24), Decimal(1), None]
    assert shown["is_low_stock"] is True  # by safety stock
    assert [stock["warehouse"] for stock in warehouses(answer)] == ["EAST"]
    assert answer.codes == {"job_allocation_unplaced"}


@pytest.mark.parametrize("allocated", ["0.00000000", None, ""])
def test_a_job_allocation_of_nothing_is_not_missed(allocated: str | None) -> None:
    rows = plant(SLItemwhses=TWO, SLItems=[{"QtyAllocjob": allocated}])
    assert expected_inventory(rows, warehouse="EAST").codes == frozenset()


def test_only_an_item_that_is_shown_calls_for_the_warning() -> None:
    rows = plant(SLItemwhses=[{}, {"Whse": "EAST", "QtyOnHand": "500"}])
    assert expected_inventory(rows, warehouse="EAST").codes == {"job_allocation_unplaced"}
    assert expected_inventory(rows, warehouse="EAST", low_stock_only=True).codes == {"no_match"}


def test_the_only_warehouse_counts_as_if_it_had_not_been_named() -> None:
    assert expected_inventory(plant(), warehouse="main") == expected_inventory(plant())


def test_items_that_the_warehouse_does_not_hold_are_left_out() -> None:
    answer = expected_inventory(plant(), warehouse="EAST")
    assert answer.records == []
    assert answer.codes == {"no_match"}


def test_an_item_without_any_warehouse_has_no_totals() -> None:
    shown = record(expected_inventory(plant(SLItemwhses=[])))

    names = ("total_on_order", "total_wip", "total_in_transit", "total_value")
    assert [shown[name] for name in (*TOTALS[:4], *names)] == [None] * 8
    assert (shown["is_low_stock"], shown["is_out_of_stock"]) == (False, False)
    assert (shown["warehouse_stock"], shown["reorder_point"]) == ([], Decimal(20))


def test_stock_of_an_item_that_is_lost_does_not_appear() -> None:
    assert expected_inventory(plant(SLItems=[])).records == []


@pytest.mark.parametrize(
    ("on_hand", "point", "safety", "is_low"),
    [
        ("92", "20", "0", True),  # 92 - 72 = 20: at the reorder point
        ("92.00000001", "20", "999", False),  # the reorder point decides alone
        ("96", "0", "25", True),  # 24 is below the safety stock
        ("97", "0", "25", False),  # 25 is not
        ("96", None, "25", True),
        ("96", "-5", "25", True),
        ("-500", "0", "0", False),
        ("-500", None, None, False),
        ("-500", None, "-1", False),
    ],
)
def test_stock_is_low_by_the_reorder_point_or_else_by_the_safety_stock(
    on_hand: str, point: str | None, safety: str | None, is_low: bool
) -> None:
    assert low({"QtyOnHand": on_hand, "QtyReorder": safety}, {"ReorderPoint": point}) is is_low


def test_a_reorder_point_that_is_not_in_use_is_null_and_does_not_decide() -> None:
    for flag in ("0", None, ""):
        rows = plant(SLItems=[{"UseReorderPoint": flag}], SLItemwhses=[{"QtyOnHand": "92", "QtyReorder": "0"}])
        shown = record(expected_inventory(rows))
        assert (shown["reorder_point"], shown["is_low_stock"]) == (None, False)


def test_an_obsolete_item_is_never_low_but_may_be_out_of_stock() -> None:
    rows = plant(SLItems=[{"Stat": "O"}], SLItemwhses=[{"QtyOnHand": "0"}])
    shown = record(expected_inventory(rows))
    assert (shown["status"], shown["is_low_stock"], shown["is_out_of_stock"]) == ("O", False, True)
    assert low({"QtyOnHand": "0"}, {"Stat": "S"}) is True
    assert low({"QtyOnHand": "0"}, {"Stat": None}) is True


@pytest.mark.parametrize(
    ("on_hand", "out"), [("0", True), ("-3.00000000", True), (None, True), ("0.00000001", False)]
)
def test_nothing_on_hand_is_out_of_stock(on_hand: str | None, out: bool) -> None:
    shown = record(expected_inventory(plant(SLItemwhses=[{"QtyOnHand": on_hand}])))
    assert shown["is_out_of_stock"] is out
    assert shown["total_on_hand"] == Decimal(on_hand or 0)


def test_null_quantities_are_zero_and_an_unknown_cost_is_no_value() -> None:
    nothing = dict.fromkeys(name for name in DEFAULTS["SLItemwhses"] if name.startswith("Qty"))
    rows = plant(
        SLItemwhses=[{**nothing, "AllocTrn": None}],
        SLItemLocs=[{"QtyOnHand": None, "QtyRsvd": None, "MrbFlag": None}],
        SLItems=[{"QtyAllocjob": None, "UnitCost": None, "ReorderPoint": None}],
    )
    shown = record(expected_inventory(rows))
    assert [shown[name] for name in TOTALS] == [0, 0, 0, 0, 0]
    assert (shown["unit_cost"], shown["total_value"]) == (None, None)
    (stock,) = warehouses(expected_inventory(rows))
    place = {"location": "STOCK", "qty_on_hand": 0, "qty_reserved": 0, "under_review": False}
    assert stock["locations"] == [place]


@pytest.mark.parametrize(
    ("on_hand", "cost", "value"),
    [("1", "0.00500000", "0.01"), ("-1", "0.00500000", "-0.01"), ("0.33333333", "3", "1.00"), ("3", "0", "0.00")],
)
def test_a_value_is_rounded_half_up(on_hand: str, cost: str, value: str) -> None:
    rows = plant(SLItemwhses=[{"QtyOnHand": on_hand}], SLItems=[{"UnitCost": cost}])
    assert record(expected_inventory(rows))["total_value"] == Decimal(value)


def test_warehouses_and_locations_stand_in_order_and_are_those_of_the_item() -> None:
    rows = plant(
        SLItemwhses=[{"Whse": "b"}, {"Whse": "_"}, {"Whse": "A", "Item": "fb-1020 "}],
        SLItemLocs=[
            {"Whse": "A ", "Loc": "c", "MrbFlag": "1"},
            {"Whse": "a", "Loc": "B-2", "Item": "fb-1020"},
            {"Whse": "A", "Loc": "B 2"},
            {"Whse": "b", "Item": "OTHER"},
        ],
    )
    stock = warehouses(expected_inventory(rows))
    assert [one["warehouse"] for one in stock] == ["_", "A", "b"]
    assert [one["locations"] for one in (stock[0], stock[2])] == [[], []]
    places = stock[1]["locations"]
    assert isinstance(places, list)
    assert [(one["location"], one["under_review"]) for one in places] == [
        ("B 2", False),
        ("B-2", False),
        ("c", True),
    ]


def test_without_the_location_collection_locations_are_unknown() -> None:
    (stock,) = warehouses(expected_inventory(plant(), missing=frozenset({"SLItemLocs"})))
    assert stock["locations"] is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FB-1020", True),
        ("  fb-1020 ", True),
        ("FB-102", False),
        ("FB-102*", True),
        ("*1020", True),
        ("f*-*0", True),
        ("*", True),
        ("**", True),
        ("FB-1020*", True),
        ("*FB-1020*", True),
        ("FB-10*1020", False),  # the parts may not overlap
        ("FB*20*02", False),
        ("*0*0*0*", False),
        ("FB_1020", False),
        ("FB%", False),
        ("B-1*", False),
        ("*102", False),
    ],
)
def test_an_item_is_exact_or_with_wildcards(text: str, found: bool) -> None:
    assert bool(expected_inventory(plant(), item=text).records) is found


@pytest.mark.parametrize(
    ("text", "found"), [("BED 10", True), (" flat ", True), ("fb-1020", False), ("bed*", False), ("%", False)]
)
def test_a_description_is_found_by_a_part_of_it(text: str, found: bool) -> None:
    assert bool(expected_inventory(plant(), query=text).records) is found
    assert expected_inventory(plant(SLItems=[{"Description": None}]), query=text).records == []


def test_blank_filters_count_as_absent() -> None:
    assert expected_inventory(plant(), item=" ", query="", warehouse=" ") == expected_inventory(plant())


def test_items_stand_in_order_and_the_summary_counts_them() -> None:
    codes = ("b", "_", "C", "a", "B-1")
    rows = plant(
        SLItems=[{"Item": code, "UnitCost": None if code == "a" else "0.005"} for code in codes],
        SLItemwhses=[
            {"Item": "b", "QtyOnHand": "1"},
            {"Item": "_", "QtyOnHand": "-1"},
            {"Item": "a", "QtyOnHand": "100"},
            {"Item": "B-1", "QtyOnHand": "1"},
        ],
    )
    answer = expected_inventory(rows)
    assert items(answer) == ["_", "a", "b", "B-1", "C"]
    assert list(answer.summary.items()) == [
        ("total", 5),
        ("low_stock", 3),
        ("out_of_stock", 1),
        ("total_value", Decimal("0.01")),
    ]
    left = expected_inventory(rows, low_stock_only=True)
    assert items(left) == ["_", "b", "B-1"]
    assert left.summary == {
        "total": 3,
        "low_stock": 3,
        "out_of_stock": 1,
        "total_value": Decimal("0.01"),
    }


def test_an_empty_answer_has_a_summary_of_nothing_and_says_so() -> None:
    answer = expected_inventory(plant(), item="NONE")
    assert answer.summary == {"total": 0, "low_stock": 0, "out_of_stock": 0, "total_value": Decimal(0)}
    assert answer.codes == {"no_match"}
