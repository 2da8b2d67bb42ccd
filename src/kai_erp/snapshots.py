"""Kept answers: what a cursor leads back to, without touching the ERP again."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from kai_erp.connectors.base import ConnectorResult
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Clock, Freshness
from kai_erp.errors import CursorExpired

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, and by whom; a cursor is good for the same only."""

    connector: str
    query: ConnectorQuery
    freshness: Freshness
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole answer and the question it answers."""

    question: Question
    result: ConnectorResult


class SnapshotStore:
    """Keeps answers for a while, in so much memory; the oldest go first, the newest is kept whatever its size.

    Args:
        clock: growing seconds.
        ttl_seconds: how long an answer is kept.
        max_mb: how much memory all of them may take.
    """

    def __init__(self, clock: Clock, ttl_seconds: float, max_mb: int) -> None:
        self._clock, self._ttl, self._room = clock, ttl_seconds, max_mb * _MEGABYTE
        self._kept: OrderedDict[str, tuple[float, Snapshot]] = OrderedDict()
        self._taken = 0

    def keep(self, snapshot: Snapshot) -> str:
        """Return the name under which an answer is kept: long, random and told to nobody else."""
        name = secrets.token_urlsafe(18)
        self._kept[name] = (self._clock(), snapshot)
        self._taken += snapshot.result.records.nbytes
        self._forget()
        return name

    def find(self, cursor: str, connector: str, caller: str) -> tuple[Snapshot, str, int]:
        """Return the answer that a cursor leads to, its name, and the row to go on at.

        Raises CursorExpired when the cursor is malformed, lapsed, or somebody else's.
        """
        self._forget()
        name, _, offset = cursor.partition(".")
        kept = self._kept.get(name)
        if kept is None or not (offset.isascii() and offset.isdigit() and len(offset) < 10):  # noqa: PLR2004
            raise CursorExpired
        snapshot, row = kept[1], int(offset)
        question = snapshot.question
        if (question.connector, question.caller) != (connector, caller) or row >= snapshot.result.records.num_rows:
            raise CursorExpired
        return snapshot, name, row

    def _forget(self) -> None:
        while self._kept:
            name, (at, snapshot) = next(iter(self._kept.items()))
            lapsed = self._clock() - at > self._ttl
            fits = self._taken <= self._room or len(self._kept) == 1
            if not lapsed and fits:
                return
            del self._kept[name]
            self._taken -= snapshot.result.records.nbytes
