"""Operations of jobs: routings, quantities that flow from one to the next, and the schedule."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.calendar import MINUTES_A_DAY, NO_DATE, SHIFT_MINUTES, WORK_DAYS, Calendar
from kai_erp.simulator.centers import center_codes
from kai_erp.simulator.items import Items
from kai_erp.simulator.jobs import Job, chance, falls
from kai_erp.simulator.vocabulary import LOST_CENTER, MADE, MADE_WEIGHTS, Center

_QUEUE = 60
_LATE_SHARE = 0.225
_LONGEST = 40.0
_ENOUGH_TO_SCRAP = 4


class Step(NamedTuple):
    """One step of a routing: where, planned setup hours, planned hours per piece of labor or machine."""

    oper: int
    wc: str
    driver: str
    setup: float
    labor: float
    machine: float
    outside: int = 0

    @property
    def run(self) -> float:
        """Hours per piece of whatever drives the step."""
        return self.labor or self.machine


class Flow(NamedTuple):
    """What has passed through an operation."""

    received: float | None = 0.0
    complete: float | None = 0.0
    scrapped: float | None = 0.0
    moved: float | None = 0.0
    closed: int | None = 0


class Operation(NamedTuple):
    """One row of jobroute with its row of jrt_sch."""

    job_row: int
    step: Step
    flow: Flow
    efficiency: float | None
    start: str | None
    end: str | None
    sched_hrs: float | None

    @property
    def started(self) -> bool:
        """Whether anything has been reported here."""
        return bool(self.flow.complete or self.flow.closed)


@dataclass(slots=True)
class _Pace:
    """Keeps the share of late operations where a real shop has it."""

    late: int = 0
    seen: int = 0

    def next(self, remaining: int, dice: Random) -> str:
        """Return whether the next job is late: no, partly or wholly."""
        self.seen += remaining
        if not remaining or self.late >= _LATE_SHARE * self.seen:
            return "no"
        if remaining > 1 and chance(dice, 0.4):
            return "partly"
        self.late += remaining
        return "wholly"


class Shop:
    """Plans the operations of jobs, one job after the other."""

    def __init__(self, plan: Blueprint, items: Items) -> None:
        self._items, self._calendar = items, plan.calendar
        self._dice = plan.dice("operations")
        self._pace = _Pace()
        self._routings = dict(_routings(plan))
        self._efficiencies = (*(100.0,) * 12, 85.0, 85.0, 120.0, 0.0, None)

    def operations(self, row: int, job: Job) -> Iterable[Operation]:
        """Return the operations of the job in row `row`, and set the job's quantities and dates."""
        variants = self._routings[self._family(job)]
        steps = variants[job.serial % len(variants)]
        if not job.open:
            return _past(row, job, steps, self._calendar)
        if falls(job.serial, 29, 5):
            return ()
        return self._planned(row, job, self._touched(job, steps))

    def _family(self, job: Job) -> str:
        return self._items.rows[job.item_row].family if job.item_row >= 0 else "FB"

    def _touched(self, job: Job, steps: tuple[Step, ...]) -> list[Step]:
        """Return the job's own copy of a routing: with an inserted operation or a lost work center."""
        own = list(steps)
        if falls(job.serial, 17, 6):
            own[1] = own[1]._replace(wc=LOST_CENTER)
        if falls(job.serial, 13, 1):
            own[-1] = own[-1]._replace(wc=own[-1].wc + " ")
        if falls(job.serial, 21, 2):
            own.insert(1, own[0]._replace(oper=15, setup=0.25))
        return own

    def _planned(self, row: int, job: Job, steps: list[Step]) -> Iterator[Operation]:
        dice = self._dice
        flows, current = _flows(job, len(steps), dice)
        spans = _spans(job, steps)
        shift, late = self._shift(job, current, spans)
        job.complete, job.scrapped = flows[-1].complete or 0.0, sum(flow.scrapped or 0.0 for flow in flows)
        work = self._calendar.work
        stamps: list[tuple[str | None, str | None]] = [(work(shift + s), work(shift + e)) for s, e in spans]
        _date_job(job, stamps, self._calendar.clock(shift) // MINUTES_A_DAY, dice)
        _lose_dates(job, stamps, dice, late=late)
        for step, flow, (start, end) in zip(steps, flows, stamps, strict=True):
            hours = float(dice.randrange(2, 24)) if chance(dice, 0.06) else 0.0
            yield Operation(row, step, flow, dice.choice(self._efficiencies), start, end, hours)

    def _shift(self, job: Job, current: int, spans: list[tuple[int, int]]) -> tuple[int, bool]:
        """Return the working minute at which the job's first operation starts, and whether it is late."""
        dice, now = self._dice, self._calendar.work_now
        if job.stat == "F":
            return now + dice.randrange(2 * SHIFT_MINUTES, 40 * SHIFT_MINUTES), False
        late = "wholly" if job.stat == "S" else self._pace.next(len(spans) - current, dice)
        if late == "wholly" or current == len(spans):
            return now - spans[-1][1] - dice.randrange(60, 8 * SHIFT_MINUTES), True
        if late == "partly":
            last = dice.randrange(current, len(spans) - 1)
            self._pace.late += last - current + 1
            return now - spans[last][1] - dice.randrange(30, spans[last + 1][1] - spans[last][1]), True
        start, end = spans[current]
        if current == 0 and job.progress == "untouched":
            return now + dice.randrange(-(end // 2), 12 * SHIFT_MINUTES), False
        return now - start - dice.randrange(end - start), False


def _routings(plan: Blueprint) -> Iterator[tuple[str, list[tuple[Step, ...]]]]:
    """Yield, per product family, a few routings over the plant's work centers."""
    dice = plan.dice("routings")
    centers: dict[str, list[tuple[str, Center]]] = {}
    for code, (_, center) in center_codes(plan.scale.work_centers).items():
        centers.setdefault(center.code, []).append((code, center))
    for (family, (_, codes)), weight in zip(MADE.items(), MADE_WEIGHTS, strict=True):
        yield family, [tuple(_steps(codes, centers, dice)) for _ in range(weight * 2)]


def _steps(codes: tuple[str, ...], centers: dict[str, list[tuple[str, Center]]], dice: Random) -> Iterator[Step]:
    for n, code in enumerate(codes):
        wc, center = dice.choice(centers[code])
        setup = round(center.setup * dice.choice((0.5, 1.0, 1.5)), 2)
        run = round(center.run * dice.choice((0.5, 0.8, 1.0, 1.25, 2.0)), 4)
        labor, machine = (run, 0.0) if center.driver == "L" else (0.0, run)
        yield Step(10 * (n + 1), wc, center.driver, setup, labor, machine, center.outside)


def _spans(job: Job, steps: list[Step]) -> list[tuple[int, int]]:
    """Return start and end of each operation in working minutes after the job's start."""
    spans, clock = [], 0
    for step in steps:
        length = max(int(60 * min(step.setup + job.qty * step.run, _LONGEST)), 15)
        spans.append((clock, clock + length))
        clock += length + _QUEUE
    return spans


def _flows(job: Job, count: int, dice: Random) -> tuple[list[Flow], int]:
    """Return the quantities at each operation, and which operation is the current one."""
    if job.progress == "untouched":
        return [_blank(dice) for _ in range(count)], 0
    current = {"working": dice.randrange(count - 1), "ending": count - 1, "done": count}[job.progress]
    scrappy = set(dice.sample(range(current), min(current, 2))) if chance(dice, 0.4) else set()
    flows, here = [], job.qty
    for n in range(current):
        lost = float(max(1, round(here * 0.02))) if n in scrappy and here >= _ENOUGH_TO_SCRAP else 0.0
        flows.append(Flow(here, here - lost, lost, here - lost, 1))
        here -= lost
    if current < count:
        good = float(dice.randrange(int(here) + 1))
        moved = good if current == count - 1 else float(dice.randrange(int(good) + 1))
        flows.append(Flow(here, good, 0.0, moved, 0))
        flows += [Flow(moved)] if current + 1 < count else []
    flows += [_blank(dice) for _ in range(count - len(flows))]
    return flows, current


def _blank(dice: Random) -> Flow:
    """Return an operation nothing has reached: zeros, or the nulls that imports leave."""
    closed = None if chance(dice, 0.15) else 0
    if chance(dice, 0.25):
        return Flow(None, None, None, None, closed)
    return Flow(closed=closed)


def _date_job(job: Job, stamps: list[tuple[str | None, str | None]], start_day: int, dice: Random) -> None:
    job.start, job.end = stamps[0][0], stamps[-1][1]
    job.priority = 1000 + dice.randrange(-200, 60)
    job.day = min(start_day, 0) - dice.randrange(1, 20)
    if falls(job.serial, 60, 12):
        job.end = NO_DATE


def _lose_dates(job: Job, stamps: list[tuple[str | None, str | None]], dice: Random, *, late: bool) -> None:
    """Leave some jobs and some operations unscheduled, and one kind with a date that means none."""
    if falls(job.serial, 60, 10):
        stamps[:] = [(None, None)] * len(stamps)
        job.start = job.end = None
    elif falls(job.serial, 60, 12) and not late:
        stamps[-1] = (stamps[-1][0], NO_DATE)
    elif chance(dice, 0.04):
        stamps[dice.randrange(len(stamps))] = (None, None)


def _past(row: int, job: Job, steps: tuple[Step, ...], calendar: Calendar) -> Iterator[Operation]:
    """Yield the operations of a closed job, or of one that is never worked on."""
    if job.type != "J":
        for step in steps:
            yield Operation(row, step, Flow(), 100.0, None, None, 0.0)
        return
    job.complete = job.qty
    flow = Flow(job.qty, job.qty, 0.0, job.qty, 1)
    first = (job.day * WORK_DAYS // 7 + 4) * SHIFT_MINUTES + 60
    for n, step in enumerate(steps):
        start = first + n * SHIFT_MINUTES
        yield Operation(row, step, flow, 100.0, calendar.work(start), calendar.work(start + 480), 0.0)
    job.start, job.end = calendar.work(first), calendar.work(first + (len(steps) - 1) * SHIFT_MINUTES + 480)
