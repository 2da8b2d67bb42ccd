"""Values kept for a while, in so much memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from kai_erp.core.types import Clock

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[V]):
    value: V
    until: float
    size: int


class Keeping(Generic[V]):
    """Keeps values by key until they lapse or room is needed; the oldest go first.

    Args:
        clock: growing seconds.
        seconds: how long a value is kept; 0 keeps none.
        room: how many bytes all of them may take; a value that takes more is not kept.
        size: the bytes of a value.
        linger: seconds for which a lapsed value can still be looked at.
    """

    def __init__(
        self, clock: Clock, seconds: float, room: int, size: Callable[[V], int], *, linger: float = 0.0
    ) -> None:
        self._clock, self._room, self._size = clock, room, size
        self._seconds, self._linger = seconds, linger
        self._kept: OrderedDict[Hashable, _Kept[V]] = OrderedDict()
        self._taken = 0

    @property
    def used(self) -> bool:
        """Whether anything is kept at all."""
        return self._seconds > 0

    @property
    def taken(self) -> int:
        """The bytes of all that is kept."""
        return self._taken

    def get(self, key: Hashable) -> V | None:
        """Return a value that is still good."""
        kept = self._kept.get(key)
        return kept.value if kept is not None and self._clock() < kept.until else None

    def lapsed(self, key: Hashable) -> V | None:
        """Return a value that is good no more, while it lingers."""
        kept = self._kept.get(key)
        return kept.value if kept is not None and not self._is_gone(kept) and self.get(key) is None else None

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value in place of the one that had its key."""
        size = self._size(value)
        self._drop(key)
        if not self.used or size > self._room:
            return
        self._kept[key] = _Kept(value, self._clock() + self._seconds, size)
        self._taken += size
        while self._taken > self._room or self._is_gone(next(iter(self._kept.values()))):
            self._drop(next(iter(self._kept)))

    def _is_gone(self, kept: _Kept[V]) -> bool:
        return self._clock() >= kept.until + self._linger

    def _drop(self, key: Hashable) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._taken -= dropped.size
