"""What remains of the schedule when the tenant withholds a part of it."""

from collections.abc import Mapping
from datetime import datetime
from itertools import combinations
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import App, open_app
from kai_erp.connectors import ScheduleQuery
from kai_erp.errors import PropertyMissing, UpstreamDenied, UpstreamError, UpstreamFault
from kai_erp.simulator import Answer, Fault, RunningSimulator, SimulatorOptions
from tests.conftest import SettingsFor, Simulate
from tests.test_connectors.asking import OPTIONAL, Rows, Truth, ask, check, statuses, warnings

CHICAGO = ZoneInfo("America/Chicago")
FALL_BACK = frozenset({"SLJrtSchs", "SLItems", "SLWcs"})
ALL_OF = [subset for size in range(1, len(OPTIONAL) + 1) for subset in combinations(OPTIONAL, size)]


@pytest.fixture(autouse=True)
def _at_once(without_waiting: None) -> None:
    """Let no test wait."""


@pytest.mark.parametrize("denied", ALL_OF, ids="+".join)
async def test_without_optional_collections_the_operations_still_come(
    denied: tuple[str, ...], app: App, simulator: RunningSimulator, collections: Rows, now: datetime
) -> None:
    for name in denied:
        simulator.state.deny(name)
    query = ScheduleQuery(work_center="MACH" if len(denied) % 2 else None, include_completed=True)
    answer = await ask(app, query)
    check(answer, query, Truth(collections, now, CHICAGO, frozenset(denied)))
    assert set(warnings(answer)) == {("collection_denied", name) for name in denied}
    expected = {name: "fallback" if name in FALL_BACK else "denied" for name in denied}
    assert {name: status for name, status in statuses(answer).items() if status != "ok"} == expected


async def test_a_denied_collection_is_named_with_the_grant_to_ask_for(
    app: App, simulator: RunningSimulator
) -> None:
    simulator.state.deny("SLItemwhses")
    answer = await ask(app, ScheduleQuery(work_center="WELD"))
    (caution,) = answer.meta.warnings
    assert "Ask the ERP administrator for Read privilege on the IDO SLItemwhses" in caution.message


@pytest.mark.parametrize("name", OPTIONAL)
async def test_a_failing_optional_collection_is_done_without(
    name: str, app: App, simulator: RunningSimulator, collections: Rows, now: datetime
) -> None:
    simulator.state.faults.add(Fault(Answer(503), on=name, times=None))
    query = ScheduleQuery(work_center="WELD")
    answer = await ask(app, query)
    check(answer, query, Truth(collections, now, CHICAGO, frozenset({name})))
    assert warnings(answer) == [("collection_unavailable", name)]
    assert statuses(answer)[name] == ("fallback" if name in FALL_BACK else "unavailable")


@pytest.mark.parametrize("name", ["SLJobs", "SLJobRoutes"])
async def test_without_a_required_collection_there_is_no_answer(
    name: str, app: App, simulator: RunningSimulator
) -> None:
    simulator.state.deny(name)
    with pytest.raises(UpstreamDenied, match=name) as caught:
        await ask(app)
    assert caught.value.suggestion == f"Ask the ERP administrator for Read privilege on the IDO {name}."


async def test_a_failure_cancels_what_is_still_under_way(app: App, simulator: RunningSimulator) -> None:
    simulator.state.deny("SLJobs")
    with pytest.raises(UpstreamError):
        await ask(app)
    simulator.state.allow("SLJobs")
    assert (await ask(app, ScheduleQuery(work_center="WELD"))).records.num_rows > 0


DROPPED: Mapping[tuple[str, str], str] = {
    ("SLJobs", "Whse"): "warehouse",
    ("SLJobs", "JschEndDate"): "job_due",
    ("SLJobs", "JschPriority"): "priority",
    ("SLJobs", "CustNum"): "customer_num",
    ("SLJobs", "OrdNum"): "order_num",
    ("SLJobs", "OrdType"): "order_num",
    ("SLJobs", "OrdLine"): "order_line",
    ("SLJrtSchs", "StartDate"): "sched_start",
    ("SLJrtSchs", "EndDate"): "sched_finish",
    ("SLItems", "Description"): "item_description",
    ("SLWcs", "Description"): "work_center_description",
}


@pytest.mark.parametrize(("place", "field"), DROPPED.items(), ids=str)
async def test_a_property_that_the_tenant_lacks_is_null_with_a_warning(
    place: tuple[str, str], field: str, simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    name, lacking = place
    running = simulate(SimulatorOptions(drop_properties={name: frozenset({lacking})}))
    async with open_app(settings_for(running), now=lambda: now) as app:
        answer = await ask(app, ScheduleQuery(work_center="WELD"))
    assert warnings(answer) == [("property_missing", name)]
    assert lacking in answer.meta.warnings[0].message
    assert answer.records.num_rows > 0
    assert answer.records[field].null_count == answer.records.num_rows


async def test_without_stock_quantities_the_stock_is_unknown(
    simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    running = simulate(SimulatorOptions(drop_properties={"SLItemwhses": frozenset({"QtyOnHand"})}))
    async with open_app(settings_for(running), now=lambda: now) as app:
        answer = await ask(app, ScheduleQuery(work_center="WELD"))
    assert warnings(answer) == [("property_missing", "SLItemwhses")]
    assert answer.records["qty_on_hand"].null_count == answer.records.num_rows


@pytest.mark.parametrize(("name", "lacking"), [("SLJobs", "QtyReleased"), ("SLJobRoutes", "Complete")])
async def test_without_a_required_property_there_is_no_answer(
    name: str, lacking: str, simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    running = simulate(SimulatorOptions(drop_properties={name: frozenset({lacking})}))
    async with open_app(settings_for(running), now=lambda: now) as app:
        with pytest.raises(PropertyMissing, match=f"{name} has no property {lacking}"):
            await ask(app)


async def test_a_fault_of_the_erp_is_quoted(app: App, simulator: RunningSimulator) -> None:
    body = '{"Items": null, "Success": false, "Message": "Die Maschine brennt."}'
    simulator.state.faults.add(Fault(Answer(200, {}, body, "application/json"), on="SLJobs", times=None))
    with pytest.raises(UpstreamFault, match="SLJobs: Die Maschine brennt"):
        await ask(app)
