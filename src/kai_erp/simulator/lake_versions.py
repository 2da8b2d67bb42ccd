"""The versions of rows that have reached the lake: what the ERP holds, without what is still under way."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from kai_erp.simulator.changes import Change
from kai_erp.simulator.clocks import Clock
from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import Native
from kai_erp.simulator.options import Switches

LIVE, GONE, OLDER = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a row: what differs from the values of today, when it landed (None: with the first load)."""

    row: int
    rank: int
    differs: Mapping[str, Native] = field(default_factory=dict)
    landed: datetime | None = None


@dataclass(frozen=True, slots=True)
class LakeTime:
    """The time of the lake: it begins at the ERP's wall clock, and passes with the clock of the simulator."""

    started: datetime
    clock: Clock

    def now(self, options: Switches) -> datetime:
        """Return the present as an instant."""
        return self.instant(self.clock.seconds(), options)

    def instant(self, seconds: float, options: Switches) -> datetime:
        """Return the instant at which the clock shows these seconds."""
        origin = self.started.replace(tzinfo=ZoneInfo(options.lake_zone)).astimezone(UTC)
        return origin + timedelta(milliseconds=int(seconds * 1000))

    def landing(self, change: Change, options: Switches) -> datetime:
        """Return when a change reaches the lake: at once, or with the first batch after the lag."""
        if not options.lake_lag_seconds:
            return self.instant(change.at, options)
        due = self.instant(change.at + options.lake_lag_seconds, options).timestamp()
        if options.lake_batch_seconds:
            due = math.ceil(due / options.lake_batch_seconds) * options.lake_batch_seconds
        return datetime.fromtimestamp(due, UTC)


@dataclass(frozen=True, slots=True)
class Landings:
    """The changes of one collection, with the time at which each reaches the lake, as seen at `now`."""

    changes: Sequence[tuple[Change, datetime]]
    now: datetime

    def arrived(self) -> int:
        """Return how many changes have reached the lake."""
        return sum(landed <= self.now for _, landed in self.changes)

    def versions(self, collection: Collection) -> list[Version]:
        """Return what the lake holds of a collection: the live rows in order, then all else."""
        if not self.changes:
            return [_untouched(row) for row in collection.visible()]
        by_row: dict[int, list[tuple[Change, datetime]]] = defaultdict(list)
        for change, landed in self.changes:
            by_row[change.row].append((change, landed))
        changed = [version for row, history in by_row.items() for version in self._versions(row, history)]
        live = {version.row: version for version in changed if version.rank == LIVE}
        untouched = {row: _untouched(row) for row in collection.visible() if row not in by_row}
        rows = live | untouched
        return [*(rows[row] for row in sorted(rows)), *(v for v in changed if v.rank != LIVE)]

    def _versions(self, row: int, history: Sequence[tuple[Change, datetime]]) -> Iterator[Version]:
        """Yield the versions of a row that was changed: its values differ by what came after them."""
        here = sum(landed <= self.now for _, landed in history)
        for n in range(here + 1):
            differs: dict[str, Native] = {}
            for change, _ in reversed(history[n:]):
                differs |= change.before
            landed = history[n - 1][1] if n else None
            gone = n > 0 and history[n - 1][0].deleted
            yield Version(row, OLDER if n < here else GONE if gone else LIVE, differs, landed)


@cache
def _untouched(row: int) -> Version:
    """Return the only version of a row that was never changed; the same for every table."""
    return Version(row, LIVE)
