"""What every request to an upstream passes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from kai_erp.core.auth import TokenManager
from kai_erp.core.breaker import Breaker
from kai_erp.core.budget import RequestBudget
from kai_erp.core.retries import Throttled, with_retries
from kai_erp.core.watching import UNWATCHED, Upstream, Watch
from kai_erp.errors import Nonsense, PageTimedOut, TokenRejected, UpstreamError

T = TypeVar("T")
_OUTCOMES: dict[type[UpstreamError], str] = {
    Nonsense: "nonsense",
    PageTimedOut: "timeout",
    Throttled: "throttled",
    TokenRejected: "token_rejected",
}


@dataclass(frozen=True, slots=True)
class Passage:
    """The way in, how much may be asked, whether anybody is there, and whoever counts."""

    upstream: Upstream
    tokens: TokenManager
    budget: RequestBudget
    breaker: Breaker
    watch: Watch = UNWATCHED

    async def through(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what an attempt gives; it is made again while its failure may pass, not while nobody is there."""

        async def guarded() -> T:
            async with self.breaker.attempt():
                return await attempt()

        return await with_retries(guarded, lambda: self.watch.tried_again(self.upstream))

    @contextmanager
    def call(self, what: str) -> Iterator[None]:
        """Count a request that is made within the context, and how it ends."""
        started, outcome = time.perf_counter(), "cancelled"
        try:
            yield
            outcome = "ok"
        except UpstreamError as failure:
            outcome = _OUTCOMES.get(type(failure), failure.code)
            raise
        finally:
            self.watch.called(self.upstream, what, outcome, time.perf_counter() - started)
