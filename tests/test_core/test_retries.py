import asyncio
from collections.abc import Awaitable, Callable

import pytest
import stamina

from kai_erp.core.retries import ATTEMPTS, LONGEST_WAIT, Throttled, with_retries
from kai_erp.errors import Nonsense, TokenRejected, UpstreamAuth, UpstreamError, UpstreamFault, UpstreamUnavailable

Attempt = Callable[[], Awaitable[str]]


class Failing:
    """Raises the failures one after the other, then answers; notes when it was tried."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.tried: list[float] = []

    async def __call__(self) -> str:
        self.tried.append(asyncio.get_running_loop().time())
        if self.failures:
            raise self.failures.pop(0)
        return "answer"

    @property
    def waits(self) -> list[float]:
        return [round(after - before, 6) for before, after in zip(self.tried, self.tried[1:], strict=False)]


PASSING: dict[str, Callable[[], UpstreamError]] = {
    "unavailable": lambda: UpstreamUnavailable("down"),
    "nonsense": lambda: Nonsense("SLJobs", "<html>"),
    "throttled": lambda: Throttled("slow", None),
    "throttled, but not for long": lambda: Throttled("slow", 0.0),
}


@pytest.mark.parametrize("make", PASSING.values(), ids=PASSING)
async def test_a_failure_that_may_pass_is_tried_again(make: Callable[[], UpstreamError]) -> None:
    attempt = Failing(make(), make(), make())
    assert await with_retries(attempt) == "answer"
    assert len(attempt.tried) == 4


@pytest.mark.parametrize("make", PASSING.values(), ids=PASSING)
async def test_after_the_last_attempt_the_last_failure_is_raised_itself(make: Callable[[], UpstreamError]) -> None:
    last = make()
    attempt = Failing(*(UpstreamUnavailable("earlier") for _ in range(ATTEMPTS - 1)), last)
    with pytest.raises(type(last)) as raised:
        await with_retries(attempt)
    assert raised.value is last
    assert len(attempt.tried) == ATTEMPTS


@pytest.mark.parametrize("make", PASSING.values(), ids=PASSING)
async def test_what_has_been_tried_out_is_not_tried_again_around_it(make: Callable[[], UpstreamError]) -> None:
    attempt = Failing(*(make() for _ in range(99)))
    with pytest.raises(UpstreamError):
        await with_retries(lambda: with_retries(attempt))
    assert len(attempt.tried) == ATTEMPTS


@pytest.mark.parametrize(
    "failure",
    [
        UpstreamFault("no"),
        UpstreamAuth("no"),
        TokenRejected("no"),
        ValueError("no"),
        Throttled("no", LONGEST_WAIT + 1),
    ],
    ids=repr,
)
async def test_a_failure_that_stays_is_raised_at_once(failure: Exception) -> None:
    attempt = Failing(failure)
    with pytest.raises(type(failure)) as raised:
        await with_retries(attempt)
    assert raised.value is failure
    assert len(attempt.tried) == 1


async def test_an_answer_is_asked_for_once() -> None:
    attempt = Failing()
    assert await with_retries(attempt) == "answer"
    assert len(attempt.tried) == 1


async def test_what_retry_after_says_is_waited_exactly() -> None:
    attempt = Failing(Throttled("slow", 7.0), Throttled("slow", 0.0), Throttled("slow", LONGEST_WAIT))
    with stamina.set_testing(False):  # stamina's own signature
        await with_retries(attempt)
    assert attempt.waits == [7.0, 0.0, LONGEST_WAIT]


async def test_without_retry_after_the_waits_grow_and_stay_bounded() -> None:
    attempt = Failing(*(UpstreamUnavailable("down") for _ in range(ATTEMPTS - 1)))
    with stamina.set_testing(False):  # stamina's own signature
        await with_retries(attempt)
    first, second, third = attempt.waits
    assert 0.2 <= first <= 0.5
    assert 0.4 <= second <= 0.7
    assert 0.8 <= third <= 1.1


async def test_a_cancelled_attempt_is_not_tried_again() -> None:
    attempt = Failing()
    attempt.failures = [asyncio.CancelledError()]  # type: ignore[list-item]  # no Exception, which is the point
    with pytest.raises(asyncio.CancelledError):
        await with_retries(attempt)
    assert len(attempt.tried) == 1


def test_throttling_says_when_to_come_back_even_if_the_server_did_not() -> None:
    assert (Throttled("slow", None).asked, Throttled("slow", None).retry_after) == (None, 5.0)
    assert (Throttled("slow", 0.0).asked, Throttled("slow", 0.0).retry_after) == (0.0, 0.0)
