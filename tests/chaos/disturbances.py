"""What goes wrong on purpose, at random but by a seed: faults of the ERP, and restarts of it and of Redis."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from kai_erp.simulator import (
    Abort,
    Answer,
    Delay,
    Drip,
    DropBookmark,
    Fault,
    Plant,
    RepeatBookmark,
    RunningSimulator,
    Truncate,
    start_simulator,
)
from tests.redis_server import RedisServer

_COLLECTIONS = ("SLJobs", "SLJobRoutes", "SLJrtSchs", "SLItems", "SLItemwhses", "SLWcs", "SLCos", "SLCoitems")
_TARGETS = (*_COLLECTIONS, "SLCustomers", "SLCustAddrs", "SLItemLocs", "ido", "ido", "*", "token")
_AFTERMATH = 75.0
"""Seconds after a disturbance in which an error may come of it: a question's time, or an open breaker's."""


@dataclass
class Disturbances:
    """Disturbs until told to end; knows what it did, and when."""

    plant: Plant
    simulator: RunningSimulator
    redis: RedisServer
    chance: random.Random
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    done: Counter[str] = field(default_factory=Counter)
    _last: float = field(default=float("-inf"), init=False)

    def explains(self, begun: float) -> bool:
        """Tell whether something was disturbed shortly before a moment, or since."""
        return time.monotonic() - self._last < _AFTERMATH + (time.monotonic() - begun)

    async def faults(self) -> None:
        """Put a fault in force every second or two."""
        while not self.ended.is_set():
            await asyncio.sleep(self.chance.uniform(0.5, 2.0))
            name, action = self.chance.choice(_FAULTS)
            times, on = self.chance.randint(1, 6), self.chance.choice(_TARGETS)
            self.simulator.state.faults.add(Fault(action(self.chance), on=on, times=times))
            self._note(name)
            del self.simulator.state.faults.rules[:-8]
            del self.simulator.state.requests[:-100]

    async def restarts_of_the_simulator(self, every: float) -> None:
        """Stop the ERP now and then, for up to five seconds."""
        port = int(self.simulator.base_url.rsplit(":", 1)[1])
        while not self.ended.is_set():
            await self._pause(every)
            self._note("ERP stopped")
            await asyncio.to_thread(self.simulator.close)
            await asyncio.sleep(self.chance.uniform(0.5, 5.0))
            options = self.simulator.state.options
            self.simulator = await asyncio.to_thread(start_simulator, self.plant, options, "127.0.0.1", port)
            self._note("ERP started")

    async def restarts_of_redis(self, every: float) -> None:
        """Stop Redis now and then, or empty it."""
        while not self.ended.is_set():
            await self._pause(every)
            if self.chance.random() < 0.3:
                self._note("Redis emptied")
                with self.redis.client() as client:
                    await asyncio.to_thread(client.flushall)
                continue
            self._note("Redis stopped")
            await asyncio.to_thread(self.redis.stop)
            await asyncio.sleep(self.chance.uniform(0.5, 8.0))
            await asyncio.to_thread(self.redis.start)
            self._note("Redis started")

    async def _pause(self, about: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.chance.uniform(about / 2, about * 1.5)):
                await self.ended.wait()

    def _note(self, what: str) -> None:
        self.done[what] += 1
        self._last = time.monotonic()


_Action = Callable[[random.Random], Any]
_FAULTS: tuple[tuple[str, _Action], ...] = (
    ("500", lambda _: Answer(500)),
    ("503", lambda _: Answer(503)),
    ("504", lambda _: Answer(504)),
    ("429", lambda _: Answer(429)),
    ("429 with Retry-After", lambda _: Answer(429, {"Retry-After": "1"})),
    ("401", lambda _: Answer(401, body="", media_type="text/plain")),
    ("HTML with 200", lambda _: Answer(200)),
    ("cut body", lambda chance: Truncate(chance.random())),
    ("cut connection", lambda chance: Abort(chance.choice((0.0, 0.3, 0.9)))),
    ("slow", lambda chance: Delay(chance.uniform(0.2, 4.0))),
    ("dripping", lambda _: Drip()),
    ("repeated bookmark", lambda _: RepeatBookmark()),
    ("dropped bookmark", lambda _: DropBookmark()),
)
