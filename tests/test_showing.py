"""Answers on show: one reading for all who look at them."""

import asyncio
from datetime import timedelta

import pytest

from kai_erp.app import App, Asked
from kai_erp.callers import Caller
from kai_erp.connectors import ScheduleQuery
from kai_erp.errors import CursorExpired, Forbidden
from kai_erp.questions import Look
from kai_erp.simulator import RunningSimulator
from tests.conftest import HandClock

WELD = ScheduleQuery(work_center="WELD")


def looking(within: float = 60, *, caller: str = "", **how: object) -> Asked:
    who = Caller(caller, frozenset({"schedule:read"}))
    return Asked("production_schedule", WELD, caller=who, look=Look(within, **how))  # type: ignore[arg-type]


def reads(simulator: RunningSimulator) -> int:
    """Return how many requests for rows came since the last look."""
    counted = sum(1 for request in simulator.state.requests if request.collection)
    simulator.state.requests.clear()
    return counted


async def test_all_who_look_share_one_reading(app: App, simulator: RunningSimulator) -> None:
    first = await app.ask(looking(caller="key:anna"))
    assert reads(simulator) > 0
    others = await asyncio.gather(*(app.ask(looking(caller=f"key:{number}")) for number in range(20)))
    assert reads(simulator) == 0
    assert all(other.records.equals(first.records) for other in others)
    assert {read.status for read in others[0].meta.upstream} == {"cached"}
    assert others[0].meta.as_of == first.meta.as_of


async def test_an_answer_that_is_too_old_is_read_anew(
    app: App, clock: HandClock, simulator: RunningSimulator
) -> None:
    await app.ask(looking())
    clock.seconds += 59
    reads(simulator)
    await app.ask(looking())
    assert reads(simulator) == 0
    clock.seconds += 2
    await app.ask(looking())
    assert reads(simulator) > 0


async def test_who_asks_for_a_new_reading_gets_one(
    app: App, clock: HandClock, simulator: RunningSimulator
) -> None:
    await app.ask(looking())
    clock.seconds += 3
    reads(simulator)
    await app.ask(looking(within=2))
    assert reads(simulator) > 0


async def test_more_of_an_answer_comes_from_that_answer_or_not_at_all(
    app: App, clock: HandClock, simulator: RunningSimulator
) -> None:
    first = await app.ask(looking())
    clock.seconds += 100
    reads(simulator)
    again = await app.ask(looking(as_of=first.meta.as_of))
    assert again.records.equals(first.records)
    with pytest.raises(CursorExpired):
        await app.ask(looking(as_of=first.meta.as_of + timedelta(seconds=1)))
    clock.seconds += 10_000
    with pytest.raises(CursorExpired):
        await app.ask(looking(as_of=first.meta.as_of))
    assert reads(simulator) == 0


async def test_an_answer_on_show_is_not_shown_to_who_may_not_ask(app: App) -> None:
    await app.ask(looking())
    stranger = Asked(
        "production_schedule", WELD, caller=Caller("key:eve", frozenset({"orders:read"})), look=Look(60)
    )
    with pytest.raises(Forbidden):
        await app.ask(stranger)


async def test_questions_of_programs_are_not_answered_from_what_is_shown(
    app: App, simulator: RunningSimulator
) -> None:
    await app.ask(looking())
    reads(simulator)
    answer = await app.ask(Asked("production_schedule", WELD))
    assert reads(simulator) > 0
    assert {read.status for read in answer.meta.upstream} == {"ok"}
