"""Job orders: open ones with every oddity of a live system, closed ones, standard routings, estimates."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.columns import fold
from kai_erp.simulator.items import Items
from kai_erp.simulator.vocabulary import MADE, MADE_WEIGHTS

FIRST_NUMBER = 1001
_ODD_KEYS_BELOW = 100_000
# Of twenty open jobs, and of twenty released ones.
_STATES = "R" * 14 + "F" * 5 + "S"
_PROGRESS = ("untouched",) * 7 + ("working",) * 9 + ("ending",) * 4


@dataclass(slots=True)
class Job:
    """One job order; quantities and dates are filled in when its operations are planned."""

    job: str
    suffix: int
    type: str
    stat: str
    item_row: int
    item: str
    qty: float
    whse: str
    day: int
    serial: int
    progress: str = ""
    description: str = ""
    complete: float = 0.0
    scrapped: float = 0.0
    start: str | None = None
    end: str | None = None
    priority: int | None = None
    ord_type: str | None = None
    ord_num: str | None = None
    ord_line: int | None = None
    ord_release: int | None = None
    cust_num: str | None = None

    @property
    def open(self) -> bool:
        """Whether it is shop work that is not closed: type J, firm, released or stopped."""
        return self.type == "J" and self.stat in "FRS"

    @property
    def remaining(self) -> float:
        """What the job has still to deliver."""
        return self.qty - self.complete - self.scrapped


def falls(serial: int, every: int, at: int) -> bool:
    """Whether a serial number is the one in `every` that gets some fault."""
    return serial % every == at


def chance(dice: Random, share: float) -> bool:
    """Whether the dice fall within a share of all cases."""
    return dice.random() < share


class _Numbers:
    """Hands out job keys: prefixed, blank-padded and hand-typed ones, with suffixes for split jobs."""

    def __init__(self, dice: Random) -> None:
        self._dice, self._number = dice, FIRST_NUMBER
        self._key, self._suffix = "", 0

    def next(self, *, may_split: bool) -> tuple[str, int]:
        """Return job and suffix: 15 % are splits of the job before."""
        if may_split and self._key and chance(self._dice, 0.15):
            self._suffix += 1
            return self._key, self._suffix
        self._number += 1
        key = number_key("J", self._number)
        self._key, self._suffix = (key if may_split else ""), 0
        return key, 0


def number_key(prefix: str, number: int) -> str:
    """Return a ten-character document key as one site with a mixed past would hold it."""
    if prefix == "J" and falls(number, 50, 3) and number < _ODD_KEYS_BELOW:
        return f"22VP{number // 1000}/{number % 1000:03}"
    if number % 10 in {1, 4, 7}:
        return f"{number:>10}"
    return f"{prefix}{number:0{10 - len(prefix)}}"


def make_jobs(plan: Blueprint, items: Items) -> list[Job]:
    """Return all jobs in key order."""
    dice = plan.dice("jobs")
    numbers = _Numbers(dice)
    jobs = [*_closed(plan, items, numbers, dice), *_open(plan, items, numbers, dice)]
    jobs.sort(key=lambda job: (fold(job.job), job.suffix))
    return jobs


def _closed(plan: Blueprint, items: Items, numbers: _Numbers, dice: Random) -> Iterator[Job]:
    standards = iter([row for rows in items.made.values() for row in rows])
    for serial in range(plan.scale.closed_jobs):
        kind = dice.choices("JSE", (60, 35, 5))[0]
        row = next(standards, -1) if kind == "S" else -1
        row = row if row >= 0 else _pick_item(items, dice)
        stat = {"J": "CHH", "S": "F", "E": "WPH"}[kind][serial % (1 if kind == "S" else 3)]
        job, suffix = numbers.next(may_split=kind == "J")
        if kind == "S":
            items.standard_job[row] = (job, suffix)
        qty = 1.0 if kind == "S" else _pick_quantity(dice)
        item = items.rows[row]
        day = -1500 + 1400 * serial // plan.scale.closed_jobs
        yield Job(job, suffix, kind, stat, row, item.code, qty, "MAIN", day, serial, description=item.description)


def _open(plan: Blueprint, items: Items, numbers: _Numbers, dice: Random) -> Iterator[Job]:
    released = 0
    for serial in range(plan.scale.open_jobs):
        stat = _STATES[serial * 7 % 20]
        row = _pick_item(items, dice)
        item = items.rows[row]
        job, suffix = numbers.next(may_split=True)
        whse = "MAIN" if serial % 10 else dice.choice(plan.scale.warehouses)
        draft = Job(
            job, suffix, "J", stat, row, item.code, _pick_quantity(dice), whse, -dice.randrange(2, 60), serial
        )
        draft.description = item.description
        draft.progress = _progress(stat, released)
        released += stat == "R"
        _spoil(draft)
        yield draft


def _progress(stat: str, serial: int) -> str:
    """Return how far a job is: untouched, working, ending or done (all operations, still released)."""
    if stat != "R":
        return "working" if stat == "S" else "untouched"
    progress = _PROGRESS[serial * 11 % 20]
    return "done" if progress == "ending" and serial % 3 == 0 else progress


def _spoil(job: Job) -> None:
    """Give some jobs the faults found in real data."""
    if falls(job.serial, 37, 7):
        job.item_row, job.item = -1, f"FB-LOST-{job.serial}"
    elif falls(job.serial, 23, 4):
        job.item = job.item.swapcase()
    elif falls(job.serial, 19, 3):
        job.item += "   "
    if falls(job.serial, 31, 9):
        job.qty, job.progress = 0.0, "untouched"


def _pick_item(items: Items, dice: Random) -> int:
    family = dice.choices(tuple(MADE), MADE_WEIGHTS)[0]
    return dice.choice(items.made[family])


def _pick_quantity(dice: Random) -> float:
    return float(min(max(round(10 * dice.lognormvariate(0, 0.9)), 1), 400))
