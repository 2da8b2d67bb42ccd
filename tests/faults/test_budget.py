"""How much the ERP is asked of, as the ERP sees it."""

import asyncio
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import open_app
from kai_erp.connectors import ScheduleQuery
from kai_erp.simulator import RunningSimulator, SimulatorOptions
from tests.conftest import ZONE, RawRows, SettingsFor, Simulate
from tests.faults.measures import check_all, most_at_once, most_within
from tests.test_connectors.asking import Truth, ask

WELD = ScheduleQuery(work_center="WELD")
CALLERS = 50
PER_MINUTE = 150
WINDOW_SECONDS = 60.0


@pytest.fixture
def truth(collections: RawRows, now: datetime) -> Truth:
    """What the plant holds."""
    return Truth(collections, now, ZoneInfo(ZONE))


@pytest.mark.parametrize("concurrency", [1, 6])
async def test_fifty_callers_at_once_are_no_more_requests_at_once_than_allowed(
    concurrency: int, simulate: Simulate, settings_for: SettingsFor, truth: Truth
) -> None:
    running = simulate(SimulatorOptions(latency_ms=2))
    settings = settings_for(running, sl10_max_concurrency=concurrency)
    async with open_app(settings, now=lambda: truth.now) as app, asyncio.timeout(60):
        answers = await asyncio.gather(*(ask(app, WELD) for _ in range(CALLERS)))
    check_all(answers, WELD, truth)
    assert len(running.state.requests) >= CALLERS * 6
    least = min(concurrency, 2)  # a busy machine does not keep all of them busy
    assert least <= most_at_once(running.state.requests) <= concurrency


async def test_callers_who_leave_make_room_for_the_others(
    simulate: Simulate, settings_for: SettingsFor, truth: Truth
) -> None:
    running = simulate(SimulatorOptions(latency_ms=2))
    async with open_app(settings_for(running, sl10_max_concurrency=3), now=lambda: truth.now) as app:
        questions = [asyncio.create_task(ask(app, WELD)) for _ in range(CALLERS)]
        while len(running.state.requests) < 10:  # noqa: ASYNC110  # the simulator is in another thread
            await asyncio.sleep(0)
        for question in questions[::2]:
            question.cancel()
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*questions[1::2])
            answers.append(await ask(app, WELD))
    check_all(answers, WELD, truth)


@pytest.mark.timeout(240)
async def test_no_sixty_seconds_hold_more_requests_than_allowed(
    simulator: RunningSimulator, settings_for: SettingsFor, truth: Truth
) -> None:
    settings = settings_for(
        simulator, sl10_requests_per_minute=PER_MINUTE, sl10_page_size=26, sl10_query_timeout_seconds=200
    )
    began = time.monotonic()
    async with open_app(settings, now=lambda: truth.now) as app:
        answers = await asyncio.gather(*(ask(app, WELD) for _ in range(7)))
    check_all(answers, WELD, truth)
    requests = simulator.state.requests
    assert len(requests) > PER_MINUTE
    assert most_within(requests, WINDOW_SECONDS) == PER_MINUTE
    assert most_within(requests, time.monotonic() - began) == len(requests)
