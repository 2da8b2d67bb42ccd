"""The connection to Redis: quick to give up, and told about once when it is lost and once when it is back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar
from urllib.parse import urlsplit

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from kai_erp.core.watching import UNWATCHED, Watch
from kai_erp.errors import InvalidSetting

PATIENCE_SECONDS = 1.0
_PROBE_SECONDS = 5.0
_CONNECTIONS = 16
_FAILURES = (RedisError, OSError, TimeoutError)

T = TypeVar("T")
log = structlog.get_logger(__name__)


class StoreLost(Exception):
    """Redis cannot be used now; whoever asked goes on with what this process has."""


class Link:
    """Asks Redis, within a second or not at all.

    After a failure of any kind nobody asks, until a small write in the background, every few seconds, succeeds.

    Args:
        url: where it is, with user and password.
        probe: the name under which the small write is made.
        watch: told when it is lost and when it is found.
    """

    def __init__(self, url: str, probe: str, watch: Watch = UNWATCHED) -> None:
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                check_url(url),
                max_connections=_CONNECTIONS,
                timeout=PATIENCE_SECONDS,
                socket_timeout=None,  # redis-py would wait by wait_for, which may swallow a cancellation
                socket_connect_timeout=PATIENCE_SECONDS,
                retry=Retry(NoBackoff(), 1, supported_errors=(NotConnected,)),
                protocol=2,
            )
        )
        self._name, self._watch = probe, watch
        self._tasks: set[asyncio.Task[None]] = set()
        self.lost = False

    async def __aenter__(self) -> Self:
        with contextlib.suppress(StoreLost):
            await self.do(self._written)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(*_FAILURES):
            await self._redis.aclose()

    async def do(self, act: Callable[[Redis], Awaitable[T]]) -> T:
        """Return what an act with the client returns. Raises StoreLost."""
        if self.lost:
            raise StoreLost
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await act(self._redis)
        except _FAILURES as failure:
            self._lose(failure)
            raise StoreLost from None

    def soon(self, act: Callable[[Redis], Awaitable[object]]) -> None:
        """Do an act that nobody waits for."""
        self._start(self._quietly(act))

    async def _quietly(self, act: Callable[[Redis], Awaitable[object]]) -> None:
        with contextlib.suppress(StoreLost):
            await self.do(act)

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _lose(self, failure: Exception) -> None:
        if not self.lost:
            self.lost = True
            log.warning("the shared store is lost; this replica goes on by itself", reason=type(failure).__name__)
            self._watch.store(lost=True)
            self._start(self._look_out())

    async def _look_out(self) -> None:
        """Return once Redis takes a write again; one that is full, or a copy, answers but takes none."""
        while self.lost:
            await asyncio.sleep(_PROBE_SECONDS)
            with contextlib.suppress(*_FAILURES):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._written(self._redis)
                self.lost = False
        log.warning("the shared store is found again")
        self._watch.store(lost=False)

    async def _written(self, redis: Redis) -> None:
        await redis.set(self._name, b"1", px=1000)


def check_url(url: str) -> str:
    """Return the address of a Redis. Raises InvalidSetting, which does not show it: it may hold a password.

    What redis-py would read from a query, TLS without checks among it, is not taken.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    else:
        good = good and not parts.query and not parts.fragment and (parts.path.strip("/") or "0").isdecimal()
    if not good:
        raise InvalidSetting(
            "REDIS_URL is ***, allowed is redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER], or rediss:// with TLS"
        )
    return url
