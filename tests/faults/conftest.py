"""The one question that takes a minute goes on beside the tests of the other faults, which share a process."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from kai_erp.app import Answer, open_app
from kai_erp.config import Settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.simulator import Plant, RunningSimulator, run_simulator
from tests.conftest import settings_of
from tests.faults.measures import ask_apart

ELSEWHERE = "test_matrix.py"  # as long as all others together
PER_MINUTE = 150
WELD = ScheduleQuery(work_center="WELD")


@dataclass(frozen=True, repr=False)
class LongQuestion:
    """Questions that take more requests than a minute allows: their answers and seconds, and who was asked."""

    outcome: Future[tuple[list[Answer], float]]
    simulator: RunningSimulator


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of this folder together, whatever process they run in."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.name != ELSEWHERE:
            item.add_marker(pytest.mark.xdist_group("faults"))


@pytest.fixture(scope="session")
def long_question(plant: Plant, now: datetime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LongQuestion]:
    """What was begun with the first test, in a thread of its own; given up when nobody waits for it."""
    file = tmp_path_factory.mktemp("minute") / "tenant.ionapi"
    with run_simulator(plant) as running, start_blocking_portal() as portal:
        settings = settings_of(
            running,
            file,
            sl10_requests_per_minute=PER_MINUTE,
            sl10_page_size=26,
            sl10_query_timeout_seconds=200,
        )
        outcome = portal.start_task_soon(_ask_for_more_than_a_minute, settings, now)
        yield LongQuestion(outcome, running)
        outcome.cancel()


async def _ask_for_more_than_a_minute(settings: Settings, now: datetime) -> tuple[list[Answer], float]:
    began = time.monotonic()
    async with open_app(settings, now=lambda: now) as app:
        answers = await asyncio.gather(*(ask_apart(app, WELD) for _ in range(7)))
    return answers, time.monotonic() - began


@pytest.fixture(autouse=True)
def _beside(request: pytest.FixtureRequest) -> None:
    """Begin the long question with the first test of the group."""
    if request.path.name != ELSEWHERE:
        request.getfixturevalue("long_question")
