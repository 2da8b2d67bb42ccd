"""What remains of the open orders when the tenant withholds a part of them, or has lost it."""

from collections.abc import Mapping
from datetime import datetime
from itertools import combinations
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import App, open_app
from kai_erp.connectors import OrdersQuery
from kai_erp.errors import UpstreamDenied
from kai_erp.simulator import Answer, Fault, Plant, RunningSimulator, SimulatorOptions, build_plant
from tests.conftest import WALL_CLOCK, RawRows, SettingsFor, Simulate
from tests.test_connectors.asking import Truth, statuses, warnings
from tests.test_connectors.asking_orders import OPTIONAL, ask_orders, check_orders, order_rows

CHICAGO = ZoneInfo("America/Chicago")
ALL_OF = [subset for size in (1, 2) for subset in combinations(OPTIONAL, size)]
QUESTIONS = (
    OrdersQuery(),
    OrdersQuery(customer="truck sales of"),
    OrdersQuery(item="freight-out"),
    OrdersQuery(late_only=True),
)


@pytest.fixture(autouse=True)
def _at_once(without_waiting: None) -> None:
    """Let no test wait."""


@pytest.fixture(scope="module")
def rows(plant: Plant) -> RawRows:
    return order_rows(plant)


@pytest.mark.parametrize("denied", ALL_OF, ids="+".join)
async def test_without_optional_collections_the_orders_still_come(
    denied: tuple[str, ...], app: App, simulator: RunningSimulator, rows: RawRows, now: datetime
) -> None:
    for name in denied:
        simulator.state.deny(name)
    truth = Truth(rows, now, CHICAGO, frozenset(denied))
    for query in QUESTIONS[:2]:
        answer = await check_orders(app, query, truth)
        assert {("collection_denied", name) for name in denied} <= set(warnings(answer))
        assert {name for name, status in statuses(answer).items() if status != "ok"} == set(denied)


@pytest.mark.parametrize("name", OPTIONAL)
async def test_a_failing_optional_collection_is_done_without(
    name: str, app: App, simulator: RunningSimulator, rows: RawRows, now: datetime
) -> None:
    simulator.state.faults.add(Fault(Answer(503), on=name, times=None))
    truth = Truth(rows, now, CHICAGO, frozenset({name}))
    answer = await check_orders(app, OrdersQuery(days_out=7), truth)
    assert ("collection_unavailable", name) in warnings(answer)


@pytest.mark.parametrize("name", ["SLCos", "SLCoitems", "SLCustomers"])
async def test_without_a_required_collection_there_is_no_answer(
    name: str, app: App, simulator: RunningSimulator
) -> None:
    simulator.state.deny(name)
    for query in QUESTIONS[:2]:
        with pytest.raises(UpstreamDenied, match=name) as caught:
            await ask_orders(app, query)
        assert name in caught.value.suggestion


@pytest.mark.parametrize(
    "place",
    [
        ("SLCos", "CustPo"),
        ("SLCos", "OrderDate"),
        ("SLCos", "Price"),
        ("SLCoitems", "PromiseDate"),
        ("SLCoitems", "IteWhsQtyOnHand"),
        ("SLCustomers", "CurrCode"),
        ("SLItems", "Description"),
    ],
    ids=".".join,
)
async def test_a_property_that_the_tenant_lacks_is_null_with_a_warning(
    place: tuple[str, str], simulate: Simulate, settings_for: SettingsFor, rows: RawRows, now: datetime
) -> None:
    name, lacking = place
    running = simulate(SimulatorOptions(drop_properties={name: frozenset({lacking})}))
    truth = Truth(rows | {name: without(rows[name], lacking)}, now, CHICAGO)
    number = next(row["CoNum"] for row in rows["SLCos"] if row["Stat"] == "O" and row["CustPo"])
    async with open_app(settings_for(running), now=lambda: now) as app:
        for query in (OrdersQuery(), OrdersQuery(order=number)):
            answer = await check_orders(app, query, truth)
            assert ("property_missing", name) in warnings(answer)
    assert answer.records.num_rows == 1


def without(rows: list[dict[str, str | None]], lacking: str) -> list[dict[str, str | None]]:
    return [{**row, lacking: None} for row in rows]


SPOILED: Mapping[tuple[str, str], tuple[str | float | None, ...]] = {
    ("SLCos", "CustPo"): (None, "PO-1", "po-1  ", "888"),
    ("SLCos", "CreditHold"): (None, 1, 0),
    ("SLCos", "Price"): (None, 0.0),
    ("SLCos", "OrderDate"): (None, "20491231 00:00:00.000"),
    ("SLCos", "CustSeq"): (None, 99, 0),
    ("SLCos", "Whse"): (None, "W2"),
    ("SLCoitems", "Price"): (None, 0.0, -12.345, 0.005),
    ("SLCoitems", "Disc"): (None, 33.333, 100.0),
    ("SLCoitems", "QtyShipped"): (None, 1.5, -1.0),
    ("SLCoitems", "DueDate"): (None, "20490101 00:00:00.000", "20260520 23:59:59.997"),
    ("SLCoitems", "PromiseDate"): (None, "20260519 00:00:00.000"),
    ("SLCoitems", "Whse"): (None, " "),
    ("SLCoitems", "UM"): (None, "BX"),
    ("SLCoitems", "IteWhsQtyOnHand"): (None, -2.0),
    ("SLCustomers", "Name"): (None, " ", "Großhandel Süd "),
    ("SLCustomers", "CurrCode"): (None, "usd", "EUR"),
    ("SLCustomers", "CreditHold"): (None, 1),
    ("SLCustAddrs", "Name"): (None, "Yard"),
    ("SLItems", "Description"): (None, "  "),
}


def spoiled() -> Plant:
    """Return a plant with the faults of real data: lost masters and headers, nulls, far dates."""
    plant = build_plant("small", 5, WALL_CLOCK)
    for (name, column), values in SPOILED.items():
        collection = plant.collections[name]
        for number, value in enumerate(values):
            for row in range(collection.size - 1 - 7 * number, 0, -7 * len(values) - 3):
                collection.change(column, row, value)
    for name, step in {"SLCos": 9, "SLCustomers": 7, "SLItems": 5, "SLCustAddrs": 4}.items():
        plant.collections[name].hide(range(step - 1, plant.collections[name].size, step))
    return plant


async def test_rows_that_the_master_data_have_lost_still_appear(
    simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    plant = spoiled()
    truth = Truth(order_rows(plant), now, CHICAGO)
    async with open_app(settings_for(simulate(of=plant)), now=lambda: now) as app:
        for query in (*QUESTIONS, *(OrdersQuery(order=text) for text in ("PO-1", "po-1", "888"))):
            await check_orders(app, query, truth)
        whole = (await ask_orders(app)).records
        assert whole["customer_name"].null_count > whole["customer_num"].null_count
        lost = whole["customer_num"].filter(whole["customer_name"].is_null()).drop_null().unique().to_pylist()
        for query in (*(OrdersQuery(customer=number) for number in lost[:3]), OrdersQuery(customer="HÄNDEL")):
            await check_orders(app, query, truth)
