"""Answers on show: read once for all who look at them, and kept for as long as somebody may turn their pages."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from kai_erp.connectors import ConnectorResult
from kai_erp.core.keeping import Keeping
from kai_erp.core.types import Clock
from kai_erp.errors import CursorExpired
from kai_erp.questions import Look


@dataclass(frozen=True, slots=True)
class _Shown:
    result: ConnectorResult
    read_at: float


class Showcase:
    """Keeps the answers that are shown: of each question the newest, and earlier ones by their `as_of`.

    Args:
        clock: growing seconds.
        seconds: how long an answer can be looked at.
        room: how many bytes all of them may take.
    """

    def __init__(self, clock: Clock, seconds: float, room: int) -> None:
        self._clock = clock
        self._newest: Keeping[_Shown] = Keeping(clock, seconds, room, _size)
        self._earlier: Keeping[_Shown] = Keeping(clock, seconds, room, _size)

    @property
    def taken(self) -> int:
        """The bytes of all answers that are shown."""
        return self._earlier.taken

    def find(self, key: Hashable, look: Look) -> ConnectorResult | None:
        """Return an answer that will do; None when one must be read.

        Raises CursorExpired when the one that is being looked at is kept no longer.
        """
        if look.as_of is not None:
            earlier = self._earlier.get((key, look.as_of))
            if earlier is None:
                raise CursorExpired
            return earlier.result
        newest = self._newest.get(key)
        fresh = newest is not None and self._clock() - newest.read_at <= look.within
        return newest.result if newest is not None and fresh else None

    def put(self, key: Hashable, result: ConnectorResult) -> None:
        """Show an answer that was just read."""
        shown = _Shown(result, self._clock())
        self._newest.put(key, shown)
        self._earlier.put((key, result.as_of), shown)


def _size(shown: _Shown) -> int:
    return int(shown.result.records.nbytes)
