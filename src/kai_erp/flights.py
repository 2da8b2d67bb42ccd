"""Identical questions that are under way at the same time are answered by one reading."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from kai_erp.core.types import CollectionReport, Progress
from kai_erp.errors import KaiErpError

R = TypeVar("R")


@dataclass(slots=True)
class _Flight(Generic[R]):
    task: asyncio.Task[R]
    passengers: int = 0
    told: list[Progress] = field(default_factory=list)


class Flights(Generic[R]):
    """Those that are under way; each ends with its answer, or when nobody waits for it any more."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[R]] = {}

    def has(self, key: Hashable) -> bool:
        """Tell whether a reading of that key is under way."""
        return key in self._flights

    async def join(
        self, key: Hashable, read: Callable[[Progress], Awaitable[R]], progress: Progress | None = None
    ) -> R:
        """Return what `read` gives; that of an identical question which is under way, if there is one.

        Whoever waits may be cancelled without harm to the others; with the last one the reading is. A failure is
        raised to each, as one of its own.
        """
        flight = self._flights.get(key) or self._start(key, read)
        flight.passengers += 1
        if progress is not None:
            flight.told.append(progress)
        try:
            return await asyncio.shield(flight.task)
        except KaiErpError as failure:
            raise failure.anew() from failure.__cause__
        finally:
            if progress is not None:
                flight.told.remove(progress)
            flight.passengers -= 1
            if not flight.passengers:
                await self._end(key, flight)

    def _start(self, key: Hashable, read: Callable[[Progress], Awaitable[R]]) -> _Flight[R]:
        async def reading() -> R:
            return await read(tell)

        def tell(report: CollectionReport) -> None:
            for progress in tuple(flight.told):
                progress(report)

        flight = _Flight(asyncio.create_task(reading()))
        self._flights[key] = flight
        flight.task.add_done_callback(lambda _: self._forget(key, flight))
        return flight

    async def _end(self, key: Hashable, flight: _Flight[R]) -> None:
        """Break a reading off that nobody waits for, and return when it has cleaned up after itself."""
        self._forget(key, flight)
        flight.task.cancel()
        await asyncio.wait({flight.task})
        if not flight.task.cancelled():
            flight.task.exception()

    def _forget(self, key: Hashable, flight: _Flight[R]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
