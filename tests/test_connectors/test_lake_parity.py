"""REST and the lake give the same records for the same data, whatever is asked and however the lake is set up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

import pytest

from kai_erp.app import LARGEST_LIMIT, Answer, App, Asked, open_app
from kai_erp.connectors import CustomerQuery, InventoryQuery, OrdersQuery, ScheduleQuery
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Freshness
from kai_erp.simulator import Plant, RunningSimulator, SimulatorOptions, build_plant
from tests.conftest import WALL_CLOCK, SettingsFor, Simulate

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
    **changes: Any,  # noqa: ANN401  # any setting
) -> AsyncIterator[App]:
    now = WALL_CLOCK.replace(tzinfo=settings_for(simulator).zone).astimezone(UTC)
    async with open_app(settings_for(simulator, lake_enabled=True, **changes), now=lambda: now) as app:
        yield app


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
    assert lake.records.to_pylist() == rest.records.to_pylist(), (name, query)
    assert lake.records.schema == rest.records.schema, [
        (one, other) for one, other in zip(lake.records.schema, rest.records.schema, strict=True) if one != other
    ]
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
    simulator = simulate(SimulatorOptions(**switches))
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
    simulate: Simulate, settings_for: SettingsFor
) -> None:
    medium = simulate(of=build_plant("medium", 2, WALL_CLOCK))
    async with opened(medium, settings_for) as app:
        for name, query in [*ASKED[:18], ("inventory_status", InventoryQuery(query="steel", warehouse="EAST"))]:
            await check_same(app, name, query)


async def test_another_seed_makes_no_difference(simulate: Simulate, settings_for: SettingsFor) -> None:
    async with opened(simulate(of=build_plant("small", 7, WALL_CLOCK)), settings_for) as app:
        for name, query in ASKED[::2]:
            await check_same(app, name, query)
