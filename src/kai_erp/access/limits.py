"""How often, and how much at once, each caller may ask."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter

from kai_erp.errors import RateLimited

_REFUSALS_PER_MINUTE = 30
_SOON = 1.0


class InboundLimits:
    """Counts requests by caller, in any 60 seconds and at the same time.

    Args:
        per_minute, concurrency: what each caller may do.
        storage: where requests are counted; in this process unless it is shared.
    """

    def __init__(self, per_minute: int, concurrency: int, storage: Storage | None = None) -> None:
        self._concurrency = concurrency
        self._requests, self._refusals = (
            RateLimitItemPerMinute(number) for number in (per_minute, _REFUSALS_PER_MINUTE)
        )
        self._limiter = MovingWindowRateLimiter(storage or MemoryStorage())
        self._working: Counter[str] = Counter()

    async def count(self, caller: str) -> None:
        """Count a request. Raises RateLimited when it is one too many."""
        if not await self._limiter.hit(self._requests, caller):
            often = f"More than {self._requests.amount} requests in a minute"
            raise RateLimited(often, retry_after=await self._wait(self._requests, caller))

    @contextmanager
    def working(self, caller: str) -> Iterator[None]:
        """Hold a place while a request is answered. Raises RateLimited when all of a caller's are taken."""
        if self._working[caller] >= self._concurrency:
            at_once = f"More than {self._concurrency} requests at the same time"
            raise RateLimited(at_once, retry_after=_SOON)
        self._working[caller] += 1
        try:
            yield
        finally:
            self._working[caller] -= 1
            if not self._working[caller]:
                del self._working[caller]

    async def check_guessing(self, address: str) -> None:
        """Raise RateLimited when too many keys or tokens from an address were refused."""
        if not await self._limiter.test(self._refusals, "refused", address):
            wait = await self._wait(self._refusals, "refused", address)
            raise RateLimited("Too many keys or tokens were refused", retry_after=wait)

    async def refused(self, address: str) -> None:
        """Count a key or token that was refused."""
        await self._limiter.hit(self._refusals, "refused", address)

    async def _wait(self, item: RateLimitItem, *names: str) -> float:
        stats = await self._limiter.get_window_stats(item, *names)
        return float(max(1, ceil(stats.reset_time - time.time())))
