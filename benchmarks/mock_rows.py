"""The rows of the mock ERP: six collections of a schedule, made by rule, and the answer they must lead to.

Every job is released, and two jobs share five operations. A few values are as unkempt as real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

Row = tuple[str | None, ...]

JOBS_PER_FIVE, FIVE = 2, 5
OPERATIONS_PER_CENTER = 50
JOBS_PER_ITEM = 5
TOKEN = "".join(f"{number * 2_654_435_761 % 2**32:08x}" for number in range(100))
"""An access token as long as those of a tenant."""
SIZES = {"S": 2_000, "M": 10_000, "L": 100_000}


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COLUMNS: Mapping[str, tuple[str, ...]] = {
    "SLJobs": _names(
        "Job Suffix Type Stat Item QtyReleased Whse CustNum OrdNum OrdType OrdLine JschPriority JschEndDate"
        " RowPointer"
    ),
    "SLJobRoutes": _names(
        "Job Suffix OperNum Type JobStat JobItem Wc QtyComplete QtyScrapped Complete QtyReceived SetupHrsT"
        " Efficiency"
    ),
    "SLJrtSchs": _names(
        "Job Suffix OperNum StartDate EndDate SchedDrv SetupHrs RunLbrHrs RunMchHrs SchedHrs RecordDate"
    ),
    "SLItems": _names(
        "Item Description UM ProductCode PMTCode Stat AbcCode LotSize LeadTime UnitCost RecordDate CreatedBy"
    ),
    "SLItemwhses": _names(
        "Item Whse QtyOnHand QtyAllocCo QtyOrdered QtyWip CycleFlag LastCycle RecordDate CreatedBy"
    ),
    "SLWcs": _names("Wc Description Dept Outside Calendar QueueHrs RecordDate RowPointer"),
}
KEYS: Mapping[str, tuple[str, ...]] = {
    "SLJobs": _names("Job Suffix"),
    "SLJobRoutes": _names("Job Suffix OperNum"),
    "SLJrtSchs": _names("Job Suffix OperNum"),
    "SLItems": _names("Item"),
    "SLItemwhses": _names("Item Whse"),
    "SLWcs": _names("Wc"),
}
_CHANGED = "20261102 07:15:00.000"


@dataclass(frozen=True)
class Plant:
    """The rows of a plant that has so many operations."""

    operations: int

    @property
    def sizes(self) -> dict[str, int]:
        """The rows of each collection."""
        whole = dict.fromkeys(("SLJobRoutes", "SLJrtSchs", "SLItems", "SLItemwhses"), self.operations)
        return {"SLJobs": self.jobs, "SLWcs": self.centers, **whole}

    @property
    def jobs(self) -> int:
        """The number of jobs."""
        return self.operations * JOBS_PER_FIVE // FIVE

    @property
    def centers(self) -> int:
        """The number of work centers."""
        return self.operations // OPERATIONS_PER_CENTER

    @cached_property
    def collections(self) -> dict[str, list[Row]]:
        """The rows of each collection in the order of its key."""
        makers: dict[str, Callable[[int], Row]] = {
            "SLJobs": self._job,
            "SLJobRoutes": self._route,
            "SLJrtSchs": self._schedule,
            "SLItems": self._item,
            "SLItemwhses": self._stock,
            "SLWcs": self._center,
        }
        return {name: [make(index) for index in range(self.sizes[name])] for name, make in makers.items()}

    def expected(self) -> Iterator[dict[str, object]]:
        """Yield the records of the joined answer, in no order, those fields that every way must agree on."""
        for index in range(self.operations):
            job, oper = operation(index)
            item = self._item_of(job)
            yield {
                "job": job_number(job),
                "operation_num": oper,
                "item": item_number(item),
                "item_description": description(item),
                "work_center": center(index % self.centers),
                "work_center_description": f"Work center {index % self.centers}",
                "qty_released": released(job),
                "qty_remaining": released(job) - complete(index) - self._scrap_so_far(index),
                "qty_on_hand": on_hand(item),
                "sched_finish": iso(schedule_end(index)),
            }

    def _scrap_so_far(self, index: int) -> int:
        place = operation(index)[1] // 10
        return sum(scrapped(earlier) for earlier in range(index - place + 1, index + 1))

    def _item_of(self, job: int) -> int:
        """Return the item of a job: few of the items are made at a time, and those lie scattered."""
        used = max(1, self.jobs // JOBS_PER_ITEM)
        return (job % used) * (self.operations // used)

    def _job(self, job: int) -> Row:
        order = f"{job // 3:010}" if job % 3 else None
        odd = job == 1
        return (
            *(job_number(job), "0", "J", "R", item_number(self._item_of(job)), quantity(released(job)), "MAIN"),
            *(
                f"C{job % 500:06}" if job % 3 else None,
                order,
                "O" if order else "",
                str(job % 7) if order else None,
            ),
            *("high" if odd else str(job % 90), schedule_end(job % 300), guid(job)),
        )

    def _route(self, index: int) -> Row:
        job, oper = operation(index)
        name = center(index % self.centers) + ("  " if index % 997 == 0 else "")
        item = self._item_of(job)
        return (
            *(job_number(job), "0", str(oper), "J", "R", item_number(item), name, quantity(complete(index))),
            *(quantity(scrapped(index)), "0", quantity(complete(index) + scrapped(index) + index % 5)),
            *(quantity(index % 2), quantity(100)),
        )

    def _schedule(self, index: int) -> Row:
        job, oper = operation(index)
        start = schedule_end(index).replace("16:00", "07:30")
        return (
            *(job_number(job), "0", str(oper), start, schedule_end(index), "M" if index % 3 else "L"),
            *(f"{index % 4}.50000000", f"0.{index % 90:02}000000", f"0.{index % 80:02}500000", quantity(0)),
            _CHANGED,
        )

    def _item(self, item: int) -> Row:
        return (
            *(item_number(item), description(item), "EA", f"FG-{item % 40:03}", "M", "A", "B", quantity(100), "5"),
            *(f"{item % 900}.12345678", _CHANGED, "planner"),
        )

    def _stock(self, item: int) -> Row:
        return (
            *(item_number(item), "MAIN", quantity(on_hand(item)), quantity(item % 9), quantity(item % 11)),
            *(quantity(item % 13), "0", _CHANGED, _CHANGED, "planner"),
        )

    def _center(self, index: int) -> Row:
        return (center(index), f"Work center {index}", "100", "0", "STD", quantity(1), _CHANGED, guid(index))


def operation(index: int) -> tuple[int, int]:
    """Return job and operation number of an operation: the first of two jobs has two, the second three."""
    pair, place = divmod(index, FIVE)
    second = place >= JOBS_PER_FIVE
    return JOBS_PER_FIVE * pair + second, 10 * (place - JOBS_PER_FIVE * second + 1)


def job_number(job: int) -> str:
    """Return the number of a job as it is stored."""
    return f"J{job:09}"


def item_number(item: int) -> str:
    """Return the number of an item."""
    return f"FG-{item:07}"


def description(item: int) -> str:
    """Return the name of an item."""
    return f"Bracket, welded, {item % 97} mm, {'zinc' if item % 2 else 'raw'} \u2013 series {item // 97}"


def center(index: int) -> str:
    """Return the code of a work center."""
    return f"W{index:05}"


def released(job: int) -> int:
    """Return how many pieces a job is released for."""
    return 100 + job % 400


def complete(index: int) -> int:
    """Return how many pieces are complete at an operation."""
    return index % 50


def scrapped(index: int) -> int:
    """Return how many pieces were scrapped at an operation: at one in fifty."""
    return 1 + index % 3 if index % 50 == 0 else 0


def on_hand(item: int) -> int:
    """Return the stock of an item."""
    return item % 1_000


def schedule_end(index: int) -> str:
    """Return when an operation ends, as it is stored."""
    return f"2026{1 + index % 12:02}{1 + index % 28:02} 16:00:00.000"


def iso(stored: str) -> str:
    """Return a stored moment as ISO 8601 without zone and fraction."""
    return f"{stored[:4]}-{stored[4:6]}-{stored[6:8]}T{stored[9:17]}"


def quantity(number: int) -> str:
    """Return a quantity as it is stored."""
    return f"{number}.00000000"


def guid(number: int) -> str:
    """Return a row pointer."""
    return f"00000000-0000-4000-8000-{number:012x}"
