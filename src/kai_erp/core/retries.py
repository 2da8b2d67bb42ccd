"""When and how long to try again: the one place, for every upstream.

Throttling, gateway errors, broken connections and bodies that are no answer are tried again a few times, with
exponential back-off and jitter, or after what `Retry-After` says. `stamina.set_testing` takes the waiting out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import TypeVar

import stamina

from kai_erp.core.types import Now
from kai_erp.errors import Nonsense, PageTimedOut, UpstreamUnavailable

ATTEMPTS = 4
LONGEST_WAIT = 20.0
_LONGEST_REST = 86_400.0

T = TypeVar("T")


class Throttled(UpstreamUnavailable):
    """The upstream asks for fewer requests; `retry_after` is what it said, if it did."""

    def __init__(self, message: str, asked: float | None) -> None:
        super().__init__(message, retry_after=asked if asked is not None else 5.0)
        self.asked = asked


def asked_rest(retry_after: str, now: Now) -> float | None:
    """Return the seconds of a `Retry-After`, which may be a number or a date; None when it is neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_REST)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now()).total_seconds())
    except (TypeError, ValueError):
        return None


async def with_retries(attempt: Callable[[], Awaitable[T]], again: Callable[[], None] = lambda: None) -> T:
    """Return what `attempt` gives, tried again while its failure may pass; raise the last failure.

    Before each further attempt `again` is called.

    A failure that comes out of here is not tried again by whoever else tries around it.
    """
    try:
        async for trial in stamina.retry_context(
            on=_again, attempts=ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=4.0, wait_jitter=0.3
        ):
            with trial:
                if trial.num > 1:
                    again()
                return await attempt()
    except (UpstreamUnavailable, Nonsense) as failure:
        failure.tried_out = True
        raise
    raise AssertionError("a retry context returns or raises")  # pragma: no cover  # for the type checker


def _again(failure: Exception) -> bool | float:
    """Tell whether to try again, and after how many seconds where the upstream said so."""
    if not isinstance(failure, UpstreamUnavailable | Nonsense) or isinstance(failure, PageTimedOut):
        return False
    if failure.tried_out:
        return False
    if isinstance(failure, Throttled) and failure.asked is not None:
        return failure.asked if failure.asked <= LONGEST_WAIT else False
    return True
