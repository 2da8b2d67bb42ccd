"""All replicas use one token, and it is renewed once for all of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest

from kai_erp.core.auth import Token, TokenManager
from kai_erp.errors import UpstreamAuth
from kai_erp.shared import tokens as sharing
from kai_erp.shared.link import Link
from kai_erp.shared.sealing import Vault
from kai_erp.shared.tokens import SharedTokens
from tests.conftest import HandClock
from tests.redis_server import RedisServer
from tests.test_core.fakes import NumberedTokens
from tests.test_shared.conftest import MOMENT, NAMESPACE
from tests.test_shared.fakes import until

WAY_IN = ("erp", "https://sso.example/token", "client")
Links = tuple[Link, Link]
Manage = Callable[..., TokenManager]


@dataclass
class Refused:
    """A grant whose credentials are not taken."""

    scheme: str = "Bearer "
    asked: int = 0

    async def obtain(self) -> Token:
        self.asked += 1
        raise UpstreamAuth("The authorisation server refuses the credentials: invalid_grant")


@dataclass
class Gated(NumberedTokens):
    """A grant that answers once it is let."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def obtain(self) -> Token:
        token = await super().obtain()
        await self.gate.wait()
        return token


@pytest.fixture
def manage(links: Links, vault: Vault) -> Manage:
    """Return a replica's manager of tokens, of the first or the second link."""

    def make(
        which: int, grant: NumberedTokens | Refused, clock: HandClock | None = None, **kind: bool
    ) -> TokenManager:
        shared = SharedTokens(links[which], vault, WAY_IN, **kind)
        return TokenManager(grant, clock or HandClock(), shared=shared)

    return make


async def test_twenty_waiters_at_each_of_two_replicas_cause_one_request(manage: Manage) -> None:
    grant = NumberedTokens()
    one, other = manage(0, grant), manage(1, grant)
    async with one, other:
        headers = await asyncio.gather(*(manager.authorization() for manager in (one, other) * 20))
        assert set(headers) == {"Bearer t1"}
        assert grant.asked == 1


async def test_a_refused_token_is_renewed_once_for_all(manage: Manage) -> None:
    grant = NumberedTokens()
    one, other = manage(0, grant), manage(1, grant)
    async with one, other:
        await asyncio.gather(one.authorization(), other.authorization())
        headers = await asyncio.gather(*(manager.renew("Bearer t1") for manager in (one, other) * 20))
        assert set(headers) == {"Bearer t2"}
        assert grant.asked == 2


async def test_a_refused_token_is_not_renewed_where_another_replica_already_did(manage: Manage) -> None:
    grant = NumberedTokens()
    one, other = manage(0, grant), manage(1, grant)
    async with one, other:
        await asyncio.gather(one.authorization(), other.authorization())
        assert await one.renew("Bearer t1") == "Bearer t2"
        assert await other.renew("Bearer t1") == "Bearer t2"
        assert await other.authorization() == "Bearer t2"
        assert grant.asked == 2


async def test_a_replica_that_takes_over_a_token_renews_it_when_it_is_due(manage: Manage) -> None:
    grant, clock = NumberedTokens(life=600.0), HandClock()
    one, other = manage(0, grant), manage(1, grant, clock)
    async with one, other:
        await one.authorization()
        assert await other.authorization() == "Bearer t1"
        clock.seconds += 298
        assert await other.authorization() == "Bearer t1"
        assert grant.asked == 1
        clock.seconds += 3  # due here a moment before Redis forgets it: taken over again for that moment
        assert await other.authorization() == "Bearer t1"
        clock.seconds += 600
        assert await other.renew("Bearer t1") == "Bearer t2"


async def test_redis_forgets_a_token_when_it_is_due(manage: Manage, redis_server: RedisServer) -> None:
    async with manage(0, NumberedTokens(life=600.0)) as manager:
        await manager.authorization()
    with redis_server.client() as client:
        (name,) = client.keys("*:token:*")
        assert 290_000 < client.pttl(name) <= 300_000


async def test_a_short_lived_token_is_renewed_by_whoever_first_finds_it_gone(manage: Manage) -> None:
    grant = NumberedTokens(life=0.2)
    async with manage(0, grant) as one:
        await one.authorization()
    await asyncio.sleep(0.15)
    async with manage(1, grant) as other:
        assert await other.authorization() == "Bearer t2"


async def test_while_one_renews_the_other_waits_for_as_long_as_it_takes(
    manage: Manage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "_LOCK_SECONDS", 0.2)
    grant = Gated()
    one, other = manage(0, grant), manage(1, grant)
    async with one, other:
        waiting = [asyncio.create_task(manager.authorization()) for manager in (one, other)]
        await asyncio.sleep(0.7)  # three times as long as the lock lasts unless it is kept
        assert grant.asked == 1
        grant.gate.set()
        assert await asyncio.gather(*waiting) == ["Bearer t1", "Bearer t1"]
    assert grant.asked == 1


async def test_a_holder_that_died_is_overtaken(manage: Manage, vault: Vault, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.set(vault.name("lock", *WAY_IN), "somebody who died", px=200)
    grant = NumberedTokens()
    async with manage(0, grant) as manager:
        assert await manager.authorization() == "Bearer t1"
    assert grant.asked == 1


async def test_a_lock_that_another_has_taken_meanwhile_is_left_alone(
    manage: Manage, vault: Vault, redis_server: RedisServer
) -> None:
    grant, lock = Gated(), vault.name("lock", *WAY_IN)
    async with manage(0, grant) as manager:
        waiting = asyncio.create_task(manager.authorization())
        with redis_server.client() as client:
            await until(lambda: client.exists(lock))
            client.set(lock, "another")
            grant.gate.set()
            assert await waiting == "Bearer t1"
            assert client.get(lock) == b"another"


async def test_the_lock_is_given_back(manage: Manage, vault: Vault, redis_server: RedisServer) -> None:
    async with manage(0, NumberedTokens()) as manager:
        await manager.authorization()
    with redis_server.client() as client:
        assert not client.exists(vault.name("lock", *WAY_IN))


async def test_a_refusal_keeps_the_other_replicas_from_trying(manage: Manage) -> None:
    grant = Refused()
    for which in (0, 1):
        async with manage(which, grant) as manager:
            for _ in range(3):
                with pytest.raises(UpstreamAuth, match="invalid_grant"):
                    await manager.authorization()
    assert grant.asked == 1


async def test_a_refusal_is_forgotten_after_half_a_minute(manage: Manage, redis_server: RedisServer) -> None:
    async with manage(0, Refused()) as manager:
        with pytest.raises(UpstreamAuth):
            await manager.authorization()
    with redis_server.client() as client:
        (name,) = client.keys("*:refusal:*")
        assert 29_000 < client.pttl(name) <= 30_000
        client.delete(name)
    async with manage(1, NumberedTokens()) as manager:
        assert await manager.authorization() == "Bearer t1"


async def test_other_credentials_are_not_held_off(manage: Manage, links: Links) -> None:
    async with manage(0, Refused()) as manager:
        with pytest.raises(UpstreamAuth):
            await manager.authorization()
    changed = Vault(NAMESPACE, ("client", "another"), lambda: MOMENT)
    async with TokenManager(
        NumberedTokens(), HandClock(), shared=SharedTokens(links[1], changed, WAY_IN)
    ) as manager:
        assert await manager.authorization() == "Bearer t1"


@pytest.mark.parametrize("value", [b"", b"t666", b"x" * 200, b'["t666", 300]'])
async def test_a_forged_token_counts_as_none(
    manage: Manage, vault: Vault, redis_server: RedisServer, value: bytes
) -> None:
    with redis_server.client() as client:
        client.set(vault.name("token", *WAY_IN), value, px=60_000)
    async with manage(0, NumberedTokens()) as manager:
        assert await manager.authorization() == "Bearer t1"


async def test_a_token_of_another_way_in_that_was_moved_here_counts_as_none(
    manage: Manage, vault: Vault, links: Links, redis_server: RedisServer
) -> None:
    lake = SharedTokens(links[0], vault, ("lake", "https://sso.example/token", "client"))
    async with TokenManager(NumberedTokens(), HandClock(), shared=lake) as manager:
        await manager.authorization()
    with redis_server.client() as client:
        (name,) = client.keys("*:token:*")
        client.rename(name, vault.name("token", *WAY_IN))
    grant = NumberedTokens(asked=5)
    async with manage(1, grant) as manager:
        assert await manager.authorization() == "Bearer t6"


async def test_tokens_of_two_ways_in_stay_apart(vault: Vault, links: Links) -> None:
    for number, upstream in enumerate(("erp", "lake")):
        shared = SharedTokens(links[0], vault, (upstream, "https://sso.example/token"))
        async with TokenManager(NumberedTokens(asked=number), HandClock(), shared=shared) as manager:
            assert await manager.authorization() == f"Bearer t{number + 1}"


async def test_a_token_that_stands_no_parallel_calls_stays_with_its_replica(manage: Manage) -> None:
    grant = NumberedTokens()
    one, other = manage(0, grant, one_for_all=False), manage(1, grant, one_for_all=False)
    async with one, other:
        headers = await asyncio.gather(one.authorization(), other.authorization())
        assert set(headers) == {"Bearer t1", "Bearer t2"}


async def test_where_tokens_stay_with_their_replicas_nobody_waits_for_another(manage: Manage) -> None:
    grant = Gated()
    one, other = manage(0, grant, one_for_all=False), manage(1, grant, one_for_all=False)
    async with one, other:
        waiting = [asyncio.create_task(manager.authorization()) for manager in (one, other)]
        await until(lambda: grant.asked == 2)
        grant.gate.set()
        await asyncio.gather(*waiting)


async def test_where_tokens_stay_with_their_replicas_a_refusal_is_shared_all_the_same(manage: Manage) -> None:
    grant = Refused()
    for which in (0, 1):
        async with manage(which, grant, one_for_all=False) as manager:
            with pytest.raises(UpstreamAuth):
                await manager.authorization()
    assert grant.asked == 1


async def test_without_redis_each_replica_has_its_own(manage: Manage, redis_server: RedisServer) -> None:
    redis_server.stop()
    grant = NumberedTokens()
    one, other = manage(0, grant), manage(1, grant)
    async with one, other:
        assert {await one.authorization(), await other.authorization()} == {"Bearer t1", "Bearer t2"}


async def test_redis_that_dies_during_a_renewal_costs_no_second_request(
    manage: Manage, redis_server: RedisServer
) -> None:
    grant = Gated()
    async with manage(0, grant) as manager:
        waiting = asyncio.create_task(manager.authorization())
        await until(lambda: grant.asked)
        redis_server.stop()
        grant.gate.set()
        assert await waiting == "Bearer t1"
    assert grant.asked == 1


async def test_who_waits_for_a_renewal_when_redis_dies_obtains_a_token(
    manage: Manage, redis_server: RedisServer
) -> None:
    stuck, free = Gated(), NumberedTokens(asked=10)
    async with manage(0, stuck) as one, manage(1, free) as other:
        holding = asyncio.create_task(one.authorization())
        await until(lambda: stuck.asked)
        waiting = asyncio.create_task(other.authorization())
        await asyncio.sleep(0.1)
        assert free.asked == 10
        redis_server.stop()
        assert await waiting == "Bearer t11"
        stuck.gate.set()
        assert await holding == "Bearer t1"


async def test_what_lies_there_does_not_show_the_token(manage: Manage, redis_server: RedisServer) -> None:
    async with manage(0, NumberedTokens()) as manager:
        await manager.authorization()
    with redis_server.client() as client:
        (name,) = client.keys("*:token:*")
        assert b"t1" not in client.get(name)
        assert b"sso.example" not in name


async def test_only_a_token_that_was_obtained_here_is_told(links: Links, vault: Vault) -> None:
    told: list[Link] = []
    grant = NumberedTokens()
    for link in links:
        shared, obtained = SharedTokens(link, vault, WAY_IN), partial(told.append, link)
        async with TokenManager(grant, HandClock(), shared=shared, obtained=obtained) as manager:
            await manager.authorization()
    assert told == [links[0]]
