"""How much the upstream is asked of: so many requests at once, and in any 60 seconds."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from kai_erp.core.retries import LONGEST_WAIT, Throttled
from kai_erp.core.types import Clock

WINDOW_SECONDS = 60.0
_MARGIN_SECONDS = 0.5  # requests may reach the server less evenly than they left
SPAN_SECONDS = WINDOW_SECONDS + _MARGIN_SECONDS
_LOOK_AGAIN_SECONDS = 5.0

Earlier = Callable[[], list[tuple[int, float]]]
"""The requests that this process has started in the last minute: number and age in seconds of each."""


@dataclass(frozen=True, slots=True)
class Permit:
    """Seconds to wait before asking again, 0 when a start was counted; those of a rest; how many processes ask."""

    wait: float
    rest: float
    processes: int


class SharedWindow(Protocol):
    """The starts of several processes, which keep to one limit."""

    async def take(self, number: int, limit: int, earlier: Earlier) -> Permit | None:
        """Count a start when there is room for it; None when the others cannot be heard."""
        ...

    def hold(self, seconds: float) -> None:
        """Tell the others that the upstream has asked for a rest."""
        ...


class RequestBudget:
    """Slots for upstream requests, shared by every question of the process.

    Args:
        concurrency: requests in flight at most.
        per_minute: requests started at most in any 60 seconds.
        clock: growing seconds.
        shared: the starts of other processes under the same limit; while they cannot be heard, each process keeps
            to its part of it.
    """

    def __init__(
        self, concurrency: int, per_minute: int, clock: Clock, shared: SharedWindow | None = None
    ) -> None:
        self._free = concurrency
        self._clock, self._per_minute = clock, per_minute
        self._shared, self._processes = shared, 1
        self._started: deque[tuple[int, float]] = deque(maxlen=per_minute)
        self._number = 0
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
        if self._shared is not None:
            self._shared.hold(seconds)

    def resting(self) -> float:
        """Return for how many seconds more no request is started."""
        return max(0.0, self._hold_until - self._clock())

    def started(self) -> int:
        """Return how many requests this process has started in the last minute."""
        return len(self._earlier())

    def waiting(self) -> int:
        """Return how many wait for a slot."""
        return sum(not turn.done() for _, _, turn in self._waiting)

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
            while (wait := self._wait(self._per_minute) or await self._shared_wait()) > 0:
                if self.resting() > LONGEST_WAIT:
                    raise Throttled("The gateway asked to be left alone", self.resting())
                await asyncio.sleep(wait)
            self._started.append((self._number, self._clock()))
            self._number += 1

    def _wait(self, limit: int) -> float:
        """Return the seconds until the next request may start, by what this process has started."""
        now = self._clock()
        full = len(self._started) >= limit
        window = self._started[-limit][1] + SPAN_SECONDS - now if full else 0.0
        return max(window, self._hold_until - now, 0.0)

    async def _shared_wait(self) -> float:
        """Return the seconds until the next request may start, by what all processes have started."""
        if self._shared is None:
            return 0.0
        permit = await self._shared.take(self._number, self._per_minute, self._earlier)
        if permit is None:
            return min(self._wait(max(1, self._per_minute // self._processes)), _LOOK_AGAIN_SECONDS)
        self._processes = permit.processes
        if permit.rest > 0:
            self._hold_until = max(self._hold_until, self._clock() + permit.rest)
        return permit.wait

    def _earlier(self) -> list[tuple[int, float]]:
        now = self._clock()
        return [(number, now - at) for number, at in self._started if now - at < SPAN_SECONDS]
