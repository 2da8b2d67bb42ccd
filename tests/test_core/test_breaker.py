"""The breaker: when it opens, whom it lets try, and that it matches a simpler description of itself."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kai_erp.core.breaker import Breaker
from kai_erp.core.retries import Throttled
from kai_erp.errors import Nonsense, PageTimedOut, UpstreamDenied, UpstreamError, UpstreamUnavailable
from tests.conftest import HandClock

AWAY = UpstreamUnavailable("away")
ANSWERS = (UpstreamDenied("SLJobs", "no"), Nonsense("SLJobs", "<html>"), Throttled("slower", 1.0))


@pytest.fixture
def breaker(clock: HandClock) -> Breaker:
    return Breaker("erp", clock)


async def attempt(breaker: Breaker, failure: UpstreamError | None = None) -> bool:
    """Make an attempt, and tell whether it was let through."""
    through = False
    with suppress(UpstreamError):
        async with breaker.attempt():
            through = True
            if failure is not None:
                raise failure
    return through


async def opened(breaker: Breaker, clock: HandClock) -> None:
    """Let a breaker open."""
    for _ in range(6):
        await attempt(breaker, AWAY)
        clock.seconds += 1
    assert breaker.state == "open"


async def test_a_hiccup_does_not_open_it(breaker: Breaker, clock: HandClock) -> None:
    for _ in range(50):
        await attempt(breaker, AWAY)
    clock.seconds += 60
    assert breaker.state == "closed"


async def test_failures_that_last_open_it(breaker: Breaker, clock: HandClock) -> None:
    await opened(breaker, clock)
    assert not await attempt(breaker)
    with pytest.raises(UpstreamUnavailable, match="The ERP has not answered lately") as refusal:
        async with breaker.attempt():
            pass
    assert refusal.value.retry_after == 4
    assert refusal.value.tried_out


async def test_pages_that_time_out_open_it_too(breaker: Breaker, clock: HandClock) -> None:
    for _ in range(6):
        await attempt(breaker, PageTimedOut("slow"))
        clock.seconds += 30
    assert breaker.state == "open"


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
async def test_an_answer_of_any_kind_starts_the_count_anew(
    breaker: Breaker, clock: HandClock, answer: UpstreamError
) -> None:
    for _ in range(20):
        await attempt(breaker, AWAY)
        await attempt(breaker, answer)
        clock.seconds += 10
    assert breaker.state == "closed"


async def test_one_attempt_tries_whether_it_is_back_and_the_others_wait_for_it(
    breaker: Breaker, clock: HandClock
) -> None:
    await opened(breaker, clock)
    clock.seconds += 60
    answered, trying = asyncio.Event(), 0

    async def ask() -> None:
        nonlocal trying
        async with breaker.attempt():
            trying += 1
            await answered.wait()

    tasks = [asyncio.create_task(ask()) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert trying == 1
    answered.set()
    await asyncio.gather(*tasks)
    assert trying == 10
    assert breaker.state == "closed"


async def test_while_it_is_away_the_rest_grows_to_a_minute(breaker: Breaker, clock: HandClock) -> None:
    await opened(breaker, clock)
    rests = []
    for _ in range(6):
        while not await attempt(breaker, AWAY):
            clock.seconds += 1
            rests.append(1)
        rests.append(0)
    lengths = [len(part) for part in "".join(map(str, rests)).split("0")]
    assert lengths[1:6] == [10, 20, 40, 60, 60]


async def test_a_try_that_is_given_up_leaves_the_next_one_to_try(breaker: Breaker, clock: HandClock) -> None:
    await opened(breaker, clock)
    clock.seconds += 60

    async def hang() -> None:
        async with breaker.attempt():
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await attempt(breaker)
    assert breaker.state == "closed"


class Model(RuleBasedStateMachine):
    """The breaker beside a description of it: what has failed since the last answer, and until when it rests."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        self.breaker = Breaker("erp", self.clock)
        self.failed_at: list[float] = []
        self.rest, self.until = 5.0, float("-inf")
        self.is_open = False

    @rule(seconds=st.floats(0.01, 40))
    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @rule(away=st.booleans())
    def ask(self, away: bool) -> None:
        through = asyncio.run(attempt(self.breaker, AWAY if away else None))
        assert through == (not self.is_open or self.clock() >= self.until)
        if not through:
            return
        if not away:
            self.failed_at, self.rest, self.is_open = [], 5.0, False
        elif self.is_open:
            self.rest = min(60.0, self.rest * 2)
            self.until = self.clock() + self.rest
        else:
            self.failed_at.append(self.clock())
            if len(self.failed_at) >= 5 and self.clock() - self.failed_at[0] >= 5:
                self.is_open, self.until = True, self.clock() + self.rest

    @invariant()
    def agree(self) -> None:
        assert (self.breaker.state == "closed") == (not self.is_open)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
