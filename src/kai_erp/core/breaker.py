"""A breaker: while an upstream is down, questions fail at once in place of waiting for it, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil

from kai_erp.core.retries import Throttled
from kai_erp.core.types import Clock
from kai_erp.core.watching import UNWATCHED, BreakerState, Upstream, Watch
from kai_erp.errors import UpstreamError, UpstreamUnavailable

_FAILURES = 5
_STREAK_SECONDS = 5.0
_FIRST_REST, _LONGEST_REST = 5.0, 60.0
_NAMES: dict[Upstream, str] = {"erp": "The ERP", "lake": "The data lake"}


class Breaker:
    """Opens when requests have failed for a while and none has been answered; then one at a time tries again.

    Only what says that nobody is there counts: no connection, no answer in time, errors of the gateway. A refusal,
    a denial or a fault is an answer, and so is being asked for fewer requests.

    Args:
        upstream: whose it is.
        clock: growing seconds.
        watch: told when the state changes.
    """

    def __init__(self, upstream: Upstream, clock: Clock, watch: Watch = UNWATCHED) -> None:
        self._upstream, self._clock, self._watch = upstream, clock, watch
        self._failures, self._since = 0, 0.0
        self._rest, self._open_until = _FIRST_REST, float("-inf")
        self._state: BreakerState = "closed"
        self._probe: asyncio.Future[None] | None = None

    @property
    def state(self) -> BreakerState:
        """Whether requests go through, one tries, or none does."""
        return self._state

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Make one attempt within the context. Raises UpstreamUnavailable at once while the breaker is open."""
        probe = await self._admit()
        try:
            yield
        except UpstreamError as failure:
            if isinstance(failure, UpstreamUnavailable) and not isinstance(failure, Throttled):
                self._failed()
            else:
                self._answered()
            raise
        else:
            self._answered()
        finally:
            if probe is not None:
                self._probe = None
                probe.set_result(None)

    async def _admit(self) -> asyncio.Future[None] | None:
        """Return when an attempt may be made: for one that tries whether the upstream is back, its end."""
        while self._state != "closed":
            if self._clock() < self._open_until:
                raise self._refusal()
            if self._probe is None:
                self._change("half_open")
                self._probe = asyncio.get_running_loop().create_future()
                return self._probe
            await asyncio.shield(self._probe)
        return None

    def _refusal(self) -> UpstreamUnavailable:
        left = max(1, ceil(self._open_until - self._clock()))
        name = _NAMES[self._upstream]
        refusal = UpstreamUnavailable(
            f"{name} has not answered lately and is left alone for now", retry_after=left
        )
        refusal.tried_out = True
        return refusal

    def _answered(self) -> None:
        self._failures, self._rest = 0, _FIRST_REST
        self._change("closed")

    def _failed(self) -> None:
        if self._state == "half_open":
            self._rest = min(self._rest * 2, _LONGEST_REST)
            self._open()
            return
        self._since = self._since if self._failures else self._clock()
        self._failures += 1
        if self._failures >= _FAILURES and self._clock() - self._since >= _STREAK_SECONDS:
            self._open()

    def _open(self) -> None:
        self._open_until = self._clock() + self._rest
        self._change("open")

    def _change(self, state: BreakerState) -> None:
        if state != self._state:
            self._state = state
            self._watch.breaker(self._upstream, state)
