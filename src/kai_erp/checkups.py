"""Checks of the tenant: made when somebody asks for one, and shown to all who look for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kai_erp.core.types import Now
from kai_erp.errors import KaiErpError
from kai_erp.flights import Flights
from kai_erp.preflight import ConnectorCheck, LakeCheck

KEPT_FOR = timedelta(minutes=10)
_SHARED_FOR = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Checkup:
    """How the tenant stood at a moment: its connectors and its lake, or why it could not be checked."""

    at: datetime
    connectors: Sequence[ConnectorCheck] = ()
    lake: LakeCheck | None = None
    failure: KaiErpError | None = None


class Checkups:
    """The last check, for all who look. Whoever asks for one while one is under way, or just after, gets that.

    Args:
        connectors: checks each connector.
        lake: checks the lake, if there is one.
        now: the present moment.
    """

    def __init__(
        self,
        connectors: Callable[[], Awaitable[Sequence[ConnectorCheck]]],
        lake: Callable[[], Awaitable[LakeCheck | None]],
        now: Now,
    ) -> None:
        self._connectors, self._lake, self._now = connectors, lake, now
        self._flights: Flights[Checkup] = Flights()
        self._last: Checkup | None = None

    def last(self) -> Checkup | None:
        """Return the last check, as long as it still says something."""
        return self._not_older_than(KEPT_FOR)

    async def renew(self) -> Checkup:
        """Return a check that is new."""
        return self._not_older_than(_SHARED_FOR) or await self._flights.join("checkup", lambda _: self._check())

    def _not_older_than(self, age: timedelta) -> Checkup | None:
        return self._last if self._last and self._now() - self._last.at <= age else None

    async def _check(self) -> Checkup:
        try:
            connectors, lake = await self._connectors(), await self._lake()
            self._last = Checkup(self._now(), connectors, lake)
        except KaiErpError as failure:
            self._last = Checkup(self._now(), failure=failure.with_traceback(None))
        return self._last
