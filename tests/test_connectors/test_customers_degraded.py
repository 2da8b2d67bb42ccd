"""What remains of the customer search when the tenant withholds a part of it."""

from datetime import datetime

import pytest

from kai_erp.app import App, open_app
from kai_erp.connectors import CustomerQuery
from kai_erp.errors import UpstreamDenied
from kai_erp.simulator import Answer, Fault, Plant, RunningSimulator, SimulatorOptions, build_plant
from tests.conftest import WALL_CLOCK, RawRows, SettingsFor, Simulate
from tests.test_connectors.asking import statuses, warnings
from tests.test_connectors.asking_customers import COLLECTIONS, ask_customers, check_customers

ADDRESSES = frozenset({"SLCustAddrs"})
QUESTIONS = tuple(CustomerQuery(query=text) for text in ("a", "QC", "c12", "no such customer"))


@pytest.fixture(autouse=True)
def _at_once(without_waiting: None) -> None:
    """Let no test wait."""


@pytest.fixture(scope="module")
def rows(plant: Plant) -> RawRows:
    return {name: plant.rows(name) for name in COLLECTIONS}


async def test_without_addresses_the_default_one_is_that_of_the_customer(
    app: App, simulator: RunningSimulator, rows: RawRows
) -> None:
    simulator.state.deny("SLCustAddrs")
    for query in QUESTIONS[:2]:
        answer = await check_customers(app, query, rows, ADDRESSES)
        assert warnings(answer) == [("collection_denied", "SLCustAddrs")]
        assert statuses(answer)["SLCustAddrs"] != "ok"


async def test_failing_addresses_are_done_without(app: App, simulator: RunningSimulator, rows: RawRows) -> None:
    simulator.state.faults.add(Fault(Answer(503), on="SLCustAddrs", times=None))
    answer = await check_customers(app, QUESTIONS[1], rows, ADDRESSES)
    assert warnings(answer) == [("collection_unavailable", "SLCustAddrs")]


async def test_without_customers_there_is_no_answer(app: App, simulator: RunningSimulator) -> None:
    simulator.state.deny("SLCustomers")
    with pytest.raises(UpstreamDenied, match="SLCustomers"):
        await ask_customers(app, QUESTIONS[0])


@pytest.mark.parametrize(
    "lacking",
    [
        "ShowInDropDownList",
        "Contact_1",
        "CustomerEmailAddr",
        "CreditLimit",
        "City",
        "State",
        "CurrCode",
        "CustType",
    ],
)
async def test_a_property_that_the_tenant_lacks_is_null_with_a_warning(
    lacking: str, simulate: Simulate, settings_for: SettingsFor, rows: RawRows, now: datetime
) -> None:
    running = simulate(SimulatorOptions(drop_properties={"SLCustomers": frozenset({lacking})}))
    bare = rows | {"SLCustomers": [{**row, lacking: None} for row in rows["SLCustomers"]]}
    async with open_app(settings_for(running), now=lambda: now) as app:
        for query in QUESTIONS[::2]:
            answer = await check_customers(app, query, bare)
            assert ("property_missing", "SLCustomers") in warnings(answer)


async def test_customers_and_addresses_that_have_lost_each_other_still_appear(
    simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    plant = spoiled()
    rows = {name: plant.rows(name) for name in COLLECTIONS}
    async with open_app(settings_for(simulate(of=plant)), now=lambda: now) as app:
        for text in ("a", "QC", "c12", "großhandel"):
            for active_only in (True, False):
                await check_customers(app, CustomerQuery(query=text, active_only=active_only), rows)


def spoiled() -> Plant:
    """Return a plant with the faults of real data: lost rows, nulls, blanks."""
    plant = build_plant("small", 5, WALL_CLOCK)
    customers = plant.collections["SLCustomers"]
    for name in (
        "Name",
        "City",
        "State",
        "Phone_1",
        "CreditHold",
        "CreditLimit",
        "ShowInDropDownList",
        "CurrCode",
    ):
        for row in range(len(name), customers.size, 11):
            customers.change(name, row, None)
    for row in range(2, customers.size, 13):
        customers.change("Name", row, (" ", "Großhandel Süd ", "österreich")[row % 3])
    customers.hide(range(3, customers.size, 10))
    plant.collections["SLCustAddrs"].hide(range(0, customers.size, 4))
    return plant
