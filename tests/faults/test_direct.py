"""The direct way in, against a server whose tokens bear one request at a time."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from kai_erp.app import App, open_app
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.simulator import RecordedRequest, RunningSimulator, SimulatorOptions
from tests.conftest import ZONE, RawRows, Simulate
from tests.faults.measures import ask_apart, check_all, most_at_once
from tests.test_connectors.asking import Truth, ask, check, warnings

WELD = ScheduleQuery(work_center="WELD")
WARNING = "the direct token does not stand parallel calls; from now on one call at a time"
SERIAL = SimulatorOptions(direct_token_serial=True, latency_ms=30)


def direct_settings(simulator: RunningSimulator) -> Settings:
    options = simulator.state.options
    return load_settings(
        {
            "sl10_base_url": simulator.base_url,
            "sl10_username": options.username,
            "sl10_password": options.password,
            "sl10_config_name": options.configurations[0],
            "sl10_timezone": ZONE,
            "sl10_requests_per_minute": 100_000,
        }
    )


def loads(simulator: RunningSimulator) -> list[RecordedRequest]:
    return [request for request in simulator.state.requests if "/load/" in request.path]


def log_ons(simulator: RunningSimulator) -> int:
    return sum("/token/" in request.path for request in simulator.state.requests)


@pytest.fixture
def truth(collections: RawRows, now: datetime) -> Truth:
    """What the plant holds."""
    return Truth(collections, now, ZoneInfo(ZONE))


@pytest.mark.parametrize(
    "query", [WELD, ScheduleQuery(), ScheduleQuery(work_center="MACH", include_completed=True)]
)
async def test_the_direct_way_gives_the_right_answer(
    query: ScheduleQuery, simulator: RunningSimulator, truth: Truth
) -> None:
    with capture_logs() as logs:
        async with open_app(direct_settings(simulator), now=lambda: truth.now) as app:
            answer = await ask(app, query)
    check(answer, query, truth)
    assert warnings(answer) == []
    assert logs == []
    assert log_ons(simulator) == 1


async def _learn(app: App, simulator: RunningSimulator, truth: Truth, questions: int) -> None:
    """Ask questions at once; they are answered, but not one request at a time."""
    check_all(await asyncio.gather(*(ask_apart(app, WELD) for _ in range(questions))), WELD, truth)
    assert most_at_once(loads(simulator)) > 1
    assert log_ons(simulator) == 2


@pytest.mark.parametrize("questions", [1, 5])
async def test_a_token_that_bears_one_request_at_a_time_is_used_so_after_its_first_loss(
    questions: int, simulate: Simulate, truth: Truth
) -> None:
    simulator = simulate(SERIAL)
    with capture_logs() as logs:
        async with open_app(direct_settings(simulator), now=lambda: truth.now) as app:
            await _learn(app, simulator, truth, questions)
            simulator.state.requests.clear()
            check_all(await asyncio.gather(*(ask_apart(app, WELD) for _ in range(3))), WELD, truth)
    assert most_at_once(loads(simulator)) == 1
    assert log_ons(simulator) == 0
    assert [(line["event"], line["log_level"]) for line in logs] == [(WARNING, "warning")]


async def test_after_the_first_loss_a_revoked_token_is_renewed_once(simulate: Simulate, truth: Truth) -> None:
    simulator = simulate(SERIAL)
    async with open_app(direct_settings(simulator), now=lambda: truth.now) as app:
        await _learn(app, simulator, truth, 1)
        simulator.state.requests.clear()
        simulator.state.revoke_tokens()
        check_all(await asyncio.gather(*(ask_apart(app, WELD) for _ in range(2))), WELD, truth)
    assert log_ons(simulator) == 1
    assert most_at_once(loads(simulator)) == 1


@pytest.mark.usefixtures("without_waiting")
async def test_a_session_that_ended_in_german_is_taken_for_what_it_is(simulate: Simulate, truth: Truth) -> None:
    simulator = simulate(SimulatorOptions(direct_token_serial=True, latency_ms=30, language="de"))
    async with open_app(direct_settings(simulator), now=lambda: truth.now) as app:
        check(await ask(app, WELD), WELD, truth)
