"""Two replicas of the whole product, on one Redis and against one ERP."""

import asyncio
import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pyarrow as pa
import pytest
import redis

from kai_erp.app import Answer, App, Asked, open_app
from kai_erp.callers import Caller
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import CustomerQuery, InventoryQuery, OrdersQuery, ScheduleQuery
from kai_erp.errors import CursorExpired, InvalidSetting
from kai_erp.simulator import Answer as Reply
from kai_erp.simulator import Fault, RunningSimulator, SimulatorOptions
from tests.conftest import HandClock, SettingsFor, Simulate
from tests.redis_server import RedisServer
from tests.test_api.serving import problem, schedule, serving
from tests.test_shared.conftest import Replica
from tests.test_shared.fakes import odd_redis, until

SCHEDULE = Asked("production_schedule", ScheduleQuery(), limit=50)
SMALL = Asked("production_schedule", ScheduleQuery(work_center="WELD"), limit=10)
QUESTIONS = (
    SCHEDULE,
    Asked("open_orders", OrdersQuery(), limit=5),
    Asked("customer_search", CustomerQuery(query="a"), limit=5),
    Asked("inventory_status", InventoryQuery(), limit=5),
)
DIFFERENT = [Asked("open_orders", OrdersQuery(days_out=days), limit=5) for days in range(10)]
ANNA = Caller("key:anna-of-planning", frozenset({"*"}))


@asynccontextmanager
async def two(replica: Replica) -> AsyncIterator[tuple[App, App]]:
    async with replica() as one, replica() as other:
        yield one, other


def codes(answer: Answer) -> list[str]:
    return [caution.code for caution in answer.meta.warnings]


async def next_page(app: App, asked: Asked, answer: Answer) -> Answer:
    return await app.ask(replace(asked, cursor=answer.meta.next_cursor))


# Tokens


async def test_twenty_questions_at_two_replicas_at_once_take_one_token(
    replica: Replica, simulator: RunningSimulator
) -> None:
    async with two(replica) as apps:
        await asyncio.gather(*(app.ask(asked) for app in apps for asked in DIFFERENT))
    assert simulator.state.token_requests == 1


async def test_a_replica_that_starts_later_uses_the_token_too(
    replica: Replica, simulator: RunningSimulator
) -> None:
    for _ in range(3):
        async with replica() as app:
            await app.ask(SMALL)
    assert simulator.state.token_requests == 1


async def test_a_token_that_the_erp_no_longer_takes_is_renewed_once_for_all(
    replica: Replica, simulator: RunningSimulator
) -> None:
    async with two(replica) as apps:
        await asyncio.gather(*(app.ask(SMALL) for app in apps))
        simulator.state.revoke_tokens()
        await asyncio.gather(*(app.ask(asked) for app in apps for asked in DIFFERENT))
    assert simulator.state.token_requests == 2


async def test_a_replica_that_slept_through_two_renewals_still_answers(
    replica: Replica, simulator: RunningSimulator
) -> None:
    async with two(replica) as (awake, asleep):
        await asleep.ask(SMALL)
        for _ in range(2):
            simulator.state.revoke_tokens()
            if simulator.state.token_requests == 1:
                await awake.ask(SMALL)
        await asleep.ask(SMALL)
    assert simulator.state.token_requests == 3


async def test_of_the_metrics_only_one_tells_of_a_new_token(replica: Replica) -> None:
    async with two(replica) as apps:
        for app in apps:
            await app.ask(SMALL)
        told = [
            app.metrics.registry.get_sample_value("kai_erp_token_renewals_total", {"upstream": "erp"})
            for app in apps
        ]
    assert told == [1.0, None]


# The budget


async def test_two_replicas_together_keep_to_one_budget(
    simulator: RunningSimulator, shared_settings: Settings
) -> None:
    settings = load_settings(shared_settings.model_dump(exclude_unset=True) | {"sl10_requests_per_minute": 40})
    async with open_app(settings) as one, open_app(settings) as other:
        asking = [asyncio.create_task(app.ask(asked)) for app in (one, other) for asked in DIFFERENT]
        await until(lambda: len(simulator.state.requests) == 40)
        await asyncio.sleep(1.0)
        assert len(simulator.state.requests) == 40
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def test_both_rest_when_one_is_asked_to(
    shared_settings: Settings, simulator: RunningSimulator, redis_server: RedisServer
) -> None:
    async with open_app(shared_settings) as one, open_app(shared_settings) as other:
        await other.ask(SMALL)
        simulator.state.faults.add(Fault(Reply(429, {"Retry-After": "1"}), on="ido"))
        asking = asyncio.create_task(one.ask(SMALL))
        with redis_server.client() as client:
            await until(lambda: client.keys("*:rest"))
        count = len(simulator.state.requests)
        waiting = asyncio.create_task(other.ask(SMALL))
        await asyncio.sleep(0.5)
        assert len(simulator.state.requests) - count <= 6  # what one had under way
        await asyncio.gather(asking, waiting)


# Cursors


@pytest.mark.parametrize("asked", QUESTIONS, ids=lambda asked: asked.connector)
async def test_a_walk_goes_on_at_any_replica_without_asking_the_erp(
    replica: Replica, simulator: RunningSimulator, asked: Asked
) -> None:
    asked = replace(asked, caller=ANNA)
    async with two(replica) as apps, replica() as third:
        whole = await third.ask(replace(asked, limit=10_000))
        page = await apps[0].ask(asked)
        pages, requests = [page.records], len(simulator.state.requests)
        for turn in range(1, 1_000):
            if page.meta.next_cursor is None:
                break
            page = await next_page(apps[turn % 2], asked, page)
            assert page.summary == whole.summary
            assert codes(page) == codes(whole)
            assert page.meta.upstream == whole.meta.upstream
            assert (page.meta.as_of, page.meta.source, page.meta.filters_applied) == (
                whole.meta.as_of,
                whole.meta.source,
                whole.meta.filters_applied,
            )
            pages.append(page.records)
    assert len(pages) > 2
    assert pa.concat_tables(pages).equals(whole.records)
    assert len(simulator.state.requests) == requests


async def test_a_cursor_belongs_to_its_caller_at_every_replica(replica: Replica) -> None:
    async with two(replica) as (one, other):
        page = await one.ask(replace(SCHEDULE, caller=ANNA))
        with pytest.raises(CursorExpired):
            await next_page(other, SCHEDULE, page)
        assert await next_page(other, replace(SCHEDULE, caller=ANNA), page)


async def test_replicas_of_another_configuration_do_not_know_the_cursor(
    simulate: Simulate, settings_for: SettingsFor, redis_server: RedisServer
) -> None:
    tenant = simulate(SimulatorOptions(configurations=("ONE", "OTHER")))
    first, second = (
        settings_for(tenant, redis_url=redis_server.url, sl10_config_name=name) for name in ("ONE", "OTHER")
    )
    async with open_app(first) as one, open_app(second) as other:
        page = await one.ask(SCHEDULE)
        with pytest.raises(CursorExpired):
            await next_page(other, SCHEDULE, page)


async def test_walks_cross_over_on_the_rest_api_both_ways(
    shared_settings: Settings, simulator: RunningSimulator
) -> None:
    async with serving(shared_settings) as one, serving(shared_settings) as other:
        whole = (await schedule(one, limit=10_000))["data"]
        requests = len(simulator.state.requests)
        body = await schedule(other, limit=60)
        asked = len(simulator.state.requests)
        assert asked > requests
        found = body["data"]
        for client in (one, other) * 3:
            if (cursor := body["meta"]["next_cursor"]) is not None:
                body = await schedule(client, cursor=cursor, limit=60)
                found += body["data"]
        assert found == whole
        assert len(simulator.state.requests) == asked


# Redis goes away


@pytest.mark.usefixtures("quick_probe")
async def test_a_walk_survives_the_stop_of_redis_where_it_began(
    replica: Replica, redis_server: RedisServer
) -> None:
    async with two(replica) as (one, other):
        page = await one.ask(SCHEDULE)
        assert codes(page) == []
        redis_server.stop()
        second = await next_page(one, SCHEDULE, page)
        assert codes(second) == ["shared_store_lost"]
        with pytest.raises(CursorExpired):
            await next_page(other, SCHEDULE, second)
        redis_server.start()
        await until(lambda: not one_is_lost(one) and not one_is_lost(other))
        third = await next_page(one, SCHEDULE, second)
        assert codes(third) == []
        assert codes(await next_page(other, SCHEDULE, third)) == []


def one_is_lost(app: App) -> bool:
    return app.metrics.registry.get_sample_value("kai_erp_shared_store_lost") == 1.0


async def test_a_walk_survives_the_emptying_of_redis_where_it_began(
    replica: Replica, redis_server: RedisServer
) -> None:
    async with two(replica) as (one, other):
        page = await one.ask(SCHEDULE)
        with redis_server.client() as client:
            client.flushall()
        with pytest.raises(CursorExpired):
            await next_page(other, SCHEDULE, page)
        second = await next_page(one, SCHEDULE, page)
        assert codes(second) == []
        assert codes(await next_page(other, SCHEDULE, second)) == []


async def test_a_lapsed_cursor_is_gone_on_the_rest_api(
    shared_settings: Settings, redis_server: RedisServer
) -> None:
    async with serving(shared_settings) as one, serving(shared_settings) as other:
        cursor = (await schedule(one, limit=60))["meta"]["next_cursor"]
        with redis_server.client() as client:
            client.flushall()
        response = await other.get("/bedrock/schedule", params={"cursor": cursor})
        problem(response, 410, "cursor_expired")


@pytest.mark.usefixtures("quick_probe")
async def test_answers_go_on_without_redis_and_say_so_until_it_is_back(
    replica: Replica, simulator: RunningSimulator, redis_server: RedisServer
) -> None:
    redis_server.stop()
    async with two(replica) as apps:
        for answer in await asyncio.gather(*(app.ask(SCHEDULE) for app in apps)):
            assert codes(answer) == ["shared_store_lost"]
        assert simulator.state.token_requests == 2
        redis_server.start()
        await until(lambda: not any(one_is_lost(app) for app in apps))
        answer = await apps[0].ask(SCHEDULE)
        assert codes(answer) == []
        assert codes(await next_page(apps[1], SCHEDULE, answer)) == []


async def test_a_redis_that_hangs_costs_a_second_once_and_no_answer(
    simulator: RunningSimulator, settings_for: SettingsFor
) -> None:
    loop = asyncio.get_running_loop()
    async with odd_redis() as odd:
        begun = loop.time()
        async with open_app(settings_for(simulator, redis_url=odd.url), clock=HandClock()) as app:
            for asked in QUESTIONS:
                assert "shared_store_lost" in codes(await app.ask(asked))
            assert loop.time() - begun < 4
            assert odd.connections == 1


async def test_a_password_for_redis_is_used_and_a_wrong_one_is_no_outage(
    shared_settings: Settings, redis_server: RedisServer
) -> None:
    with redis_server.client() as client:
        client.config_set("requirepass", "s3cr3t-of-redis")
    for word, expected in (("s3cr3t-of-redis", []), ("s3cr3t-wrong", ["shared_store_lost"])):
        url = redis_server.url.replace("//", f"//:{word}@")
        settings = load_settings(shared_settings.model_dump(exclude_unset=True) | {"redis_url": url})
        async with open_app(settings, clock=HandClock()) as app:
            assert codes(await app.ask(SCHEDULE)) == expected


@pytest.mark.parametrize("changes", [{}, {"sl10_ionapi_file": None}])
async def test_a_wrong_address_of_redis_stops_the_start(
    shared_settings: Settings, changes: dict[str, object]
) -> None:
    wrong = {"redis_url": "http://:s3cr3t-word@host"}
    settings = load_settings(shared_settings.model_dump(exclude_unset=True) | wrong | changes)
    with pytest.raises(InvalidSetting, match="REDIS_URL") as raised:
        async with open_app(settings):
            pass
    assert "s3cr3t" not in str(raised.value)


# What lies there


def lying_there(client: redis.Redis) -> Iterator[bytes]:
    """Yield every key and every value, as bytes."""
    for key in client.keys("*"):
        kind = client.type(key)
        assert kind in {b"string", b"zset", b"none"}  # none: has lapsed meanwhile
        value = client.get(key) if kind == b"string" else None
        entries = client.zrange(key, 0, -1) if kind == b"zset" else []
        for part in (key, value, client.dump(key), *entries):
            if isinstance(part, bytes):
                yield part


def opened(value: bytes) -> Iterator[bytes]:
    """Yield a value, and what decompressing it from anywhere near its beginning gives."""
    yield value
    for start in range(min(len(value), 200)):
        for codec in ("zstd", "lz4", "gzip"):
            try:
                yield pa.CompressedInputStream(pa.BufferReader(value[start:]), codec).read()
            except (OSError, pa.ArrowException):
                continue
        try:
            yield zlib.decompress(value[start:])
        except zlib.error:
            continue


async def test_nothing_that_lies_there_can_be_read(
    replica: Replica, simulator: RunningSimulator, redis_server: RedisServer
) -> None:
    async with two(replica) as (one, other):
        answers = [await one.ask(replace(asked, caller=ANNA)) for asked in QUESTIONS]
        for asked, answer in zip(QUESTIONS, answers, strict=True):
            await next_page(other, replace(asked, caller=ANNA), answer)
    document = simulator.ionapi()
    secrets = [document[name] for name in ("cs", "saak", "sask", "ci", "ti")]
    tokens = list(simulator.state.tokens._bearers)
    words = [
        *answers[0].records["item"].to_pylist(),
        *answers[1].records["customer_name"].to_pylist(),
        *answers[2].records["name"].to_pylist(),
        *answers[3].records["item"].to_pylist(),
    ]
    said = ["anna", "production_schedule", "work_center", simulator.state.options.configurations[0], "WELD"]
    wanted = {word.encode() for word in (*secrets, *tokens, *words, *said) if word and len(word) > 3}
    assert tokens
    assert len(wanted) > 20
    with redis_server.client() as client:
        values = [text for value in lying_there(client) for text in opened(value)]
    assert len(values) > 15
    assert [word for word in wanted for value in values if word in value] == []


async def test_every_key_is_of_this_version_and_lapses(replica: Replica, redis_server: RedisServer) -> None:
    async with replica() as app:
        await app.ask(SCHEDULE)
    with redis_server.client() as client:
        keys = client.keys("*")
        assert {key.decode().rsplit(":")[0] for key in keys} == {"kai-erp"}
        assert len({b":".join(key.split(b":")[:3]) for key in keys}) == 1
        assert all(client.pttl(key) > 0 for key in keys)


async def test_without_redis_nothing_of_it_is_imported(app: App) -> None:
    """A process that needs no Redis does not pay for its client."""
    program = "import sys, kai_erp.app, kai_erp.api.main; assert 'redis' not in sys.modules, 'redis is imported'"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
    assert codes(await app.ask(SCHEDULE)) == []
