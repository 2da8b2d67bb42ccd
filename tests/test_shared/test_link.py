"""Redis is used while it works, given up quickly when it does not, and used again when it is back."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from redis.asyncio import Redis
from structlog.testing import capture_logs

from kai_erp.core.watching import Watch
from kai_erp.errors import InvalidSetting
from kai_erp.shared.link import Link, StoreLost, check_url
from tests.redis_server import RedisServer
from tests.test_shared.fakes import certificate, odd_redis, tls_before, until


@dataclass
class Noting(Watch):
    told: list[bool] = field(default_factory=list)

    def store(self, *, lost: bool) -> None:
        self.told.append(lost)


async def ping(client: Redis) -> object:
    return await client.set("here", b"1")


async def until_found(link: Link) -> None:
    await until(lambda: not link.lost)


async def test_what_an_act_returns_is_returned(links: tuple[Link, Link]) -> None:
    await links[0].do(lambda client: client.set("name", b"value"))
    assert await links[1].do(lambda client: client.get("name")) == b"value"


@pytest.mark.parametrize(
    "answer",
    [
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"-NOPERM this user has no permissions\r\n",
        b"-MASTERDOWN Link with MASTER is down\r\n",
        b"-ERR whatever\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
    ],
)
async def test_any_failure_loses_it_and_is_told_once(answer: bytes) -> None:
    watch = Noting()
    async with odd_redis(answer) as odd:
        with capture_logs() as logs:
            async with Link(odd.url, "probe", watch) as link:
                for _ in range(5):
                    with pytest.raises(StoreLost):
                        await link.do(ping)
                assert link.lost
    assert watch.told == [True]
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_one_that_hangs_costs_a_second_once() -> None:
    loop = asyncio.get_running_loop()
    async with odd_redis() as odd:
        begun = loop.time()
        async with Link(odd.url, "probe") as link:
            for _ in range(100):
                with pytest.raises(StoreLost):
                    await link.do(ping)
            assert loop.time() - begun < 2.5
            assert odd.connections == 1


async def test_an_act_of_several_commands_has_no_more_time_than_one() -> None:
    async def often(client: Redis) -> None:
        for _ in range(8):
            await ping(client)

    async with odd_redis(b"+OK\r\n", seconds=0.2) as odd, Link(odd.url, "probe") as link:
        await link.do(ping)
        with pytest.raises(StoreLost):
            await link.do(often)


async def test_while_it_is_lost_nobody_but_the_probe_asks(redis_server: RedisServer) -> None:
    async with Link(redis_server.url, "probe") as link:
        redis_server.stop()
        with pytest.raises(StoreLost):
            await link.do(ping)
        redis_server.start()
        with pytest.raises(StoreLost):
            await link.do(ping)


@pytest.mark.usefixtures("quick_probe")
async def test_one_that_is_back_is_used_again_and_told_once(redis_server: RedisServer) -> None:
    watch = Noting()
    with capture_logs() as logs:
        async with Link(redis_server.url, "probe", watch) as link:
            for _ in range(2):
                redis_server.stop()
                with pytest.raises(StoreLost):
                    await link.do(ping)
                redis_server.start()
                await until_found(link)
                assert await link.do(ping)
    assert watch.told == [True, False, True, False]
    assert [entry["log_level"] for entry in logs] == ["warning"] * 4


@pytest.mark.usefixtures("quick_probe")
async def test_one_that_takes_no_writes_stays_lost(redis_server: RedisServer) -> None:
    watch = Noting()
    async with Link(redis_server.url, "probe", watch) as link:
        with redis_server.client() as client:
            client.config_set("maxmemory", "1")
            with pytest.raises(StoreLost):
                await link.do(ping)
            await asyncio.sleep(0.2)
            assert watch.told == [True]
            client.config_set("maxmemory", "0")
        await until_found(link)
        assert watch.told == [True, False]


async def test_a_restart_between_two_acts_goes_unnoticed(redis_server: RedisServer) -> None:
    async with Link(redis_server.url, "probe") as link:
        await link.do(ping)
        redis_server.stop()
        redis_server.start()
        assert await link.do(ping)
        assert not link.lost


async def test_who_goes_away_while_it_is_asked_does_no_harm(redis_server: RedisServer) -> None:
    async with Link(redis_server.url, "probe") as link:
        for _ in range(20):
            task = asyncio.create_task(link.do(ping))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await link.do(lambda client: client.set("name", b"value"))
        assert await link.do(lambda client: client.get("name")) == b"value"
        assert not link.lost


async def test_no_cancellation_is_swallowed_whenever_it_comes(redis_server: RedisServer) -> None:
    """One that is lost would leave a question without an end, and without its time limit."""
    lost = 0
    async with Link(redis_server.url, "probe") as link:

        async def for_ever() -> None:
            while True:
                await link.do(ping)

        for turn in range(400):
            task = asyncio.create_task(for_ever())
            for _ in range(turn % 26):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task}, timeout=0.2)
            lost += not task.done()
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=0.01)
    assert lost == 0


async def test_many_at_once_share_a_few_connections(redis_server: RedisServer) -> None:
    async with Link(redis_server.url, "probe") as link:
        await asyncio.gather(*(link.do(ping) for _ in range(500)))
        assert not link.lost
        with redis_server.client() as client:
            assert len(client.client_list()) < 20


async def test_an_act_that_nobody_waits_for_is_done(redis_server: RedisServer) -> None:
    async with Link(redis_server.url, "probe") as link:
        link.soon(ping)
        with redis_server.client() as client:
            await until(lambda: client.exists("here"))
        redis_server.stop()
        link.soon(ping)


@pytest.mark.parametrize(("password", "lost"), [("s3cr3t-password", False), ("s3cr3t-other", True), ("", True)])
async def test_a_password_must_be_the_right_one(redis_server: RedisServer, password: str, lost: bool) -> None:
    with redis_server.client() as client:
        client.config_set("requirepass", "s3cr3t-password")
    with capture_logs() as logs:
        async with Link(redis_server.url.replace("//", f"//:{password}@"), "probe") as link:
            assert link.lost is lost
    assert "s3cr3t" not in str(logs)
    with redis.Redis(port=redis_server.port, password="s3cr3t-password") as client:
        assert client.exists("probe") is not None


@pytest.mark.parametrize(
    ("host", "trusted", "lost"),
    [("localhost", True, False), ("localhost", False, True), ("elsewhere", True, True)],
)
async def test_rediss_takes_a_certificate_that_is_trusted_and_of_the_right_name_only(
    redis_server: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    host: str,
    trusted: bool,
    lost: bool,
) -> None:
    pem = certificate(tmp_path / "tls.pem", host)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    async with (
        tls_before(redis_server.port, pem) as port,
        Link(f"rediss://localhost:{port}", "probe") as link,
    ):
        assert link.lost is lost


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://host:6379",
        "redis://",
        "redis://:s3cr3t-word@",
        "redis://host:s3cr3t-port",
        "redis://host:99999",
        "redis://host:0",
        "redis://user:s3cr3t-word@host/database",
        "rediss://host/0?ssl_cert_reqs=none",
        "redis://host/0?password=s3cr3t-word",
        "redis://host/0#part",
        "redis://[s3cr3t-word",
    ],
)
def test_a_wrong_address_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^REDIS_URL is \*\*\*, allowed is redis://") as raised:
        check_url(url)
    assert "s3cr3t" not in str(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    "url",
    ["redis://host", "redis://host:6380/3", "rediss://:word@host:6379/", "redis://user:pass%40word@[::1]:6379/0"],
)
def test_a_good_address_is_taken(url: str) -> None:
    assert check_url(url) == url
