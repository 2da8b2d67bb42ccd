"""What remains of the inventory status when the tenant withholds a part of it, or has lost it."""

from datetime import datetime
from itertools import product

import pytest

from kai_erp.app import App, open_app
from kai_erp.connectors import InventoryQuery
from kai_erp.errors import UpstreamDenied
from kai_erp.simulator import Answer, Fault, Plant, RunningSimulator, SimulatorOptions
from tests.conftest import RawRows, SettingsFor, Simulate
from tests.test_connectors.asking import statuses, warnings
from tests.test_connectors.asking_inventory import COLLECTIONS, ask_inventory, check_inventory
from tests.test_connectors.made_plants import plant_of
from tests.test_connectors.tables import Row

LOCATIONS = frozenset({"SLItemLocs"})
QUESTIONS = (InventoryQuery(item="f*"), InventoryQuery(low_stock_only=True), InventoryQuery(item="no such item"))


@pytest.fixture(autouse=True)
def _at_once(without_waiting: None) -> None:
    """Let no test wait."""


@pytest.fixture(scope="module")
def rows(plant: Plant) -> RawRows:
    return {name: plant.rows(name) for name in COLLECTIONS}


async def test_without_locations_they_are_unknown(app: App, simulator: RunningSimulator, rows: RawRows) -> None:
    simulator.state.deny("SLItemLocs")
    for query in QUESTIONS[:2]:
        answer = await check_inventory(app, query, rows, LOCATIONS)
        assert warnings(answer) == [("collection_denied", "SLItemLocs")]
        assert statuses(answer)["SLItemLocs"] == "denied"


async def test_failing_locations_are_done_without(app: App, simulator: RunningSimulator, rows: RawRows) -> None:
    simulator.state.faults.add(Fault(Answer(503), on="SLItemLocs", times=None))
    answer = await check_inventory(app, QUESTIONS[0], rows, LOCATIONS)
    assert warnings(answer) == [("collection_unavailable", "SLItemLocs")]


@pytest.mark.parametrize("name", ["SLItems", "SLItemwhses"])
async def test_without_a_required_collection_there_is_no_answer(
    name: str, app: App, simulator: RunningSimulator
) -> None:
    simulator.state.deny(name)
    for query in QUESTIONS[:2]:
        with pytest.raises(UpstreamDenied, match=name):
            await ask_inventory(app, query)


@pytest.mark.parametrize("lacking", ["ProductCode", "UnitCost", "UM"])
async def test_a_property_that_the_tenant_lacks_is_null_with_a_warning(
    lacking: str, simulate: Simulate, settings_for: SettingsFor, rows: RawRows, now: datetime
) -> None:
    running = simulate(SimulatorOptions(drop_properties={"SLItems": frozenset({lacking})}))
    bare = rows | {"SLItems": [{**row, lacking: None} for row in rows["SLItems"]]}
    async with open_app(settings_for(running), now=lambda: now) as app:
        for query in QUESTIONS[1:]:
            answer = await check_inventory(app, query, bare)
            assert ("property_missing", "SLItems") in warnings(answer)


def item(code: str, **cells: str | None) -> Row:
    """Return an item that is ordered again at 20, of which jobs ask for 4."""
    shown = {"Item": code, "Description": f"Thing {code}", "UM": "EA", "Stat": "A", "UnitCost": "2.50000000"}
    return {**shown, "UseReorderPoint": "1", "ReorderPoint": "20.00000000", "QtyAllocjob": "4.00000000", **cells}


def stock(code: str, warehouse: str, on_hand: str | None, safety: str | None = None) -> Row:
    return {"Item": code, "Whse": warehouse, "QtyOnHand": on_hand, "QtyAllocCo": None, "QtyReorder": safety}


def place(code: str, warehouse: str, location: str, **cells: str | None) -> Row:
    return {"Item": code, "Whse": warehouse, "Loc": location, "QtyOnHand": "1.00000000", **cells}


LOW = ["AT-POINT", "NULL-POINT", "SAFETY", "SHARED", "shared-2", "SLOW"]
HAND_MADE: dict[str, list[Row]] = {
    "SLItems": [
        item("AT-POINT"),
        item("SHARED"),
        item("shared-2  ", QtyAllocjob=None),
        item("SAFETY", UseReorderPoint="0"),
        item("NULL-POINT", ReorderPoint=None),
        item("OBSOLETE", Stat="O"),
        item("SLOW", Stat="S", UnitCost=None),
        item("NO-STOCK", QtyAllocjob="7.00000000"),
        item("OUT", UseReorderPoint=None, QtyAllocjob="0.00000000"),
    ],
    "SLItemwhses": [
        stock("AT-POINT", "MAIN", "24.00000000"),
        stock("SHARED", "MAIN", "10.00000000", "11.00000000"),
        stock("shared", "EAST", "10.00000000", "10.00000000"),
        stock("SHARED-2", "MAIN", "5.00000000", "5.00000000"),
        stock("SHARED-2 ", "east", "5.00000000", "6.00000000"),
        stock("SAFETY", "MAIN", "28.00000000", "25.00000000"),
        stock("NULL-POINT", "MAIN", "28.00000000", "25.00000000"),
        stock("OBSOLETE", "MAIN", "-3.00000000", "25.00000000"),
        stock("SLOW", "SVC", None, None),
        stock("OUT", "MAIN", "0.00000000"),
        stock("LOST", "MAIN", "99.00000000"),
    ],
    "SLItemLocs": [
        place("AT-POINT", "MAIN", "STOCK", QtyRsvd="0.50000000"),
        place("AT-POINT", "MAIN", "mrb", MrbFlag="1"),
        place("at-point ", "main", "_A", QtyOnHand=None),
        place("SHARED", "EAST", "STOCK"),
        place("LOST", "MAIN", "STOCK"),
        place("NO-STOCK", "MAIN", "STOCK"),
    ],
}


async def test_every_rule_of_low_stock_holds_for_hand_made_rows(
    simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    plant = plant_of(HAND_MADE)
    rows = {name: plant.rows(name) for name in COLLECTIONS}
    async with open_app(settings_for(simulate(of=plant)), now=lambda: now) as app:
        for warehouse, low, named in product((None, "MAIN", " east ", "svc"), (False, True), (None, "s*-2")):
            query = InventoryQuery(item=named, warehouse=warehouse, low_stock_only=low)
            await check_inventory(app, query, rows)
        whole = await ask_inventory(app, InventoryQuery(low_stock_only=True))
        assert whole.records["item"].to_pylist() == LOW
        east = await ask_inventory(app, InventoryQuery(warehouse="EAST"))
        assert warnings(east) == [("job_allocation_unplaced", None)]
        assert east.records["is_low_stock"].to_pylist() == [False, True]
