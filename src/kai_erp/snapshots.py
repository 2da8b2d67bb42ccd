"""Kept answers: what a cursor leads back to, without touching the ERP again."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

from kai_erp.connectors.base import ConnectorResult
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Clock, Freshness, Notice
from kai_erp.errors import CursorExpired

_MEGABYTE = 1024 * 1024
_CURSOR = re.compile(r"([\w-]{24})\.([0-9]{1,9})\Z", re.ASCII)
_LOST = Notice(
    "shared_store_lost",
    "The store that replicas share is out of reach: a cursor leads on only at the replica that gave it.",
)
_ALONE = Notice(
    "shared_store_lost",
    "This answer could not be put into the store that replicas share, or is too large for it: its cursor leads on "
    "only at the replica that gave it.",
)


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


class SharedAnswers(Protocol):
    """Where replicas keep answers for each other."""

    @property
    def lost(self) -> bool:
        """Whether it is out of reach."""

    async def put(self, name: str, snapshot: Snapshot, seconds: float) -> bool:
        """Tell whether the other replicas find an answer, after putting it there where it was not yet."""
        ...

    async def get(self, name: str, connector: str) -> tuple[Snapshot, float] | None:
        """Return an answer that another replica put there, and for how many seconds it is kept."""
        ...


@dataclass(slots=True)
class _Kept:
    """An answer in this process's memory, when it was made, and whether the other replicas find it too."""

    snapshot: Snapshot
    made_at: float
    shared: bool = False
    sharing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def key(self) -> tuple[int, Question]:
        """The answer itself, and who asked for it: many may be given the same one at once."""
        return id(self.snapshot.result), self.snapshot.question


class SnapshotStore:
    """Keeps answers for a while, in so much memory; the oldest go first, the newest is kept whatever its size.

    Args:
        clock: growing seconds.
        ttl_seconds: how long an answer is kept.
        max_mb: how much memory all of them may take.
        shared: where other replicas find them; without it they are this process's own.
    """

    def __init__(self, clock: Clock, ttl_seconds: float, max_mb: int, shared: SharedAnswers | None = None) -> None:
        self._clock, self._ttl, self._room = clock, ttl_seconds, max_mb * _MEGABYTE
        self._shared = shared
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._names: dict[tuple[int, Question], str] = {}
        self._taken = 0

    @property
    def count(self) -> int:
        """How many answers are kept in this process."""
        return len(self._kept)

    @property
    def taken(self) -> int:
        """How many bytes they take."""
        return self._taken

    async def keep(self, snapshot: Snapshot) -> str:
        """Return the name under which an answer is kept: long, random and told to nobody else."""
        kept = _Kept(snapshot, self._clock())
        name = self._names.get(kept.key)
        if name is None:
            name = secrets.token_urlsafe(18)
            self._remember(name, kept)
        else:
            kept = self._kept[name]
        await self._share(name, kept)
        return name

    async def find(self, cursor: str, connector: str, caller: str) -> tuple[Snapshot, str, int]:
        """Return the answer that a cursor leads to, its name, and the row to go on at.

        Raises CursorExpired when the cursor is malformed, lapsed, or somebody else's.
        """
        self._forget()
        parts = _CURSOR.match(cursor)
        if parts is None:
            raise CursorExpired
        name, row = parts[1], int(parts[2])
        kept = self._kept.get(name) or await self._fetched(name, connector)
        if kept is None or self._has_lapsed(kept):
            raise CursorExpired
        question, records = kept.snapshot.question, kept.snapshot.result.records
        if (question.connector, question.caller) != (connector, caller) or row >= records.num_rows:
            raise CursorExpired
        await self._share(name, kept)
        return kept.snapshot, name, row

    def notice(self, name: str) -> Notice | None:
        """Return what to say of an answer whose cursor, if it has one, may not lead on at every replica."""
        if self._shared is None:
            return None
        if self._shared.lost:
            return _LOST
        kept = self._kept.get(name)
        return _ALONE if kept is not None and not kept.shared else None

    async def _share(self, name: str, kept: _Kept) -> None:
        """Put an answer where other replicas find it, again if that place was emptied meanwhile."""
        if self._shared is not None:
            async with kept.sharing:
                seconds = kept.made_at + self._ttl - self._clock()
                kept.shared = await self._shared.put(name, kept.snapshot, seconds)

    async def _fetched(self, name: str, connector: str) -> _Kept | None:
        found = await self._shared.get(name, connector) if self._shared is not None else None
        if found is None:
            return None
        snapshot, seconds = found
        kept = _Kept(snapshot, self._clock() + seconds - self._ttl, shared=True)
        self._remember(name, kept)
        return kept

    def _remember(self, name: str, kept: _Kept) -> None:
        self._drop(name)
        self._kept[name] = kept
        self._names[kept.key] = name
        self._taken += kept.snapshot.result.records.nbytes
        self._forget()

    def _forget(self) -> None:
        while self._kept:
            name, kept = next(iter(self._kept.items()))
            fits = self._taken <= self._room or len(self._kept) == 1
            if fits and not self._has_lapsed(kept):
                return
            self._drop(name)

    def _drop(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            del self._names[kept.key]
            self._taken -= kept.snapshot.result.records.nbytes

    def _has_lapsed(self, kept: _Kept) -> bool:
        return self._clock() - kept.made_at > self._ttl
