"""How often, and how much at once, each caller may ask."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from kai_erp.errors import RateLimited

_REFUSALS_PER_MINUTE = 30
_SOON = 1.0


class Rates(Protocol):
    """Counts what happens in any 60 seconds."""

    async def take(self, name: str, most: int) -> float:
        """Count one more and return 0; when there were so many already, the seconds until there is room."""
        ...


class OwnRates:
    """What this process counts."""

    def __init__(self) -> None:
        # A tenth of a second to import, which only those who serve should wait for.
        from limits import RateLimitItemPerMinute  # noqa: PLC0415
        from limits.aio.storage import MemoryStorage  # noqa: PLC0415
        from limits.aio.strategies import MovingWindowRateLimiter  # noqa: PLC0415

        self._limiter, self._item = MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerMinute

    async def take(self, name: str, most: int) -> float:
        """Count one more, or return the seconds until there is room."""
        item = self._item(most)
        if await self._limiter.hit(item, name):
            return 0.0
        stats = await self._limiter.get_window_stats(item, name)
        return max(_SOON, stats.reset_time - time.time())


class Places:
    """How much each caller may have done at the same time."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._working: Counter[str] = Counter()

    def taken(self, caller: str) -> int:
        """Return how many places a caller holds."""
        return self._working[caller]

    @contextmanager
    def held(self, caller: str) -> Iterator[None]:
        """Hold a place within the context. Raises RateLimited when all of a caller's are taken."""
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


class InboundLimits:
    """Holds callers to what they may do.

    Args:
        per_minute, concurrency: what each caller may do; the second in this process.
        rates: what counts requests and refusals.
    """

    def __init__(self, per_minute: int, concurrency: int, rates: Rates | None = None) -> None:
        self._per_minute, self._rates = per_minute, rates or OwnRates()
        self.working = Places(concurrency).held

    async def count(self, caller: str) -> None:
        """Count a request. Raises RateLimited when it is one too many."""
        wait = await self._rates.take(f"by {caller}", self._per_minute)
        if wait:
            raise RateLimited(f"More than {self._per_minute} requests in a minute", retry_after=wait)

    async def refused(self, address: str) -> None:
        """Count a key or token that was refused. Raises RateLimited when an address has sent too many."""
        wait = await self._rates.take(f"refused {address}", _REFUSALS_PER_MINUTE)
        if wait:
            raise RateLimited("Too many keys or tokens were refused", retry_after=wait)
