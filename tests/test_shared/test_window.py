"""All replicas together keep to one limit, also when Redis was emptied, and as well as can be while it is lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from kai_erp.core.budget import Permit, RequestBudget
from kai_erp.core.retries import Throttled
from kai_erp.shared.link import Link
from kai_erp.shared.window import SharedWindow
from tests.redis_server import RedisServer
from tests.test_shared.fakes import until

NAME = "kai-erp:test:budget:erp"
Links = tuple[Link, Link]
Make = Callable[..., RequestBudget]


@pytest.fixture
def budgets(links: Links) -> Make:
    """Return a replica's budget."""

    def make(which: int, per_minute: int) -> RequestBudget:
        return RequestBudget(100, per_minute, time.monotonic, SharedWindow(links[which], NAME))

    return make


async def start(budget: RequestBudget, started: list[float] | None = None) -> None:
    async with budget.slot():
        if started is not None:
            started.append(time.monotonic())


@asynccontextmanager
async def starting(*budgets: RequestBudget, each: int) -> AsyncIterator[list[float]]:
    """Start many requests on each budget, yield those that could, and give up on the others."""
    started: list[float] = []
    tasks = [asyncio.create_task(start(budget, started)) for budget in budgets for _ in range(each)]
    try:
        yield started
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def no_more(started: list[float]) -> int:
    """Return how many have started once no further one does for a while."""
    known = -1
    while known != len(started):
        known = len(started)
        await asyncio.sleep(0.3)
    return known


async def test_two_replicas_start_no_more_than_one_may(budgets: Make) -> None:
    async with starting(budgets(0, 40), budgets(1, 40), each=40) as started:
        assert await no_more(started) == 40


async def test_each_replica_gets_some(budgets: Make) -> None:
    one, other = budgets(0, 40), budgets(1, 40)
    async with starting(one, each=40) as ours, starting(other, each=40) as theirs:
        assert await no_more(ours) + await no_more(theirs) == 40
        assert min(len(ours), len(theirs)) >= 10


async def test_in_no_span_do_more_start_than_allowed_and_room_is_used_again(links: Links) -> None:
    """Half a second stands for a minute; measured a little shorter, for the way there and back."""
    limit, span, seconds = 20, 0.5, 2.2
    windows = [SharedWindow(link, NAME, span) for link in links * 3]
    started: list[float] = []

    async def replica(window: SharedWindow) -> None:
        number = 0
        while time.monotonic() < begun + seconds:
            permit = await window.take(number, limit, list)
            assert isinstance(permit, Permit)
            if permit.wait:
                await asyncio.sleep(permit.wait)
                continue
            started.append(time.monotonic())
            number += 1

    begun = time.monotonic()
    await asyncio.gather(*(replica(window) for window in windows))
    most = max(sum(at <= other < at + span * 0.8 for other in started) for at in started)
    assert most <= limit
    assert len(started) >= limit * 3


async def test_replicas_with_different_limits_each_keep_to_their_own(links: Links) -> None:
    one, other = (SharedWindow(link, NAME) for link in links)
    for number in range(6):
        assert (await taken(one, number, 10)).wait == 0
    assert (await taken(other, 0, 6)).wait > 50
    assert (await taken(one, 6, 10)).wait == 0


async def taken(window: SharedWindow, number: int, limit: int) -> Permit:
    permit = await window.take(number, limit, list)
    assert permit is not None
    return permit


async def test_a_wait_lasts_until_the_oldest_start_no_longer_counts(links: Links) -> None:
    window = SharedWindow(links[0], NAME)
    for number in range(3):
        await taken(window, number, 3)
    assert 59.0 < (await taken(window, 3, 3)).wait <= 60.5


async def test_replicas_know_how_many_they_are(links: Links) -> None:
    one, other = (SharedWindow(link, NAME) for link in links)
    assert (await taken(one, 0, 10)).processes == 1
    assert (await taken(other, 0, 10)).processes == 2
    assert (await taken(one, 1, 10)).processes == 2


async def test_budgets_of_two_upstreams_stay_apart(links: Links) -> None:
    for upstream in ("erp", "lake"):
        window = SharedWindow(links[0], f"kai-erp:test:budget:{upstream}")
        assert (await taken(window, 0, 1)).wait == 0


async def test_after_redis_was_emptied_a_replica_tells_what_it_had_started(
    budgets: Make, redis_server: RedisServer
) -> None:
    one, other = budgets(0, 10), budgets(1, 10)
    for _ in range(6):
        await start(one)
    with redis_server.client() as client:
        client.flushall()
    await start(one)
    async with starting(other, each=10) as started:
        assert await no_more(started) == 3


def stop(server: RedisServer) -> None:
    server.stop()


def fill(server: RedisServer) -> None:
    """Let it take no writes, and keep what it has."""
    with server.client() as client:
        client.config_set("maxmemory", "1")


def start_again(server: RedisServer) -> None:
    server.stop()
    server.start()


def empty(server: RedisServer) -> None:
    with server.client() as client:
        client.config_set("maxmemory", "0")


@pytest.mark.usefixtures("quick_probe")
@pytest.mark.parametrize(("lose", "mend"), [(stop, start_again), (fill, empty)])
async def test_what_was_started_while_redis_was_lost_counts_afterwards(
    budgets: Make,
    links: Links,
    redis_server: RedisServer,
    lose: Callable[[RedisServer], None],
    mend: Callable[[RedisServer], None],
) -> None:
    one, other = budgets(0, 10), budgets(1, 10)
    await start(one)
    lose(redis_server)
    for _ in range(5):
        await start(one)
    assert links[0].lost
    mend(redis_server)
    await until(lambda: not links[0].lost)
    await start(one)
    async with starting(other, each=10) as started:
        assert await no_more(started) == 3


async def test_while_redis_is_lost_each_replica_keeps_to_its_part(
    budgets: Make, redis_server: RedisServer
) -> None:
    one, other = budgets(0, 10), budgets(1, 10)
    await start(one)
    await start(other)
    await start(one)  # sees now that they are two
    redis_server.stop()
    async with starting(one, other, each=10) as started:
        assert await no_more(started) == 10 - 3


async def test_what_was_asked_of_redis_before_counts_when_it_is_lost(
    budgets: Make, redis_server: RedisServer
) -> None:
    budget = budgets(0, 5)
    for _ in range(4):
        await start(budget)
    redis_server.stop()
    async with starting(budget, each=5) as started:
        assert await no_more(started) == 1


async def test_a_rest_that_one_replica_was_asked_for_is_kept_by_the_others(
    budgets: Make, redis_server: RedisServer
) -> None:
    one, other = budgets(0, 10), budgets(1, 10)
    one.hold(0.5)
    with redis_server.client() as client:
        await until(lambda: client.exists(f"{NAME}:rest"))
    begun = time.monotonic()
    await start(other)
    assert time.monotonic() - begun > 0.3


async def test_a_long_rest_is_told_rather_than_waited_out(budgets: Make, redis_server: RedisServer) -> None:
    one, other = budgets(0, 10), budgets(1, 10)
    one.hold(120.0)
    with redis_server.client() as client:
        await until(lambda: client.exists(f"{NAME}:rest"))
    with pytest.raises(Throttled, match="left alone") as raised:
        await start(other)
    assert raised.value.asked == pytest.approx(120, abs=5)
    assert other.resting() == pytest.approx(120, abs=5)


async def test_a_shorter_rest_does_not_end_a_longer_one(links: Links, redis_server: RedisServer) -> None:
    window = SharedWindow(links[0], NAME)
    with redis_server.client() as client:
        window.hold(100.0)
        await until(lambda: client.exists(f"{NAME}:rest"))
        window.hold(1.0)
        await links[0].do(lambda redis: redis.ping())
        await asyncio.sleep(0.1)
        assert client.pttl(f"{NAME}:rest") > 90_000


async def test_redis_forgets_a_window_that_nobody_uses(links: Links, redis_server: RedisServer) -> None:
    await taken(SharedWindow(links[0], NAME), 0, 10)
    with redis_server.client() as client:
        names = client.keys("*budget*")
        assert len(names) == 3
        assert all(0 < client.pttl(name) <= 60_500 for name in names)
