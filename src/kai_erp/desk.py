"""Where questions get their answers: one that is kept, one under way, or a new reading when there is room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace

from kai_erp.admission import Admission
from kai_erp.connectors import ConnectorResult
from kai_erp.core.keeping import Keeping
from kai_erp.core.types import Freshness, Progress
from kai_erp.core.watching import Watch
from kai_erp.flights import Flights
from kai_erp.questions import Look
from kai_erp.showing import Showcase

Read = Callable[[Progress], Awaitable[ConnectorResult]]
_PASSING = frozenset({"collection_unavailable", "lake_unavailable"})
_STRICTEST_FIRST = (Freshness.REALTIME, Freshness.NEAR_REALTIME, Freshness.BATCH_OK)


@dataclass(frozen=True, slots=True)
class Desk:
    """One for an app: answers of two ERP configurations never meet.

    A key holds what makes two questions identical, the asker's rights among it.
    """

    admission: Admission
    flights: Flights[ConnectorResult]
    kept: Keeping[ConnectorResult]
    showcase: Showcase
    watch: Watch

    async def show(
        self, key: Hashable, freshness: Freshness, read: Read, look: Look, progress: Progress | None
    ) -> ConnectorResult:
        """Return an answer that is on show, or put a new one there. Raises CursorExpired when it is gone."""
        key = (key, freshness)
        shown = self.showcase.find(key, look)
        self.watch.looked_up("shown", hit=shown is not None)
        if shown is not None:
            return as_cached(shown)
        result = await self.flights.join(key, self._admitted(key, read), progress)
        self.showcase.put(key, result)
        return result

    async def answer(
        self, key: Hashable, freshness: Freshness, read: Read, progress: Progress | None
    ) -> ConnectorResult:
        """Return an answer that is fresh enough. Raises Overloaded when there is no room for another reading."""
        kept = self._kept(key, freshness)
        if kept is not None:
            return as_cached(kept)
        flight = (key, freshness)
        self.watch.looked_up("flight", hit=self.flights.has(flight))
        return await self.flights.join(flight, self._admitted(flight, read), progress)

    def _admitted(self, key: Hashable, read: Read) -> Read:
        """Return a reading that waits for room, and is kept when it is whole."""

        async def admitted(told: Progress) -> ConnectorResult:
            async with self.admission.place():
                result = await read(told)
            if _is_whole(result):
                self.kept.put(key, result)
            return result

        return admitted

    def _kept(self, key: Hashable, freshness: Freshness) -> ConnectorResult | None:
        """Return a kept answer that was asked for as fresh as this one, or fresher; none will do for now."""
        if freshness is Freshness.REALTIME or not self.kept.used:
            return None
        enough = _STRICTEST_FIRST[: _STRICTEST_FIRST.index(freshness) + 1]
        found = next((kept for one in enough if (kept := self.kept.get((key, one))) is not None), None)
        self.watch.looked_up("answer", hit=found is not None)
        return found


def as_cached(result: ConnectorResult) -> ConnectorResult:
    """Return an answer as it is given again: with the moments at which it was read."""
    reports = (replace(read, status="cached") if read.status == "ok" else read for read in result.upstream)
    return replace(result, upstream=tuple(reports))


def _is_whole(result: ConnectorResult) -> bool:
    """Tell whether nothing was out of reach that may be back when the question is asked again."""
    return not any(notice.code in _PASSING for notice in result.notices)
