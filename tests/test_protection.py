"""What protects the ERP from its callers: shared readings, kept answers, places, and the breaker."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from time import perf_counter

import httpx2
import pytest
from mcp import Client

from kai_erp.app import App, Asked, open_app
from kai_erp.callers import Caller
from kai_erp.config import Settings
from kai_erp.connectors import CustomerQuery, OrdersQuery, ScheduleQuery
from kai_erp.core.types import Freshness
from kai_erp.errors import Overloaded, UpstreamError, UpstreamUnavailable
from kai_erp.mcp.server import KaiErpMcpServer
from kai_erp.simulator import Answer, Delay, Fault, RunningSimulator
from tests.conftest import HandClock, SettingsFor
from tests.test_api.serving import serving
from tests.test_noting import numbers

AT_WELD = ScheduleQuery(work_center="WELD")
WELD = Asked("production_schedule", AT_WELD)
LATE = Freshness.NEAR_REALTIME


def of(query: ScheduleQuery | OrdersQuery | CustomerQuery, freshness: Freshness = Freshness.REALTIME) -> Asked:
    names = {ScheduleQuery: "production_schedule", OrdersQuery: "open_orders", CustomerQuery: "customer_search"}
    return Asked(names[type(query)], query, freshness)


def collections(simulator: RunningSimulator) -> Counter[str]:
    """Return how often each collection was asked for since the last look, and forget it."""
    counted = Counter(request.collection for request in simulator.state.requests if request.collection)
    simulator.state.requests.clear()
    return counted


@pytest.fixture
async def keeping(
    settings_for: SettingsFor, simulator: RunningSimulator, clock: HandClock, now: datetime
) -> AsyncIterator[App]:
    settings = settings_for(simulator, cache_ttl_seconds=30, reference_ttl_seconds=60)
    async with open_app(settings, clock=clock, now=lambda: now) as opened:
        yield opened


async def test_two_hundred_identical_questions_are_one_to_the_erp(
    settings: Settings, simulator: RunningSimulator
) -> None:
    async with serving(settings) as client:
        alone = (await client.get("/bedrock/schedule", params={"work_center": "WELD"})).json()
        one = collections(simulator)
        asking = [client.get("/bedrock/schedule", params={"work_center": "WELD"}) for _ in range(200)]
        answers = [response.json() for response in await asyncio.gather(*asking)]
        assert collections(simulator) == one
    assert all(answer["data"] == alone["data"] for answer in answers)
    assert all(read["status"] == "ok" for answer in answers for read in answer["meta"]["upstream"])


async def test_questions_over_http_and_mcp_share_a_reading(
    settings: Settings, simulator: RunningSimulator
) -> None:
    async with open_app(settings) as app, Client(KaiErpMcpServer(app=app)) as client:
        await app.ask(WELD)
        one = collections(simulator)
        by_tool = client.call_tool("get_production_schedule", {"work_center": "WELD"})
        await asyncio.gather(by_tool, *(app.ask(WELD) for _ in range(10)))
        assert collections(simulator) == one


async def test_callers_with_other_rights_never_share(app: App, simulator: RunningSimulator) -> None:
    await app.ask(WELD)
    one = collections(simulator)
    rights = (frozenset({"*"}), frozenset({"schedule:read"}), frozenset({"schedule:read", "orders:read"}))
    callers = [Caller(f"key:{number}", scopes) for number, scopes in enumerate(rights)]
    alike = Caller("key:another", rights[1])
    asked = [Asked(WELD.connector, AT_WELD, caller=caller) for caller in (*callers, alike)]
    await asyncio.gather(*(app.ask(question) for question in asked))
    assert collections(simulator) == Counter({name: count * 3 for name, count in one.items()})


async def test_an_answer_is_kept_for_whoever_does_not_ask_for_now(
    keeping: App, simulator: RunningSimulator, clock: HandClock
) -> None:
    first = await keeping.ask(of(AT_WELD, LATE))
    collections(simulator)
    clock.seconds += 29
    again = await keeping.ask(of(AT_WELD, LATE))
    assert collections(simulator) == {}
    assert again.records == first.records
    assert {read.status for read in again.meta.upstream} == {"cached"}
    assert again.meta.as_of == first.meta.as_of
    clock.seconds += 2
    renewed = await keeping.ask(of(AT_WELD, LATE))
    assert collections(simulator)["SLJobRoutes"] > 0
    assert renewed.meta.upstream[0].status == "ok"


async def test_who_asks_for_now_gets_now_and_spares_others_the_reading(
    keeping: App, simulator: RunningSimulator
) -> None:
    await keeping.ask(of(AT_WELD, LATE))
    collections(simulator)
    now = await keeping.ask(of(AT_WELD))
    assert sum(collections(simulator).values()) > 0
    assert {read.status for read in now.meta.upstream} == {"ok"}
    later = await keeping.ask(of(AT_WELD, Freshness.BATCH_OK))
    assert collections(simulator) == {}
    assert {read.status for read in later.meta.upstream} == {"cached"}


async def test_kept_answers_are_shared_by_equal_rights_only(keeping: App, simulator: RunningSimulator) -> None:
    one, other = (Caller(name, frozenset({"schedule:read", name})) for name in ("a", "b"))
    await keeping.ask(Asked(WELD.connector, AT_WELD, LATE, caller=one))
    collections(simulator)
    await keeping.ask(Asked(WELD.connector, AT_WELD, LATE, caller=other))
    assert sum(collections(simulator).values()) > 0


async def test_an_answer_that_lacks_something_is_not_kept(keeping: App, simulator: RunningSimulator) -> None:
    simulator.state.faults.add(Fault(Answer(404), on="SLJrtSchs", times=None))
    lacking = await keeping.ask(of(AT_WELD, LATE))
    assert "collection_unavailable" in {caution.code for caution in lacking.meta.warnings}
    simulator.state.faults.clear()
    whole = await keeping.ask(of(AT_WELD, LATE))
    assert whole.meta.warnings == []


async def test_master_data_are_kept_and_say_so(
    keeping: App, simulator: RunningSimulator, clock: HandClock
) -> None:
    first = await keeping.ask(of(OrdersQuery(), LATE))
    collections(simulator)
    clock.seconds += 31
    again = await keeping.ask(of(OrdersQuery(), LATE))
    asked = collections(simulator)
    assert asked["SLCoitems"] > 0
    assert not {"SLCustomers", "SLItems", "SLCustAddrs"} & set(asked)
    status = {read.collection: read.status for read in again.meta.upstream}
    assert status["SLCoitems"] == "ok"
    assert {status[name] for name in ("SLCustomers", "SLItems", "SLCustAddrs")} == {"cached"}
    assert again.records == first.records
    assert again.meta.as_of == first.meta.as_of
    clock.seconds += 30
    await keeping.ask(of(OrdersQuery(), LATE))
    assert collections(simulator)["SLCustomers"] > 0


async def test_of_master_data_that_lapsed_only_changes_are_read(
    settings_for: SettingsFor, simulator: RunningSimulator, clock: HandClock, now: datetime
) -> None:
    settings = settings_for(simulator, reference_ttl_seconds=60, sl10_page_size=25)
    async with open_app(settings, clock=clock, now=lambda: now) as app:
        first = await app.ask(of(OrdersQuery(), LATE))
        whole = collections(simulator)
        item = first.records["lines"][0][0]["item"].as_py()
        simulator.state.change("SLItems", {"Item": item}, {"Description": "Drawn today"})
        clock.seconds += 61
        again = await app.ask(of(OrdersQuery(), LATE))
    asked = collections(simulator)
    assert whole["SLItems"] > 1
    assert asked["SLItems"] == 1
    assert again.records["lines"][0][0]["item_description"].as_py() == "Drawn today"
    assert again.meta.as_of == first.meta.as_of
    assert "Drawn today" not in str(first.records["lines"][0])


async def test_who_asks_for_now_gets_master_data_of_now(keeping: App, simulator: RunningSimulator) -> None:
    await keeping.ask(of(OrdersQuery(), LATE))
    collections(simulator)
    now = await keeping.ask(of(OrdersQuery()))
    assert collections(simulator)["SLCustomers"] > 0
    assert {read.status for read in now.meta.upstream} == {"ok"}


async def test_by_default_nothing_is_kept(app: App, simulator: RunningSimulator) -> None:
    for _ in range(2):
        await app.ask(of(AT_WELD, LATE))
        assert sum(collections(simulator).values()) > 0


async def test_too_many_different_questions_are_turned_away_and_the_others_answered(
    settings: Settings, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(Fault(Delay(0.3), on="SLCustomers", times=None))
    async with open_app(settings) as app:
        questions = [of(CustomerQuery(query=f"made up {number}")) for number in range(300)]
        outcomes = await asyncio.gather(*(app.ask(question) for question in questions), return_exceptions=True)
        kinds = Counter(type(outcome).__name__ for outcome in outcomes)
        assert kinds["Overloaded"] >= 300 - 18 - 200
        assert kinds["Answer"] + kinds["Overloaded"] == 300
        refused = next(outcome for outcome in outcomes if isinstance(outcome, Overloaded))
        assert refused.retry_after > 0
        assert numbers(app.metrics.exposed().decode())["kai_erp_shed_total"] == kinds["Overloaded"]
        simulator.state.faults.clear()
        assert (await app.ask(of(CustomerQuery(query="inc")))).meta.total_count > 0


async def test_a_page_of_a_kept_answer_is_never_turned_away(
    settings: Settings, simulator: RunningSimulator
) -> None:
    async with open_app(settings) as app:
        first = await app.ask(Asked("production_schedule", ScheduleQuery(), limit=5))
        simulator.state.faults.add(Fault(Delay(0.3), on="SLCustomers", times=None))
        flood = [asyncio.create_task(app.ask(of(CustomerQuery(query=f"made up {n}")))) for n in range(250)]
        await asyncio.sleep(0.05)
        page = await app.ask(Asked("production_schedule", ScheduleQuery(), limit=5, cursor=first.meta.next_cursor))
        assert page.meta.record_count == 5
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)


@pytest.mark.usefixtures("without_waiting")
async def test_an_erp_that_is_down_is_left_alone_and_callers_are_told_at_once(
    settings: Settings, simulator: RunningSimulator, clock: HandClock
) -> None:
    async with open_app(settings, clock=clock) as app:
        simulator.state.faults.add(Fault(Answer(503), on="ido", times=None))
        for number in range(8):
            with pytest.raises(UpstreamError):
                await app.ask(of(ScheduleQuery(job=f"J{number}")))
            clock.seconds += 1
        collections(simulator)
        begun = perf_counter()
        for number in range(50):
            with pytest.raises(UpstreamUnavailable, match="left alone") as refusal:
                await app.ask(of(ScheduleQuery(job=f"K{number}")))
            assert 0 < refusal.value.retry_after <= 60
        assert perf_counter() - begun < 2
        assert collections(simulator) == {}
        with pytest.raises(UpstreamUnavailable):
            await app.check_ready()
        shown = numbers(app.metrics.exposed().decode())
        assert shown['kai_erp_breaker_state{upstream="erp"}'] == 2
        simulator.state.faults.clear()
        clock.seconds += 61
        assert (await app.ask(WELD)).meta.total_count > 0
        assert numbers(app.metrics.exposed().decode())['kai_erp_breaker_state{upstream="erp"}'] == 0


@pytest.mark.usefixtures("without_waiting")
async def test_every_request_to_the_erp_is_counted_by_collection_and_outcome(
    app: App, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(Fault(Answer(503), on="SLWcs", times=1))
    await app.ask(WELD)
    shown = numbers(app.metrics.exposed().decode())
    called = 'kai_erp_upstream_calls_total{{collection="{}",outcome="{}",upstream="erp"}}'.format
    assert shown[called("SLWcs", "upstream_unavailable")] == 1
    assert shown[called("SLWcs", "ok")] == 1
    assert shown[called("SLJobRoutes", "ok")] >= 1
    assert shown['kai_erp_upstream_retries_total{upstream="erp"}'] == 1
    assert shown['kai_erp_token_renewals_total{upstream="erp"}'] == 1
    assert shown['kai_erp_token_age_seconds{upstream="erp"}'] >= 0


async def test_a_caller_who_leaves_an_http_request_leaves_others_their_answer(
    settings: Settings, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(Fault(Delay(0.4), on="SLJobRoutes", times=None))
    async with serving(settings) as client:

        async def ask() -> httpx2.Response:
            return await client.get("/bedrock/schedule", params={"work_center": "WELD"})

        leaving, staying = asyncio.create_task(ask()), asyncio.create_task(ask())
        await asyncio.sleep(0.2)
        leaving.cancel()
        assert (await staying).status_code == 200
        await asyncio.gather(leaving, return_exceptions=True)
