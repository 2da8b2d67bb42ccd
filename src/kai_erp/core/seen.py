"""What earlier answers have shown: how large questions are, and which values their filters may take."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable

from kai_erp.core.types import Clock

_KEPT_SECONDS = 600.0
_KEPT_QUESTIONS = 1_000
_KEPT_VALUES = 10_000


class SeenVolumes:
    """How many rows the driving collection had for the same filters, within the last ten minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def remember(self, question: Hashable, rows: int) -> None:
        """Note the rows of a question; a read that was stopped counts as one more than the limit."""
        self._seen.pop(question, None)
        self._seen[question] = (self._clock(), rows)
        while len(self._seen) > _KEPT_QUESTIONS:
            self._seen.popitem(last=False)

    def last(self, question: Hashable) -> int | None:
        """Return the rows last seen for a question; None when that is unknown or too long ago."""
        at, rows = self._seen.get(question, (float("-inf"), 0))
        return rows if self._clock() - at <= _KEPT_SECONDS else None


class SeenValues:
    """The values that a field of a connector's answers has had, to suggest near ones when a filter finds none."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], dict[str, None]] = {}

    def remember(self, connector: str, field: str, values: Iterable[str]) -> None:
        """Note values; the oldest go when there are too many."""
        known = self._seen.setdefault((connector, field), {})
        for value in values:
            known.pop(value, None)
            known[value] = None
        for value in list(known)[: max(0, len(known) - _KEPT_VALUES)]:
            del known[value]

    def recall(self, connector: str, field: str) -> tuple[str, ...]:
        """Return the values noted, the oldest first."""
        return tuple(self._seen.get((connector, field), ()))
