"""How much the ERP is asked of at once, as the ERP sees it."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import open_app
from kai_erp.connectors import ScheduleQuery
from kai_erp.simulator import SimulatorOptions
from tests.conftest import ZONE, RawRows, SettingsFor, Simulate
from tests.faults.measures import ask_apart, check_all, most_at_once
from tests.test_connectors.asking import Truth, ask

WELD = ScheduleQuery(work_center="WELD")
CALLERS = 50


@pytest.fixture
def truth(collections: RawRows, now: datetime) -> Truth:
    """What the plant holds."""
    return Truth(collections, now, ZoneInfo(ZONE))


@pytest.mark.parametrize("concurrency", [1, 6])
async def test_fifty_callers_at_once_are_no_more_requests_at_once_than_allowed(
    concurrency: int, simulate: Simulate, settings_for: SettingsFor, truth: Truth
) -> None:
    running = simulate(SimulatorOptions(latency_ms=2))
    settings = settings_for(running, sl10_max_concurrency=concurrency, sl10_query_timeout_seconds=300)
    async with open_app(settings, now=lambda: truth.now) as app, asyncio.timeout(60):
        answers = await asyncio.gather(*(ask_apart(app, WELD) for _ in range(CALLERS)))
    check_all(answers, WELD, truth)
    assert len(running.state.requests) >= CALLERS * 6
    least = min(concurrency, 2)  # a busy machine does not keep all of them busy
    assert least <= most_at_once(running.state.requests) <= concurrency


async def test_callers_who_leave_make_room_for_the_others(
    simulate: Simulate, settings_for: SettingsFor, truth: Truth
) -> None:
    running = simulate(SimulatorOptions(latency_ms=2))
    async with open_app(
        settings_for(running, sl10_max_concurrency=3, sl10_query_timeout_seconds=300), now=lambda: truth.now
    ) as app:
        questions = [asyncio.create_task(ask_apart(app, WELD)) for _ in range(CALLERS)]
        while len(running.state.requests) < 10:  # noqa: ASYNC110  # the simulator is in another thread
            await asyncio.sleep(0)
        for question in questions[::2]:
            question.cancel()
        async with asyncio.timeout(60):
            answers = await asyncio.gather(*questions[1::2])
            answers.append(await ask(app, WELD))
    check_all(answers, WELD, truth)
