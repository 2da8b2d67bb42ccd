"""The board: a lane for each work center, a bar for each operation, on one axis of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

import pyarrow as pa
import pyarrow.compute as pc

from kai_erp.console.tables import Row, column, rows_of

ROW_PIXELS = 14
WEEKS = (1, 2, 4, 8)
_PER_CENT = 100.0
_YEARS = range(1970, 2200)
_NARROWEST = 0.25
_PER_CENT_PER_CHARACTER = 1.1  # on a board of some 500 pixels
_BAR_FIELDS = (
    "job",
    "suffix",
    "operation_num",
    "item",
    "work_center",
    "status",
    "sched_start",
    "sched_finish",
)


@dataclass(frozen=True, slots=True)
class Window:
    """The days that the board shows, in the plant's zone."""

    first: date
    weeks: int
    zone: tzinfo

    @property
    def start(self) -> datetime:
        """The moment at which it begins."""
        return datetime(self.first.year, self.first.month, self.first.day, tzinfo=self.zone)

    @property
    def days(self) -> list[date]:
        """Its days."""
        return [self.first + timedelta(days=day) for day in range(self.weeks * 7)]

    @property
    def stop(self) -> datetime:
        """The moment at which it ends."""
        last = self.first + timedelta(weeks=self.weeks)
        return datetime(last.year, last.month, last.day, tzinfo=self.zone)

    def place(self, moment: datetime) -> float:
        """Return where a moment is on the axis, in per cent of its length."""
        span = self.stop.timestamp() - self.start.timestamp()
        return (moment.timestamp() - self.start.timestamp()) / span * _PER_CENT

    def shifted(self, weeks: int) -> date:
        """Return the first day of a window so many weeks later."""
        return self.first + timedelta(weeks=weeks)


@dataclass(frozen=True, slots=True)
class Bar:
    """An operation on the axis: `x` and `width` in per cent, `row` counted from the top of its lane."""

    operation: Row
    x: float
    width: float
    row: int

    @property
    def known(self) -> bool:
        """Whether it can be told which operation it is: its key may be hidden."""
        return None not in (self.operation["job"], self.operation["suffix"], self.operation["operation_num"])

    @property
    def label(self) -> str:
        """What is written on it; blank when that would not fit."""
        text = f"{self.operation['job']} · {self.operation['operation_num']}"
        return text if self.known and self.width > len(text) * _PER_CENT_PER_CHARACTER + 2 else ""

    @property
    def y(self) -> int:
        """Its distance from the top of the lane, in pixels."""
        return self.row * ROW_PIXELS


@dataclass(slots=True)
class Lane:
    """A work center: what it has to do, and the bars of that in the window."""

    work_center: str | None
    description: str | None
    operations: int
    behind: int | None
    hours: object
    bars: list[Bar] = field(default_factory=list)
    rows: int = 1
    earlier: int = 0
    later: int = 0
    unscheduled: int = 0

    @property
    def height(self) -> int:
        """In pixels."""
        return self.rows * ROW_PIXELS + 4


def window_of(text: str | None, weeks: int, today: date, zone: tzinfo) -> Window:
    """Return the window that an address names; else one that has today in it, and if it can the week before."""
    length = weeks if weeks in WEEKS else 4
    usual = today - timedelta(days=today.weekday(), weeks=1 if length > 1 else 0)
    try:
        first = date.fromisoformat(text or "")
    except ValueError:
        first = usual
    return Window(first if first.year in _YEARS else usual, length, zone)


def lanes_of(table: pa.Table) -> list[Lane]:
    """Return a lane for each work center, without bars; those most behind first."""
    counted = pa.table(
        {
            "work_center": column(table, "work_center", pa.string()),
            "description": column(table, "work_center_description", pa.string()),
            "behind": pc.equal(column(table, "status", pa.string()), "behind").cast(pa.int64()),
            "hours": column(table, "hours_remaining", pa.float64()),
        }
    )
    sums = [("description", "first"), ("behind", "sum"), ("hours", "sum"), ("work_center", "count", _ALL)]
    groups = counted.group_by("work_center", use_threads=False).aggregate(sums).to_pylist()
    lanes = [
        Lane(
            group["work_center"],
            group["description_first"],
            group["work_center_count"],
            group["behind_sum"],
            group["hours_sum"],
        )
        for group in groups
    ]
    return sorted(lanes, key=lambda lane: (-(lane.behind or 0), lane.work_center is None, lane.work_center or ""))


_ALL = pc.CountOptions(mode="all")


def fill(lanes: Sequence[Lane], table: pa.Table, window: Window) -> None:
    """Put the operations of some lanes on them."""
    names = pa.array([lane.work_center for lane in lanes], pa.string())
    centers = column(table, "work_center", pa.string())
    shown = table.filter(pc.is_in(centers, value_set=names))
    shown = shown.select([name for name in _BAR_FIELDS if name in shown.column_names])
    by_center: dict[str | None, list[Row]] = {}
    for operation in rows_of(shown):
        by_center.setdefault(operation["work_center"], []).append(operation)
    for lane in lanes:
        _fill(lane, by_center.get(lane.work_center, ()), window)


def _fill(lane: Lane, operations: Iterable[Row], window: Window) -> None:
    timed: list[tuple[datetime, datetime, Row]] = []
    for operation in operations:
        start, finish = operation["sched_start"], operation["sched_finish"]
        start, finish = start or finish, finish or start
        if start is None:
            lane.unscheduled += 1
        elif max(start, finish) < window.start:
            lane.earlier += 1
        elif start >= window.stop:
            lane.later += 1
        else:
            timed.append((start, max(start, finish), operation))
    lane.bars, lane.rows = _packed(timed, window)


def _packed(timed: list[tuple[datetime, datetime, Row]], window: Window) -> tuple[list[Bar], int]:
    """Return bars that do not cover each other, each in the first row with room, and how many rows they take."""
    bars, free_from = [], list[float]()
    for start, finish, operation in sorted(timed, key=lambda entry: entry[:2]):
        x = max(window.place(start), 0.0)
        width = max(min(window.place(finish), _PER_CENT) - x, _NARROWEST)
        row = next((row for row, free in enumerate(free_from) if free <= x), len(free_from))
        if row == len(free_from):
            free_from.append(0.0)
        free_from[row] = x + width
        bars.append(Bar(operation, round(x, 2), round(width, 2), row))
    return bars, max(len(free_from), 1)
