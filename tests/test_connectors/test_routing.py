"""Where answers come from: every cell of the routing table, with a lake, without one, and with one that fails."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from kai_erp.app import LARGEST_LIMIT, Answer, App, Asked, open_app
from kai_erp.connectors import CustomerQuery, InventoryQuery, OrdersQuery, ScheduleQuery
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Freshness
from kai_erp.errors import QueryFailed, TooManyRows, UpstreamUnavailable
from kai_erp.simulator import Answer as Reply
from kai_erp.simulator import Fault, RunningSimulator
from tests.conftest import SettingsFor

REALTIME, NEAR, BATCH = Freshness.REALTIME, Freshness.NEAR_REALTIME, Freshness.BATCH_OK
WELD = ScheduleQuery(work_center="WELD")
BORDERS: list[tuple[int, dict[Freshness, str | None]]] = [
    (500, {REALTIME: "rest", NEAR: "rest", BATCH: "rest"}),
    (501, {REALTIME: "rest", NEAR: "rest", BATCH: "lake"}),
    (5_000, {REALTIME: "rest", NEAR: "rest", BATCH: "lake"}),
    (5_001, {REALTIME: "rest", NEAR: "lake", BATCH: "lake"}),
    (10_000, {REALTIME: "rest", NEAR: "lake", BATCH: "lake"}),
    (10_001, {REALTIME: None, NEAR: "lake", BATCH: "lake"}),
]
CELLS = [
    pytest.param(volume, freshness, source, id=f"{volume}-{freshness}")
    for volume, row in BORDERS
    for freshness, source in row.items()
]
QUESTIONS: list[tuple[str, ConnectorQuery]] = [
    ("production_schedule", ScheduleQuery()),
    ("open_orders", OrdersQuery()),
    ("customer_search", CustomerQuery(query="a")),
    ("inventory_status", InventoryQuery()),
]


@pytest.fixture
async def lake(simulator: RunningSimulator, settings_for: SettingsFor, now: datetime) -> AsyncIterator[App]:
    """An app that has a data lake."""
    async with open_app(settings_for(simulator, lake_enabled=True), now=lambda: now) as opened:
        yield opened


@pytest.fixture
async def narrow(simulator: RunningSimulator, settings_for: SettingsFor, now: datetime) -> AsyncIterator[App]:
    """An app that has a data lake and takes at most 20 rows over REST."""
    settings = settings_for(simulator, lake_enabled=True, rest_preferred_max=10, rest_hard_max=20)
    async with open_app(settings, now=lambda: now) as opened:
        yield opened


async def ask(app: App, query: ConnectorQuery, freshness: Freshness, name: str = "production_schedule") -> Answer:
    return await app.ask(Asked(name, query, freshness, limit=LARGEST_LIMIT))


def estimate(app: App, query: ConnectorQuery, rows: int, name: str = "production_schedule") -> None:
    assert app._tenant is not None
    app._tenant.sources.volumes.remember((name, query), rows)


def codes(answer: Answer) -> list[str]:
    return [caution.code for caution in answer.meta.warnings]


def loads(simulator: RunningSimulator) -> int:
    return sum("/ido/load/" in request.path for request in simulator.state.requests)


@pytest.mark.parametrize(("volume", "freshness", "source"), CELLS)
async def test_volume_and_freshness_choose_the_source(
    lake: App, simulator: RunningSimulator, volume: int, freshness: Freshness, source: str | None
) -> None:
    estimate(lake, WELD, volume)
    if source is None:
        with pytest.raises(TooManyRows):
            await ask(lake, WELD, freshness)
        assert loads(simulator) == 0
        return
    answer = await ask(lake, WELD, freshness)
    assert answer.meta.source == source
    assert (loads(simulator) == 0) is (source == "lake")
    assert answer.records.num_rows > 0


@pytest.mark.parametrize(("volume", "freshness", "source"), CELLS)
async def test_without_a_lake_rest_answers_what_it_may(
    app: App, volume: int, freshness: Freshness, source: str | None
) -> None:
    estimate(app, WELD, volume)
    if volume > 10_000:
        assert source in {None, "lake"}
        with pytest.raises(TooManyRows):
            await ask(app, WELD, freshness)
        return
    assert (await ask(app, WELD, freshness)).meta.source == "rest"


@pytest.mark.parametrize("freshness", [NEAR, BATCH])
async def test_a_read_that_passes_the_limit_goes_on_in_the_lake(narrow: App, freshness: Freshness) -> None:
    answer = await ask(narrow, WELD, freshness)
    assert answer.meta.source == "lake"
    assert answer.meta.total_count > 20


async def test_a_realtime_read_that_passes_the_limit_is_refused_and_told_that_the_lake_may(narrow: App) -> None:
    with pytest.raises(TooManyRows) as caught:
        await ask(narrow, WELD, REALTIME)
    assert "freshness=near_realtime" in caught.value.suggestion


async def test_without_a_lake_no_freshness_is_suggested(app: App) -> None:
    estimate(app, WELD, 10_001)
    with pytest.raises(TooManyRows) as caught:
        await ask(app, WELD, BATCH)
    assert "freshness" not in caught.value.suggestion


async def test_the_lake_tells_how_large_the_question_is_over_rest(lake: App) -> None:
    for name, query in QUESTIONS:
        estimate(lake, query, 9_000, name)
        assert (await ask(lake, query, BATCH, name)).meta.source == "lake"
        assert lake._tenant is not None
        seen = lake._tenant.sources.volumes.last((name, query))
        await ask(lake, query, REALTIME, name)
        exact = lake._tenant.sources.volumes.last((name, query))
        assert seen == exact, name


@pytest.mark.usefixtures("without_waiting")
async def test_when_the_lake_fails_rest_answers_what_it_may_and_says_so(
    lake: App, simulator: RunningSimulator
) -> None:
    estimate(lake, WELD, 9_000)
    simulator.state.faults.add(Fault(Reply(500), on="compass.submit", times=None))
    answer = await ask(lake, WELD, BATCH)
    assert answer.meta.source == "rest"
    assert codes(answer) == ["lake_unavailable"]


@pytest.mark.usefixtures("without_waiting")
async def test_when_the_lake_fails_and_the_question_is_too_large_the_lake_s_error_is_told(
    lake: App, simulator: RunningSimulator
) -> None:
    estimate(lake, WELD, 10_001)
    simulator.state.faults.add(Fault(Reply(500), on="compass.submit", times=None))
    with pytest.raises(UpstreamUnavailable, match="data lake"):
        await ask(lake, WELD, BATCH)
    assert loads(simulator) == 0


@pytest.mark.usefixtures("without_waiting")
async def test_when_an_old_estimate_was_too_low_the_lake_s_error_is_told_after_rest_has_stopped(
    narrow: App, simulator: RunningSimulator
) -> None:
    estimate(narrow, WELD, 15)
    simulator.state.faults.add(Fault(Reply(500), on="compass.submit", times=None))
    with pytest.raises(UpstreamUnavailable, match="data lake"):
        await ask(narrow, WELD, NEAR)
    assert loads(simulator) > 0


async def test_a_table_that_the_lake_does_not_have_is_a_failure_of_the_lake(
    simulator: RunningSimulator, settings_for: SettingsFor, now: datetime
) -> None:
    settings = settings_for(simulator, lake_enabled=True, lake_table_template="nowhere_{table}")
    async with open_app(settings, now=lambda: now) as app:
        estimate(app, WELD, 9_000)
        assert codes(await ask(app, WELD, BATCH)) == ["lake_unavailable"]
        estimate(app, WELD, 10_001)
        with pytest.raises(QueryFailed, match="nowhere_"):
            await ask(app, WELD, BATCH)


async def test_a_wrong_estimate_that_is_too_high_refuses_for_ten_minutes_at_most(app: App, clock: object) -> None:
    estimate(app, WELD, 1_000_000)
    with pytest.raises(TooManyRows):
        await ask(app, WELD, REALTIME)
    clock.seconds += timedelta(minutes=10, seconds=1).total_seconds()  # type: ignore[attr-defined]  # moved by hand
    assert (await ask(app, WELD, REALTIME)).meta.source == "rest"


async def test_an_answer_too_large_for_memory_is_refused(
    simulator: RunningSimulator, settings_for: SettingsFor, now: datetime
) -> None:
    settings = settings_for(simulator, lake_enabled=True, snapshot_max_mb=1)
    async with open_app(settings, now=lambda: now) as app:
        estimate(app, InventoryQuery(), 9_000, "inventory_status")
        with pytest.raises(TooManyRows):
            await ask(app, InventoryQuery(), BATCH, "inventory_status")


async def test_low_stock_of_one_warehouse_or_text_is_no_larger_a_question_than_its_stock(
    simulator: RunningSimulator, settings_for: SettingsFor, now: datetime
) -> None:
    settings = settings_for(simulator, rest_preferred_max=60, rest_hard_max=60)
    async with open_app(settings, now=lambda: now) as app:
        for given in ({"warehouse": "EAST"}, {"query": "Wheel"}, {"item": "FB-100*"}):
            whole = await ask(app, InventoryQuery(**given), REALTIME, "inventory_status")
            low = await ask(app, InventoryQuery(**given, low_stock_only=True), REALTIME, "inventory_status")
            assert low.meta.total_count == whole.summary["low_stock"]


async def test_when_only_inactive_customers_match_that_is_said_once(app: App, simulator: RunningSimulator) -> None:
    main = [row for row in simulator.plant.rows("SLCustomers") if row["CustSeq"] == "0"]
    active = {row["Name"] for row in main if row["ShowInDropDownList"] != "0"}
    name = next(str(row["Name"]) for row in main if row["Name"] and row["Name"] not in active)
    answer = await ask(app, CustomerQuery(query=name), REALTIME, "customer_search")
    assert codes(answer) == ["no_match"]
    assert "active_only=false" in answer.meta.warnings[0].message
