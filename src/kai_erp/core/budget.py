"""How much the upstream is asked of: so many requests at once, and in any 60 seconds."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kai_erp.core.types import Clock

WINDOW_SECONDS = 60.0
_MARGIN_SECONDS = 0.5  # requests may reach the server less evenly than they left


class RequestBudget:
    """Slots for upstream requests, shared by every question of the process.

    Args:
        concurrency: requests in flight at most.
        per_minute: requests started at most in any 60 seconds.
        clock: growing seconds.
    """

    def __init__(self, concurrency: int, per_minute: int, clock: Clock) -> None:
        self._free = concurrency
        self._clock = clock
        self._started: deque[float] = deque(maxlen=per_minute)
        self._hold_until = 0.0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = 0
        self._pace = asyncio.Lock()

    @asynccontextmanager
    async def slot(self, *, urgent: bool = False) -> AsyncIterator[None]:
        """Hold one slot; an urgent request goes before others, as when a whole walk waits for its next page."""
        await self._enter(0 if urgent else 1)
        try:
            await self._keep_pace()
            yield
        finally:
            self._leave()

    def hold(self, seconds: float) -> None:
        """Start no request for so long: the upstream has asked for a rest."""
        self._hold_until = max(self._hold_until, self._clock() + seconds)

    def resting(self) -> float:
        """Return for how many seconds more no request is started."""
        return max(0.0, self._hold_until - self._clock())

    async def _enter(self, rank: int) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._waiting, (rank, self._arrivals, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    async def _keep_pace(self) -> None:
        async with self._pace:
            wait = self._wait()
            while wait > 0:
                await asyncio.sleep(wait)
                wait = self._wait()
            self._started.append(self._clock())

    def _wait(self) -> float:
        """Return the seconds until the next request may start."""
        now = self._clock()
        full = len(self._started) == self._started.maxlen
        window = self._started[0] + WINDOW_SECONDS + _MARGIN_SECONDS - now if full else 0.0
        return max(window, self._hold_until - now)
