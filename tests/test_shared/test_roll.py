"""Replicas know of each other, by what each says of itself while it is there."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
import redis

from kai_erp.shared import roll as rolling
from kai_erp.shared.link import Link
from kai_erp.shared.roll import Roll
from kai_erp.shared.sealing import Vault
from tests.redis_server import RedisServer
from tests.test_shared.conftest import MOMENT, NAMESPACE
from tests.test_shared.fakes import until

Links = tuple[Link, Link]


def roll(link: Link, vault: Vault, second: int = 0) -> Roll:
    return Roll(link, vault, lambda: MOMENT.replace(second=second))


@asynccontextmanager
async def two(links: Links, vault: Vault) -> AsyncIterator[tuple[Roll, Roll]]:
    async with roll(links[0], vault, 1) as one, roll(links[1], vault, 2) as other:
        yield one, other


def entries(server: RedisServer, vault: Vault) -> dict[bytes, bytes]:
    with redis.Redis.from_url(server.url) as store:
        found: dict[bytes, bytes] = store.hgetall(vault.name("roll"))
    return found


async def test_each_sees_both_the_older_first(links: Links, vault: Vault) -> None:
    async with two(links, vault) as (one, other):
        seen = await other.replicas()
        assert len(await one.replicas()) == 2
    assert [datetime.fromtimestamp(replica.started, UTC).second for replica in seen] == [1, 2]
    assert [replica.own for replica in seen] == [False, True]
    assert {replica.process for replica in seen} == {os.getpid()}


async def test_one_that_leaves_is_struck_off(links: Links, vault: Vault, redis_server: RedisServer) -> None:
    async with roll(links[0], vault) as one:
        async with roll(links[1], vault) as other:
            assert len(await other.replicas()) == 2
        assert len(await one.replicas()) == 1
    assert entries(redis_server, vault) == {}


async def test_one_that_falls_silent_is_struck_off(links: Links, vault: Vault, redis_server: RedisServer) -> None:
    await roll(links[1], vault).replicas()
    ((name, entry),) = entries(redis_server, vault).items()
    stamp, card = entry.split(b" ", 1)
    async with roll(links[0], vault) as one:
        for age, expected in ((55_000, 2), (61_000, 1)):
            with redis.Redis.from_url(redis_server.url) as store:
                store.hset(vault.name("roll"), name, b"%d %b" % (int(stamp) - age, card))
            assert len(await one.replicas()) == expected
        assert len(entries(redis_server, vault)) == 1


async def test_it_is_said_again_and_again(
    links: Links, vault: Vault, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "_BEAT_SECONDS", 0.01)
    async with roll(links[0], vault):
        assert len(entries(redis_server, vault)) == 1
        with redis.Redis.from_url(redis_server.url) as store:
            store.flushall()
        await until(lambda: entries(redis_server, vault))


async def test_other_versions_and_other_credentials_are_not_seen(links: Links, vault: Vault) -> None:
    strangers = Vault(f"{NAMESPACE}:else", ("client",), lambda: MOMENT), Vault(NAMESPACE, ("x",), lambda: MOMENT)
    async with roll(links[0], vault) as one:
        for stranger in strangers:
            async with roll(links[1], stranger) as other:
                assert len(await other.replicas()) == 1
                assert len(await one.replicas()) == 1


async def test_a_forged_entry_is_passed_over(links: Links, vault: Vault, redis_server: RedisServer) -> None:
    async with roll(links[0], vault) as one:
        await one.replicas()
        with redis.Redis.from_url(redis_server.url) as store:
            ((_, own),) = entries(redis_server, vault).items()
            stamp = own.split(b" ", 1)[0]
            card = json.dumps(["forged", 1, 0]).encode()
            forged = {b"plain": stamp + b" " + card, b"moved": own, b"short": b"x", b"odd": b"noon " + card}
            store.hset(vault.name("roll"), mapping=forged)
        assert len(await one.replicas()) == 1


async def test_none_is_known_while_the_store_is_lost(
    links: Links, vault: Vault, redis_server: RedisServer
) -> None:
    async with roll(links[0], vault) as one:
        assert len(await one.replicas()) == 1
        redis_server.stop()
        assert await one.replicas() == []
