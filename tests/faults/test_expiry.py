"""A token that ends while many ask: one renewal, and nobody notices."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import App, open_app
from kai_erp.connectors import ScheduleQuery
from kai_erp.errors import UpstreamAuth
from kai_erp.simulator import Answer, Fault, RunningSimulator, SimulatorOptions
from tests.conftest import ZONE, HandClock, RawRows, SettingsFor, Simulate
from tests.faults.measures import ask_apart, check_all
from tests.test_connectors.asking import Truth, ask

WELD = ScheduleQuery(work_center="WELD")
QUESTIONS = 20
Ending = Callable[[RunningSimulator, HandClock], object]
ENDINGS: dict[str, Ending] = {
    "revoked": lambda simulator, _: simulator.state.revoke_tokens(),
    "lapsed": lambda _, clock: clock.__setattr__("seconds", clock.seconds + 7_200),
    "due for renewal": lambda _, clock: clock.__setattr__("seconds", clock.seconds + 3_300),
}


@pytest.fixture
def truth(collections: RawRows, now: datetime) -> Truth:
    """What the plant holds."""
    return Truth(collections, now, ZoneInfo(ZONE))


async def ask_together(app: App, truth: Truth) -> None:
    """Ask questions at once; all answers are right and whole."""
    async with asyncio.timeout(60):
        check_all(await asyncio.gather(*(ask_apart(app, WELD) for _ in range(QUESTIONS))), WELD, truth)


async def test_twenty_questions_before_any_token_cause_one_request_for_it(
    app: App, simulator: RunningSimulator, truth: Truth
) -> None:
    await ask_together(app, truth)
    assert simulator.state.token_requests == 1


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
async def test_twenty_questions_after_a_token_has_ended_cause_one_renewal(
    end: Ending, app: App, simulator: RunningSimulator, clock: HandClock, truth: Truth
) -> None:
    await ask(app, WELD)
    end(simulator, clock)
    await ask_together(app, truth)
    assert simulator.state.token_requests == 2


async def test_a_token_that_is_revoked_in_the_middle_is_renewed_once(
    app: App, simulator: RunningSimulator, truth: Truth
) -> None:
    questions = [asyncio.create_task(ask_apart(app, WELD)) for _ in range(QUESTIONS)]
    async with asyncio.timeout(60):
        while len(simulator.state.requests) < QUESTIONS:  # noqa: ASYNC110  # the simulator is in another thread
            await asyncio.sleep(0)
        simulator.state.revoke_tokens()
        answers = await asyncio.gather(*questions)
    check_all(answers, WELD, truth)
    assert simulator.state.token_requests == 2


async def test_short_lived_tokens_are_renewed_at_half_their_life(
    simulate: Simulate, settings_for: SettingsFor, clock: HandClock, truth: Truth
) -> None:
    running = simulate(SimulatorOptions(token_seconds=300))
    async with open_app(settings_for(running), clock=clock, now=lambda: truth.now) as app:
        await ask(app, WELD)
        clock.seconds += 149
        await ask(app, WELD)
        assert running.state.token_requests == 1
        clock.seconds += 1
        await ask_together(app, truth)
        assert running.state.token_requests == 2


@pytest.mark.parametrize("body", ["json", "text", "empty"])
async def test_whatever_a_401_carries_the_token_is_renewed_once(
    body: str, simulator: RunningSimulator, app: App, truth: Truth
) -> None:
    await ask(app, WELD)
    simulator.state.turn({"unauthorized_body": body})
    try:
        simulator.state.revoke_tokens()
        await ask_together(app, truth)
    finally:
        simulator.state.turn({"unauthorized_body": "json"})
    assert simulator.state.token_requests == 2


@pytest.mark.usefixtures("without_waiting")
async def test_a_renewal_that_fails_at_first_is_tried_again_once_for_all(
    app: App, simulator: RunningSimulator, truth: Truth
) -> None:
    await ask(app, WELD)
    simulator.state.revoke_tokens()
    simulator.state.faults.add(Fault(Answer(503), on="token", times=2))
    await ask_together(app, truth)
    assert simulator.state.token_requests == 4


async def test_twenty_questions_with_an_app_that_is_no_longer_let_in_end_alike(
    app: App, simulator: RunningSimulator
) -> None:
    await ask(app, WELD)
    simulator.state.revoke_tokens()
    simulator.state.faults.add(Fault(Answer(401, body="{}"), on="token", times=None))
    outcomes = await asyncio.gather(*(ask_apart(app, WELD) for _ in range(QUESTIONS)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {UpstreamAuth}
