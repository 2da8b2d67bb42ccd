"""How many questions are worked on at once; more wait for a while, and too many are turned away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kai_erp.core.watching import UNWATCHED, Watch
from kai_erp.errors import Overloaded

_SMALLEST, _PER_REQUEST = 16, 3
_WAITING = 200


class Admission:
    """Places for questions that read: each takes memory for its rows and a share of the requests.

    Args:
        concurrency: requests to the ERP at the same time, from which the number of places follows.
        patience: seconds that a question waits for a place.
        watch: told when a question is turned away.
    """

    def __init__(self, concurrency: int, patience: float, watch: Watch = UNWATCHED) -> None:
        self._places = asyncio.Semaphore(max(_SMALLEST, _PER_REQUEST * concurrency))
        self._patience, self._watch = patience, watch
        self._waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place within the context. Raises Overloaded when too many wait, or this one has for too long."""
        await self._take()
        try:
            yield
        finally:
            self._places.release()

    async def _take(self) -> None:
        if self._waiting >= _WAITING:
            self._turn_away("Too many questions are waiting already")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            self._turn_away(f"No place became free within {self._patience:g} s")
        finally:
            self._waiting -= 1

    def _turn_away(self, reason: str) -> None:
        self._watch.shed()
        raise Overloaded(reason)
