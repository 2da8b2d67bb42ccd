"""What engines tell of their work, to whoever counts it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Upstream = Literal["erp", "lake"]
BreakerState = Literal["closed", "half_open", "open"]


class Watch:
    """Told what happens; this one takes no note of it.

    Nothing of what it is told is data or secret: names of collections, outcomes, times.
    """

    def called(self, upstream: Upstream, what: str, outcome: str, seconds: float) -> None:
        """A request has ended: `what` is the collection or the kind of call, `outcome` `ok` or an error code."""

    def tried_again(self, upstream: Upstream) -> None:
        """A request is about to be repeated."""

    def breaker(self, upstream: Upstream, state: BreakerState) -> None:
        """The breaker of an upstream has changed its state."""

    def token_renewed(self, upstream: Upstream) -> None:
        """A new token was obtained."""

    def looked_up(self, cache: Literal["answer", "flight", "reference", "shown"], *, hit: bool) -> None:
        """An answer or a collection was looked for among those kept, or under way."""

    def budgeted(
        self, upstream: Upstream, limit: int, started: Callable[[], int], waiting: Callable[[], int]
    ) -> None:
        """An upstream may be asked so much a minute; what was started and what waits is known when asked for."""

    def shed(self) -> None:
        """A question was turned away, since too much is being asked."""

    def store(self, *, lost: bool) -> None:
        """The shared store was lost, or found again."""


UNWATCHED = Watch()
