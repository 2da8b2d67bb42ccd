"""Answers that one replica keeps are found by the others, for as long as they live and in so much memory."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from kai_erp.config import load_settings
from kai_erp.connectors import BaseConnector, ConnectorResult, ScheduleQuery
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import DataSource, Freshness
from kai_erp.errors import CursorExpired
from kai_erp.plugins import shown_connectors
from kai_erp.shared.answers import SharedAnswers
from kai_erp.shared.link import Link
from kai_erp.shared.sealing import Vault
from kai_erp.snapshots import Question, Snapshot, SnapshotStore
from tests.conftest import HandClock
from tests.redis_server import RedisServer
from tests.test_shared.conftest import MOMENT, NAMESPACE, SECRETS

NAME = "production_schedule"
Links = tuple[Link, Link]
Store = Callable[..., SnapshotStore]
chance = np.random.default_rng(1)


def connectors_of(**settings: object) -> Mapping[str, BaseConnector[ConnectorQuery]]:
    return {connector.name: connector for connector in shown_connectors(load_settings(settings))}


def snapshot(rows: int = 10, caller: str = "key:anna", megabytes: float = 0) -> Snapshot:
    """Return an answer of so many megabytes that cannot be compressed."""
    loads = [chance.bytes(int(megabytes * 1024 * 1024 / rows)) for _ in range(rows)]
    table = pa.table({"row": list(range(rows)), "load": pa.array(loads, pa.binary())})
    question = Question(NAME, ScheduleQuery(work_center="WELD"), Freshness.REALTIME, caller)
    return Snapshot(question, ConnectorResult(table, {"total": rows}, DataSource.REST, MOMENT, (), ()))


@pytest.fixture
def store(links: Links, vault: Vault, clock: HandClock) -> Store:
    """Return a replica's store."""

    def make(
        which: int, *, max_mb: int = 100, sealed_by: Vault = vault, told_by: str = "", **hidden: str
    ) -> SnapshotStore:
        answers = SharedAnswers(links[which], sealed_by, connectors_of(**hidden), told_by, max_mb)
        return SnapshotStore(clock, 600, max_mb, answers)

    return make


async def test_an_answer_is_found_at_another_replica_as_it_was(store: Store) -> None:
    one, other = store(0), store(1)
    kept = snapshot(megabytes=1)
    name = await one.keep(kept)
    found, found_name, row = await other.find(f"{name}.4", NAME, "key:anna")
    assert (found.question, found_name, row) == (kept.question, name, 4)
    assert found.result.records.equals(kept.result.records)
    assert found.result.summary == kept.result.summary
    assert other.notice(name) is None


async def test_once_found_it_is_kept_here_as_well(store: Store, redis_server: RedisServer) -> None:
    one, other = store(0), store(1)
    name = await one.keep(snapshot())
    await other.find(f"{name}.4", NAME, "key:anna")
    redis_server.stop()
    assert (await other.find(f"{name}.5", NAME, "key:anna"))[2] == 5


@pytest.mark.parametrize(
    ("cursor", "connector", "caller"),
    [
        ("{}.4", NAME, "key:bert"),
        ("{}.4", NAME, ""),
        ("{}.4", "open_orders", "key:anna"),
        ("{}.10", NAME, "key:anna"),
        ("{}.-1", NAME, "key:anna"),
        ("{}", NAME, "key:anna"),
        ("x{}.4", NAME, "key:anna"),
        ("AAAAAAAAAAAAAAAAAAAAAAAA.4", NAME, "key:anna"),
    ],
)
async def test_it_is_nobody_elses_there_either(store: Store, cursor: str, connector: str, caller: str) -> None:
    name = await store(0).keep(snapshot())
    other = store(1)
    with pytest.raises(CursorExpired):
        await other.find(cursor.format(name), connector, caller)


async def test_it_lapses_everywhere_at_the_same_time(
    store: Store, clock: HandClock, redis_server: RedisServer
) -> None:
    name = await store(0).keep(snapshot())
    with redis_server.client() as client:
        (key,) = client.keys("*:answer:*")
        assert 595_000 < client.pttl(key) <= 600_000
        client.pexpire(key, 100_000)
        other = store(1)
        await other.find(f"{name}.4", NAME, "key:anna")
        clock.seconds += 99
        await other.find(f"{name}.4", NAME, "key:anna")
        clock.seconds += 2
        client.delete(key)  # Redis has a clock of its own, which nobody moves by hand
        with pytest.raises(CursorExpired):
            await other.find(f"{name}.4", NAME, "key:anna")


async def test_after_redis_was_emptied_who_has_it_puts_it_there_again(
    store: Store, clock: HandClock, redis_server: RedisServer
) -> None:
    one, other, third = store(0), store(1), store(1)
    name = await one.keep(snapshot())
    with redis_server.client() as client:
        client.flushall()
        with pytest.raises(CursorExpired):
            await other.find(f"{name}.4", NAME, "key:anna")
        clock.seconds += 100
        await one.find(f"{name}.5", NAME, "key:anna")
        assert 495_000 < client.pttl(client.keys("*:answer:*")[0]) <= 500_000
    assert (await third.find(f"{name}.6", NAME, "key:anna"))[2] == 6


@pytest.mark.parametrize("value", [b"", b"x" * 300])
async def test_a_forged_answer_counts_as_none(store: Store, redis_server: RedisServer, value: bytes) -> None:
    name = await store(0).keep(snapshot())
    with redis_server.client() as client:
        client.set(client.keys("*:answer:*")[0], value, px=60_000)
    with pytest.raises(CursorExpired):
        await store(1).find(f"{name}.4", NAME, "key:anna")


async def test_an_answer_that_was_moved_to_another_name_counts_as_none(
    store: Store, redis_server: RedisServer
) -> None:
    names = [await store(0).keep(snapshot()) for _ in range(2)]
    with redis_server.client() as client:
        one, other = client.keys("*:answer:*")
        swapped = client.get(one), client.get(other)
        client.set(one, swapped[1], px=60_000)
        client.set(other, swapped[0], px=60_000)
    for name in names:
        with pytest.raises(CursorExpired):
            await store(1).find(f"{name}.4", NAME, "key:anna")


async def test_other_credentials_find_nothing(store: Store) -> None:
    name = await store(0).keep(snapshot())
    changed = Vault(NAMESPACE, (*SECRETS[:-1], "another"), lambda: MOMENT)
    with pytest.raises(CursorExpired):
        await store(1, sealed_by=changed).find(f"{name}.4", NAME, "key:anna")


async def test_an_old_answer_that_is_put_back_counts_as_none(store: Store, redis_server: RedisServer) -> None:
    name = await store(0).keep(snapshot())
    with redis_server.client() as client:
        client.persist(client.keys("*:answer:*")[0])
        client.pexpire(client.keys("*:answer:*")[0], 10_000_000)
    late = Vault(NAMESPACE, SECRETS, lambda: datetime.fromtimestamp(MOMENT.timestamp() + 700, MOMENT.tzinfo))
    with pytest.raises(CursorExpired):
        await store(1, sealed_by=late).find(f"{name}.4", NAME, "key:anna")


async def test_a_replica_that_hides_a_field_does_not_find_an_answer_that_shows_it(store: Store) -> None:
    name = await store(0).keep(snapshot())
    with pytest.raises(CursorExpired):
        await store(1, hidden_fields="qty_on_hand").find(f"{name}.4", NAME, "key:anna")
    assert await store(1).find(f"{name}.4", NAME, "key:anna")


async def test_a_replica_set_up_otherwise_does_not_find_it(store: Store) -> None:
    name = await store(0, told_by="Europe/Berlin").keep(snapshot())
    with pytest.raises(CursorExpired):
        await store(1, told_by="America/Chicago").find(f"{name}.4", NAME, "key:anna")


async def test_the_oldest_go_when_their_room_is_full(store: Store, redis_server: RedisServer) -> None:
    one = store(0, max_mb=1)
    names = [await one.keep(snapshot(megabytes=0.3)) for _ in range(5)]
    with redis_server.client() as client:
        keys = client.keys("*:answer:*")
        assert len(keys) == 3
        (taken,) = client.keys("*:bytes")
        assert int(client.get(taken)) == sum(client.strlen(key) for key in keys) < 1024 * 1024
    for name in names[2:]:
        await store(1).find(f"{name}.1", NAME, "key:anna")
    for name in names[:2]:
        with pytest.raises(CursorExpired):
            await store(1).find(f"{name}.1", NAME, "key:anna")


async def test_room_of_lapsed_answers_is_free_again(store: Store, redis_server: RedisServer) -> None:
    one = store(0)
    await one.keep(snapshot(megabytes=0.5))
    with redis_server.client() as client:
        (index,) = client.keys("*:answers")
        ((entry, _),) = client.zrange(index, 0, -1, withscores=True)
        client.zadd(index, {entry: 1})  # lapsed long ago
        await one.keep(snapshot(megabytes=0.5))
        assert client.zcard(index) == 1
        (taken,) = client.keys("*:bytes")
        assert int(client.get(taken)) == client.strlen(client.keys("*:answer:*")[0])


async def test_what_is_put_there_twice_takes_room_once(store: Store, redis_server: RedisServer) -> None:
    one = store(0)
    name = await one.keep(snapshot(megabytes=0.5))
    with redis_server.client() as client:
        client.delete(client.keys("*:answer:*")[0])
        await one.find(f"{name}.1", NAME, "key:anna")
        (taken,) = client.keys("*:bytes")
        assert int(client.get(taken)) == client.strlen(client.keys("*:answer:*")[0])


async def test_an_answer_that_is_too_large_stays_here_and_says_so(store: Store, redis_server: RedisServer) -> None:
    one = store(0)
    name = await one.keep(snapshot(megabytes=33))
    assert (await one.find(f"{name}.1", NAME, "key:anna"))[2] == 1
    notice = one.notice(name)
    assert notice is not None
    assert notice.code == "shared_store_lost"
    assert "only at the replica that gave it" in notice.message
    with redis_server.client() as client:
        assert client.keys("*:answer:*") == []


async def test_without_redis_answers_are_kept_here_and_say_so(store: Store, redis_server: RedisServer) -> None:
    redis_server.stop()
    one, other = store(0), store(1)
    name = await one.keep(snapshot())
    assert (await one.find(f"{name}.1", NAME, "key:anna"))[2] == 1
    notice = one.notice(name)
    assert notice is not None
    assert notice.code == "shared_store_lost"
    with pytest.raises(CursorExpired):
        await other.find(f"{name}.1", NAME, "key:anna")


async def test_an_answer_that_is_found_thrice_at_once_takes_memory_once(store: Store) -> None:
    name = await store(0).keep(snapshot(megabytes=0.6))
    other = store(1, max_mb=1)
    await asyncio.gather(*(other.find(f"{name}.1", NAME, "key:anna") for _ in range(3)))
    fresh = await other.keep(snapshot(megabytes=0.3))
    assert set(other._kept) == {name, fresh}


async def test_an_answer_that_many_are_given_at_once_is_put_there_once(
    store: Store, redis_server: RedisServer
) -> None:
    one, answer = store(0), snapshot(megabytes=0.5)
    names = await asyncio.gather(*(one.keep(answer) for _ in range(50)))
    assert len(set(names)) == 1
    assert one.notice(names[0]) is None
    with redis_server.client() as client:
        assert client.info("commandstats")["cmdstat_set"]["calls"] < 10
        assert len(client.keys("*:answer:*")) == 1
