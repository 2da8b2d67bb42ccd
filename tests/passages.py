"""A passage to an upstream, for clients that are made by hand."""

from kai_erp.core.auth import Grant, TokenManager
from kai_erp.core.breaker import Breaker
from kai_erp.core.budget import RequestBudget
from kai_erp.core.passage import Passage
from kai_erp.core.types import Clock
from kai_erp.core.watching import Upstream


def passage_of(
    way_in: TokenManager | Grant, clock: Clock, concurrency: int = 6, upstream: Upstream = "erp"
) -> Passage:
    """Return a passage with a budget that lets so many requests through at once."""
    tokens = way_in if isinstance(way_in, TokenManager) else TokenManager(way_in, clock)
    budget = RequestBudget(concurrency, 100_000, clock)
    return Passage(upstream, tokens, budget, Breaker(upstream, clock))
