"""REST and the lake give the same records for the same data, whatever is asked and however the lake is set up."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from kai_erp.app import LARGEST_LIMIT, Answer, App, Asked, open_app
from kai_erp.connectors import CustomerQuery, InventoryQuery, OrdersQuery, ScheduleQuery
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Freshness
from kai_erp.simulator import Plant, RunningSimulator, SimulatorOptions, build_plant
from tests.conftest import WALL_CLOCK, HandClock, SettingsFor, Simulate

ASKED: list[tuple[str, ConnectorQuery]] = [
    ("production_schedule", ScheduleQuery()),
    ("production_schedule", ScheduleQuery(include_completed=True)),
    ("production_schedule", ScheduleQuery(work_center="weld")),
    ("production_schedule", ScheduleQuery(work_center="no such")),
    ("open_orders", OrdersQuery()),
    ("open_orders", OrdersQuery(late_only=True)),
    ("open_orders", OrdersQuery(days_out=0)),
    ("open_orders", OrdersQuery(days_out=365)),
    ("open_orders", OrdersQuery(customer="alder")),
    ("open_orders", OrdersQuery(customer="D'Arcy & Sons")),
    ("open_orders", OrdersQuery(customer="%")),
    ("open_orders", OrdersQuery(customer="a", days_out=14, late_only=True)),
    ("customer_search", CustomerQuery(query="a")),
    ("customer_search", CustomerQuery(query="é", active_only=False)),
    ("customer_search", CustomerQuery(query="d'a")),
    ("customer_search", CustomerQuery(query="_")),
    ("customer_search", CustomerQuery(query="[")),
    ("customer_search", CustomerQuery(query="\\")),
    ("customer_search", CustomerQuery(query="mi")),
    ("inventory_status", InventoryQuery()),
    ("inventory_status", InventoryQuery(low_stock_only=True)),
    ("inventory_status", InventoryQuery(warehouse="main")),
    ("inventory_status", InventoryQuery(warehouse="main", low_stock_only=True)),
    ("inventory_status", InventoryQuery(item="fb*1*")),
    ("inventory_status", InventoryQuery(query="steel", warehouse="MAIN")),
    ("inventory_status", InventoryQuery(query='1"')),
]
MEDIUM: list[tuple[str, ConnectorQuery]] = [
    ("customer_search", CustomerQuery(query="alder")),
    ("inventory_status", InventoryQuery(query="steel", warehouse="EAST")),
    ("inventory_status", InventoryQuery(item="fb*", low_stock_only=True)),
]
SETUPS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as usual": ({}, {}),
    "copied clocks": ({"lake_timestamps": "wall_clock"}, {"lake_timestamps": "wall_clock"}),
    "other names": ({"lake_table_template": "csi_{table}_mst"}, {"lake_table_template": "csi_{table}_mst"}),
    "two sites": ({"lake_site": "MAIN", "lake_other_site": "EAST"}, {"lake_site": "MAIN"}),
    "small pages": ({}, {"lake_page_rows": 150}),
}


def keyed(plant: Plant) -> list[tuple[str, ConnectorQuery]]:
    """Return questions for single keys, as they stand in the plant: padded, prefixed, in any case."""
    rows = plant.rows
    orders = [row for row in rows("SLCos") if row["Stat"] in {"O", "S"} and row["Type"] != "E"][:6]
    jobs = [str(row["Job"]) for row in rows("SLJobs") if (row["Type"], row["Stat"]) == ("J", "R")][:4]
    items = [str(row["Item"]) for row in rows("SLItems")[::700]]
    return [
        *(("open_orders", OrdersQuery(order=str(row["CoNum"]))) for row in orders),
        *(("open_orders", OrdersQuery(order=row["CustPo"])) for row in orders if row["CustPo"]),
        *(("open_orders", OrdersQuery(customer=row["CustNum"])) for row in orders if row["CustNum"]),
        *(("customer_search", CustomerQuery(query=str(row["CustNum"]))) for row in orders if row["CustNum"]),
        *(("production_schedule", ScheduleQuery(job=job, include_completed=True)) for job in jobs),
        *(("inventory_status", InventoryQuery(item=item.lower())) for item in items),
    ]


@asynccontextmanager
async def opened(
    simulator: RunningSimulator,
    settings_for: SettingsFor,
    clock: HandClock | None = None,
    **changes: Any,  # noqa: ANN401  # any setting
) -> AsyncIterator[App]:
    settings = settings_for(simulator, lake_enabled=True, **changes)
    async with open_app(settings, clock=clock or time.monotonic, now=simulated_now(simulator)) as app:
        yield app


def simulated_now(simulator: RunningSimulator) -> Callable[[], datetime]:
    """Return the present of the simulated plant, which moves with the simulator's clock."""
    state = simulator.state
    return lambda: state.lake.time.now(state.options)


async def from_rest(app: App, name: str, query: ConnectorQuery) -> Answer:
    return await app.ask(Asked(name, query, Freshness.REALTIME, LARGEST_LIMIT))


async def from_lake(app: App, name: str, query: ConnectorQuery) -> Answer:
    """Return the answer of the lake, to which it is sent by an estimate that asks for it."""
    assert app._tenant is not None
    app._tenant.sources.volumes.remember((name, query), 9_000)
    answer = await app.ask(Asked(name, query, Freshness.BATCH_OK, LARGEST_LIMIT))
    assert answer.meta.source == "lake", answer.meta.warnings
    return answer


async def check_same(app: App, name: str, query: ConnectorQuery) -> int:
    """Assert that both sources give the same, and return how many records that is."""
    rest, lake = await from_rest(app, name, query), await from_lake(app, name, query)
    assert lake.records.schema == rest.records.schema
    assert lake.records.equals(rest.records), (name, query)
    assert dict(lake.summary) == dict(rest.summary), (name, query)
    assert codes(lake) == codes(rest) - {"large_fetch"}
    return rest.meta.total_count


def codes(answer: Answer) -> set[str]:
    return {caution.code for caution in answer.meta.warnings}


@pytest.mark.parametrize("setup", SETUPS)
async def test_whatever_is_asked_both_sources_give_the_same(
    simulate: Simulate, settings_for: SettingsFor, setup: str
) -> None:
    switches, changes = SETUPS[setup]
    simulator = simulate(SimulatorOptions(**switches, lake_submits_per_minute=None))
    async with opened(simulator, settings_for, **changes) as app:
        asked = ASKED if setup == "as usual" else ASKED[::3]
        counts = [await check_same(app, name, query) for name, query in asked]
    assert sum(count > 0 for count in counts) > len(counts) / 2


async def test_keys_in_every_form_find_the_same_in_both(
    simulator: RunningSimulator, plant: Plant, settings_for: SettingsFor
) -> None:
    async with opened(simulator, settings_for) as app:
        counts = [await check_same(app, name, query) for name, query in keyed(plant)]
    assert sum(count > 0 for count in counts) > len(counts) * 0.8


@pytest.mark.medium
async def test_both_sources_give_the_same_of_a_medium_plant_too(
    medium_plant: Plant, simulate: Simulate, settings_for: SettingsFor
) -> None:
    medium = simulate(of=medium_plant)
    async with opened(medium, settings_for) as app:
        for name, query in [*ASKED[1:9:4], *MEDIUM]:
            await check_same(app, name, query)


async def test_another_seed_makes_no_difference(simulate: Simulate, settings_for: SettingsFor) -> None:
    async with opened(simulate(of=build_plant("small", 7, WALL_CLOCK)), settings_for) as app:
        for name, query in ASKED[::2]:
            await check_same(app, name, query)


async def test_a_lake_that_lags_behind_says_how_recent_it_is(
    simulate: Simulate, settings_for: SettingsFor
) -> None:
    simulator = simulate(SimulatorOptions(lake_lag_seconds=600, lake_submits_per_minute=None))
    state, order = simulator.state, simulator.plant.rows("SLCos")
    asked = next(str(row["CoNum"]) for row in order if row["Stat"] == "O" and row["Type"] == "R" and row["CustPo"])
    query = OrdersQuery(order=asked)
    clock = HandClock()
    async with opened(simulator, settings_for, clock=clock) as app:
        await check_same(app, "open_orders", query)
        changed = state.lake.time.now(state.options)
        state.change("SLCos", {"CoNum": asked}, {"CustPo": "CHANGED"})
        rest, lake = await from_rest(app, "open_orders", query), await from_lake(app, "open_orders", query)
        assert rest.records["customer_po"].to_pylist() == ["CHANGED"]
        assert lake.records["customer_po"].to_pylist() != ["CHANGED"]
        assert lake.meta.as_of < changed
        state.clock.advance(1_000)
        clock.seconds += 1_000
        caught_up = await from_lake(app, "open_orders", query)
        assert caught_up.records["customer_po"].to_pylist() == ["CHANGED"]
        assert changed <= caught_up.meta.as_of <= state.lake.time.now(state.options)


async def test_what_is_deleted_in_the_erp_is_gone_from_the_lake_once_it_has_caught_up(
    simulate: Simulate, settings_for: SettingsFor
) -> None:
    simulator = simulate(SimulatorOptions(lake_lag_seconds=60, lake_submits_per_minute=None))
    state = simulator.state
    row = next(row for row in simulator.plant.rows("SLItems") if str(row["Item"]).startswith("FB"))
    query, clock = InventoryQuery(item=row["Item"]), HandClock()
    async with opened(simulator, settings_for, clock=clock) as app:
        assert await check_same(app, "inventory_status", query) == 1
        state.delete("SLItems", {"Item": str(row["Item"])})
        assert (await from_rest(app, "inventory_status", query)).meta.total_count == 0
        assert (await from_lake(app, "inventory_status", query)).meta.total_count == 1
        state.clock.advance(400)
        assert await check_same(app, "inventory_status", query) == 0


async def test_a_caller_who_goes_away_takes_the_job_with_him(
    simulate: Simulate, settings_for: SettingsFor
) -> None:
    simulator = simulate(SimulatorOptions(lake_job_seconds=30))
    jobs = simulator.state.lake.jobs
    async with opened(simulator, settings_for) as app:
        asking = asyncio.create_task(from_lake(app, "open_orders", OrdersQuery()))
        while not jobs:  # noqa: ASYNC110  # the simulator's thread fills it
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert [job.canceled for job in jobs] == [True]


async def test_blank_texts_and_letters_with_two_cases_make_no_difference(
    simulate: Simulate, settings_for: SettingsFor
) -> None:
    simulator = simulate(SimulatorOptions(lake_submits_per_minute=None))
    rows, state = simulator.plant.rows, simulator.state
    line = next(row for row in rows("SLCoitems") if row["Stat"] == "O" and row["CoStat"] == "O" and row["Item"])
    item, key = str(line["Item"]), {name: str(line[name]) for name in ("CoNum", "CoLine", "CoRelease")}
    state.change("SLCoitems", key, {"Description": "line text"})
    stocked = next(row for row in rows("SLItems") if str(row["Item"]).strip().lower() == item.strip().lower())
    state.change("SLItems", {"Item": str(stocked["Item"])}, {"Description": "   ", "UM": " "})
    async with opened(simulator, settings_for) as app:
        assert await check_same(app, "open_orders", OrdersQuery(order=key["CoNum"])) == 1
        for text in ("CAP-10\u00b5F", "GRO\u00df-1", "\u0130TEM"):
            for name, query in (
                ("inventory_status", InventoryQuery(item=text)),
                ("open_orders", OrdersQuery(item=text)),
                ("customer_search", CustomerQuery(query=text)),
            ):
                await check_same(app, name, query)
