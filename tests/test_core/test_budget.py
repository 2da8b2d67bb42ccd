import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kai_erp.core.budget import WINDOW_SECONDS, Earlier, Permit, RequestBudget
from kai_erp.core.retries import Throttled
from tests.test_core.virtual_time import VirtualTimeLoop


def seconds() -> float:
    return asyncio.get_running_loop().time()


def budget_of(concurrency: int, per_minute: int = 1_000) -> RequestBudget:
    return RequestBudget(concurrency, per_minute, asyncio.get_running_loop().time)


class Upstream:
    """Takes requests through a budget, each for some seconds, and notes what it sees of them."""

    def __init__(self, budget: RequestBudget) -> None:
        self.budget = budget
        self.in_flight = self.most = 0
        self.starts: list[float] = []
        self.order: list[str] = []

    async def request(self, takes: float = 1.0, name: str = "", *, urgent: bool = False) -> None:
        async with self.budget.slot(urgent=urgent):
            self.starts.append(seconds())
            self.order.append(name)
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            await asyncio.sleep(takes)
            self.in_flight -= 1


async def settle() -> None:
    """Let everything run that can run now."""
    for _ in range(20):
        await asyncio.sleep(0)


def most_within(starts: list[float], window: float) -> int:
    return max((sum(start <= other < start + window for other in starts) for start in starts), default=0)


async def run_all(upstream: Upstream, takes: Iterable[float]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in takes:
            group.create_task(upstream.request(one))


@given(st.integers(1, 5), st.lists(st.floats(0, 30), max_size=30))
@settings(max_examples=40)
def test_never_more_requests_are_in_flight_than_allowed(concurrency: int, takes: list[float]) -> None:
    async def measure() -> Upstream:
        upstream = Upstream(budget_of(concurrency))
        await run_all(upstream, takes)
        return upstream

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        upstream = runner.run(measure())
    assert len(upstream.starts) == len(takes)
    assert upstream.most <= concurrency
    assert upstream.in_flight == 0


@given(st.integers(1, 6), st.integers(1, 8), st.lists(st.floats(0, 40), max_size=30))
@settings(max_examples=40)
def test_never_more_requests_start_within_any_minute_than_allowed(
    concurrency: int, per_minute: int, takes: list[float]
) -> None:
    async def measure() -> Upstream:
        upstream = Upstream(budget_of(concurrency, per_minute))
        await run_all(upstream, takes)
        return upstream

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        upstream = runner.run(measure())
    assert len(upstream.starts) == len(takes)
    assert most_within(upstream.starts, WINDOW_SECONDS) <= per_minute


async def test_requests_run_side_by_side_up_to_the_limit() -> None:
    upstream = Upstream(budget_of(3))
    began = seconds()
    await run_all(upstream, [10.0] * 6)
    assert upstream.most == 3
    assert seconds() - began == pytest.approx(20.0)


async def test_a_full_minute_is_waited_out_before_the_next_request_starts() -> None:
    upstream = Upstream(budget_of(10, per_minute=4))
    began = seconds()
    await run_all(upstream, [0.0] * 9)
    waits = [start - began for start in sorted(upstream.starts)]
    assert waits[:4] == [0.0] * 4
    assert all(60 < wait < 62 for wait in waits[4:8])
    assert 120 < waits[8] < 124


async def test_an_urgent_request_goes_before_those_that_wait() -> None:
    upstream = Upstream(budget_of(1))
    async with asyncio.TaskGroup() as group:
        group.create_task(upstream.request(name="running"))
        await settle()
        for name in ("first", "second"):
            group.create_task(upstream.request(name=name))
        await settle()
        for name in ("next page", "another page"):
            group.create_task(upstream.request(name=name, urgent=True))
    assert upstream.order == ["running", "next page", "another page", "first", "second"]


async def test_requests_of_one_rank_go_in_the_order_in_which_they_came() -> None:
    upstream = Upstream(budget_of(2))
    names = [str(number) for number in range(12)]
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(upstream.request(name=name))
    assert upstream.order == names


async def test_a_request_that_is_cancelled_while_it_waits_takes_no_place() -> None:
    upstream = Upstream(budget_of(1))
    running = asyncio.create_task(upstream.request(10.0, "running"))
    await settle()
    waiting = asyncio.create_task(upstream.request(10.0, "waiting"))
    await settle()
    waiting.cancel()
    await asyncio.gather(running, waiting, return_exceptions=True)
    await upstream.request(name="later")
    assert upstream.order == ["running", "later"]


async def test_a_request_that_is_cancelled_just_as_its_turn_comes_hands_it_on() -> None:
    upstream = Upstream(budget_of(1))
    release = asyncio.Event()
    waiting: list[asyncio.Task[None]] = []

    async def hold_the_slot() -> None:
        async with upstream.budget.slot():
            await release.wait()
        waiting[0].cancel()

    holding = asyncio.create_task(hold_the_slot())
    await settle()
    waiting += [asyncio.create_task(upstream.request(name=name)) for name in ("cancelled", "after")]
    await settle()
    release.set()
    await asyncio.gather(holding, *waiting, return_exceptions=True)
    await asyncio.wait_for(upstream.request(name="later"), 10)
    assert waiting[0].cancelled()
    assert upstream.order == ["after", "later"]


async def test_a_request_that_is_cancelled_while_it_keeps_the_pace_frees_its_place() -> None:
    upstream = Upstream(budget_of(1, per_minute=1))
    await upstream.request(0.0, "first")
    pacing = asyncio.create_task(upstream.request(0.0, "pacing"))
    await settle()
    pacing.cancel()
    await asyncio.gather(pacing, return_exceptions=True)
    began = seconds()
    await upstream.request(0.0, "next")
    assert upstream.order == ["first", "next"]
    assert 60 < seconds() - began + 1 < 62


async def test_a_request_that_fails_frees_its_place() -> None:
    upstream = Upstream(budget_of(1))
    for _ in range(3):
        with pytest.raises(RuntimeError):
            async with upstream.budget.slot():
                raise RuntimeError("upstream")
    await asyncio.wait_for(upstream.request(), 10)
    assert len(upstream.starts) == 1


async def test_while_held_nothing_starts() -> None:
    upstream = Upstream(budget_of(5))
    began = seconds()
    upstream.budget.hold(7.5)
    await run_all(upstream, [0.0] * 3)
    assert [start - began for start in upstream.starts] == pytest.approx([7.5] * 3)


async def test_a_longer_hold_prevails_over_a_shorter_one() -> None:
    upstream = Upstream(budget_of(5))
    began = seconds()
    upstream.budget.hold(9.0)
    upstream.budget.hold(2.0)
    await upstream.request(0.0)
    assert upstream.starts[0] - began == pytest.approx(9.0)


async def test_a_hold_that_is_lengthened_meanwhile_is_kept() -> None:
    upstream = Upstream(budget_of(5))
    began = seconds()
    upstream.budget.hold(3.0)
    waiting = asyncio.create_task(upstream.request(0.0))
    await asyncio.sleep(2.0)
    upstream.budget.hold(5.0)
    await waiting
    assert upstream.starts[0] - began == pytest.approx(7.0)


async def test_a_hold_does_not_stop_what_is_in_flight() -> None:
    upstream = Upstream(budget_of(5))
    began = seconds()
    running = asyncio.create_task(upstream.request(2.0))
    await settle()
    upstream.budget.hold(100.0)
    await running
    assert seconds() - began == pytest.approx(2.0)


async def test_a_rest_too_long_to_wait_for_is_told_to_those_that_wait() -> None:
    upstream = Upstream(budget_of(5))
    upstream.budget.hold(3.0)
    waiting = asyncio.create_task(upstream.request(0.0))
    await asyncio.sleep(2.0)
    upstream.budget.hold(100.0)
    with pytest.raises(Throttled) as raised:
        await waiting
    assert raised.value.asked == pytest.approx(99.0)
    assert upstream.starts == []


@dataclass
class Others:
    """Other processes under the same limit; says what it is told to say, and then that there is room."""

    says: list[Permit | None]
    asked: list[tuple[int, list[int]]] = field(default_factory=list)
    held: list[float] = field(default_factory=list)

    async def take(self, number: int, limit: int, earlier: Earlier) -> Permit | None:  # noqa: ARG002  # our limit
        self.asked.append((number, [start for start, _ in earlier()]))
        return self.says.pop(0) if self.says else Permit(0.0, 0.0, 1)

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


def shared_with(*says: Permit | None, per_minute: int = 10) -> tuple[Upstream, Others]:
    others = Others(list(says))
    return Upstream(RequestBudget(5, per_minute, asyncio.get_running_loop().time, others)), others


async def test_what_others_have_started_is_waited_out() -> None:
    upstream, others = shared_with(Permit(2.0, 0.0, 2), Permit(3.0, 0.0, 2))
    began = seconds()
    await upstream.request(0.0)
    assert upstream.starts[0] - began == pytest.approx(5.0)
    assert others.asked == [(0, [])] * 3


async def test_each_start_has_a_number_of_its_own_and_can_be_told_again() -> None:
    upstream, others = shared_with()
    await run_all(upstream, [0.0] * 3)
    await asyncio.sleep(100.0)
    await upstream.request(0.0)
    assert others.asked == [(0, []), (1, [0]), (2, [0, 1]), (3, [])]


async def test_a_rest_that_others_were_asked_for_is_kept() -> None:
    upstream, _ = shared_with(Permit(4.0, 4.0, 2))
    began = seconds()
    await upstream.request(0.0)
    assert upstream.starts[0] - began == pytest.approx(4.0)


async def test_others_are_told_of_a_rest() -> None:
    upstream, others = shared_with()
    upstream.budget.hold(4.0)
    assert others.held == [4.0]


async def test_while_others_cannot_be_heard_this_process_keeps_to_its_part() -> None:
    upstream, _ = shared_with(Permit(0.0, 0.0, 3), *[None] * 100, per_minute=10)
    began = seconds()
    await run_all(upstream, [0.0] * 4)
    waits = [start - began for start in upstream.starts]
    assert waits[:3] == [0.0] * 3
    assert waits[3] > 60


async def test_others_that_are_heard_again_are_asked_within_seconds() -> None:
    upstream, _ = shared_with(Permit(0.0, 0.0, 10), None, per_minute=10)
    began = seconds()
    await run_all(upstream, [0.0] * 2)
    assert upstream.starts[1] - began == pytest.approx(5.0)
