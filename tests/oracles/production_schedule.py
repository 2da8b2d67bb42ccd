"""The production schedule, computed row by row in exact arithmetic.

It shares nothing with the product, so that the two can disagree. Readings of what the contract leaves open:
a text is trimmed of every kind of white space; a row with a blank or unreadable natural key is no row; the
keys of an operation are shown as its own row (not the job's) spells them; `work_centers` holds one spelling
per case-folded key, the first in the order of the answer, sorted by the folded key, blanks left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from decimal import Context, Decimal, localcontext
from fractions import Fraction
from math import floor
from typing import TypeAlias
from zoneinfo import ZoneInfo

from tests.oracles.wire import Row, code, dated, fold, integer, moment, number, quantity, text

Key: TypeAlias = tuple[str | int, ...]
Index: TypeAlias = dict[Key, Row]
Collections: TypeAlias = Mapping[str, Sequence[Row]]

NONE = Decimal(0)
JOB_WIDTHS = (10, 20)
NUMERIC_KEYS = frozenset({"Suffix", "OperNum"})
PLANNED_HOURS = ("SchedHrs", "SetupHrs", "RunLbrHrs", "RunMchHrs")


@dataclass(frozen=True, slots=True)
class ExpectedSchedule:
    """The whole answer: records in the contract's order, quantities as decimals."""

    records: list[dict[str, object]]
    summary: dict[str, object]


@dataclass(frozen=True, slots=True)
class Operation:
    """One record; its fields stand in the contract's order."""

    job: str
    suffix: int
    operation_num: int
    item: str | None
    item_description: str | None
    warehouse: str | None
    work_center: str | None
    work_center_description: str | None
    qty_released: Decimal
    qty_complete: Decimal
    qty_scrapped: Decimal
    qty_remaining: Decimal
    qty_here: Decimal
    pct_complete: Decimal
    hours_remaining: Decimal | None
    sched_start: datetime | None
    sched_finish: datetime | None
    status: str
    qty_on_hand: Decimal | None
    job_due: date | None
    priority: int | None
    customer_num: str | None
    order_num: str | None
    order_line: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What the scheduler says about one operation."""

    start: datetime | None
    finish: datetime | None
    fixed_hours: Decimal
    setup_hours: Decimal
    run_hours: Decimal


UNKNOWN = Plan(None, None, NONE, NONE, NONE)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one operation has come."""

    released: Decimal
    done: Decimal
    scrapped: Decimal
    remaining: Decimal
    complete: bool


@dataclass(frozen=True, slots=True)
class Plant:
    """The collections by natural key."""

    jobs: Index
    routes: Index
    schedules: Index
    items: Index
    stocks: Index
    centers: Index
    missing: frozenset[str]
    zone: ZoneInfo


def expected_schedule(
    rows: Collections,
    *,
    now: datetime,
    zone: ZoneInfo,
    work_center: str | None = None,
    job: str | None = None,
    include_completed: bool = False,
    missing: frozenset[str] = frozenset(),
) -> ExpectedSchedule:
    """Return what the contract promises for raw wire `rows` of all six collections."""
    with localcontext(Context(prec=100)):
        plant = _plant(rows, missing, zone)
        answer = [
            operation
            for operation in _operations(plant, now)
            if _at(operation, work_center)
            and _of(operation, job)
            and (include_completed or operation.status != "complete")
        ]
        answer.sort(key=_place)
        return ExpectedSchedule([_record(operation) for operation in answer], _summary(answer))


def _plant(rows: Collections, missing: frozenset[str], zone: ZoneInfo) -> Plant:
    def index(collection: str, *names: str) -> Index:
        return _index(() if collection in missing else rows.get(collection, ()), names)

    return Plant(
        jobs=index("SLJobs", "Job", "Suffix"),
        routes=index("SLJobRoutes", "Job", "Suffix", "OperNum"),
        schedules=index("SLJrtSchs", "Job", "Suffix", "OperNum"),
        items=index("SLItems", "Item"),
        stocks=index("SLItemwhses", "Item", "Whse"),
        centers=index("SLWcs", "Wc"),
        missing=missing,
        zone=zone,
    )


def _index(rows: Sequence[Row], names: Sequence[str]) -> Index:
    found: Index = {}
    for row in rows:
        key = _key(row, names)
        if key is not None:
            found[key] = row
    return found


def _key(row: Row, names: Sequence[str]) -> Key | None:
    key: list[str | int] = []
    for name in names:
        part = integer(row, name) if name in NUMERIC_KEYS else code(row, name)
        if part is None:
            return None
        key.append(part)
    return tuple(key)


def _operations(plant: Plant, now: datetime) -> Iterator[Operation]:
    by_job: dict[Key, list[tuple[Key, Row]]] = {}
    for key, route in plant.routes.items():
        by_job.setdefault(key[:2], []).append((key, route))
    for job_key, job in plant.jobs.items():
        if code(job, "Type") != "j" or code(job, "Stat") != "r":
            continue
        lost = NONE
        for key, route in sorted(by_job.get(job_key, ()), key=lambda pair: pair[0]):
            lost += quantity(route, "QtyScrapped")
            yield _operation(plant, job, key, lost, now)


def _operation(plant: Plant, job: Row, key: Key, lost: Decimal, now: datetime) -> Operation:
    route = plant.routes[key]
    plan = _plan(plant, key)
    progress = _progress(job, route, lost)
    to_order = code(job, "OrdType") == "o"
    due = dated(moment(job, "JschEndDate", plant.zone))
    return Operation(
        job=text(route, "Job") or "",
        suffix=integer(route, "Suffix") or 0,
        operation_num=integer(route, "OperNum") or 0,
        item=text(job, "Item"),
        item_description=_item_description(plant, job, route),
        warehouse=text(job, "Whse"),
        work_center=text(route, "Wc"),
        work_center_description=_center_description(plant, route),
        qty_released=progress.released,
        qty_complete=progress.done,
        qty_scrapped=progress.scrapped,
        qty_remaining=progress.remaining,
        qty_here=max(NONE, quantity(route, "QtyReceived") - progress.done - progress.scrapped),
        pct_complete=_percent(progress),
        hours_remaining=_hours(progress, plan, route),
        sched_start=(plan or UNKNOWN).start,
        sched_finish=(plan or UNKNOWN).finish,
        status=_status(progress, (plan or UNKNOWN).finish, now),
        qty_on_hand=_on_hand(plant, job),
        job_due=due.date() if due else None,
        priority=integer(job, "JschPriority"),
        customer_num=text(job, "CustNum"),
        order_num=text(job, "OrdNum") if to_order else None,
        order_line=integer(job, "OrdLine") if to_order else None,
    )


def _plan(plant: Plant, key: Key) -> Plan | None:
    if "SLJrtSchs" in plant.missing:
        return _read_plan(plant.routes[key], "Jsh", plant.zone)
    row = plant.schedules.get(key)
    return None if row is None else _read_plan(row, "", plant.zone)


def _read_plan(row: Row, prefix: str, zone: ZoneInfo) -> Plan | None:
    start, finish = (moment(row, f"{prefix}{name}", zone) for name in ("StartDate", "EndDate"))
    driver = code(row, f"{prefix}SchedDrv")
    hours = {name: number(row, f"{prefix}{name}") for name in PLANNED_HOURS}
    if prefix and all(value is None for value in (start, finish, driver, *hours.values())):
        return None
    return Plan(
        start=dated(start),
        finish=dated(finish),
        fixed_hours=hours["SchedHrs"] or NONE,
        setup_hours=hours["SetupHrs"] or NONE,
        run_hours=hours["RunMchHrs" if driver == "m" else "RunLbrHrs"] or NONE,
    )


def _progress(job: Row, route: Row, lost: Decimal) -> Progress:
    released, done = quantity(job, "QtyReleased"), quantity(route, "QtyComplete")
    closed = integer(route, "Complete") == 1
    remaining = NONE if closed else max(NONE, released - done - lost)
    return Progress(
        released=released,
        done=done,
        scrapped=quantity(route, "QtyScrapped"),
        remaining=remaining,
        complete=closed or (released > 0 and remaining == 0),
    )


def _percent(progress: Progress) -> Decimal:
    if progress.released == 0:
        return NONE
    share = Fraction(progress.done) / Fraction(progress.released) * 100
    return _half_up(min(max(share, Fraction(0)), Fraction(100)), 1)


def _hours(progress: Progress, plan: Plan | None, route: Row) -> Decimal | None:
    if progress.complete or progress.released <= 0:
        return NONE
    if plan is None:
        return None
    remaining = Fraction(progress.remaining)
    if plan.fixed_hours > 0:
        return _half_up(Fraction(plan.fixed_hours) * remaining / Fraction(progress.released), 2)
    setup = NONE if quantity(route, "SetupHrsT") > 0 else plan.setup_hours
    efficiency = Fraction(quantity(route, "Efficiency") or 100) / 100
    return _half_up(Fraction(setup) + remaining * Fraction(plan.run_hours) / efficiency, 2)


def _half_up(value: Fraction, places: int) -> Decimal:
    """Return `value` rounded to `places`, a half away from zero."""
    size = floor(abs(value) * 10**places + Fraction(1, 2))
    return Decimal(size if value >= 0 else -size).scaleb(-places)


def _status(progress: Progress, finish: datetime | None, now: datetime) -> str:
    if progress.complete:
        return "complete"
    if finish is None:
        return "unknown"
    # In one and the same zone Python compares wall clocks, not instants.
    return "behind" if finish.astimezone(UTC) < now.astimezone(UTC) else "on_track"


def _item_description(plant: Plant, job: Row, route: Row) -> str | None:
    if "SLItems" in plant.missing:
        return text(route, "ItmDescription")
    return _description(plant.items, _key(job, ["Item"]))


def _center_description(plant: Plant, route: Row) -> str | None:
    if "SLWcs" in plant.missing:
        return text(route, "WcDescription")
    return _description(plant.centers, _key(route, ["Wc"]))


def _description(index: Index, key: Key | None) -> str | None:
    return None if key is None else text(index.get(key, {}), "Description")


def _on_hand(plant: Plant, job: Row) -> Decimal | None:
    key = _key(job, ["Item", "Whse"])
    row = None if key is None else plant.stocks.get(key)
    return None if row is None else quantity(row, "QtyOnHand")


def _at(operation: Operation, wanted: str | None) -> bool:
    return not fold(wanted or "") or fold(operation.work_center or "") == fold(wanted or "")


def _of(operation: Operation, wanted: str | None) -> bool:
    typed = fold(wanted or "")
    return not typed or fold(operation.job) in {typed, *_zero_filled(typed)}


def _zero_filled(typed: str) -> Iterator[str]:
    """Yield the stored forms of a key typed short: letters, then digits filled up to the column's width."""
    prefix = typed.rstrip("0123456789")
    digits = typed[len(prefix) :]
    if prefix.isalpha() and digits:
        for width in JOB_WIDTHS:
            yield prefix + digits.zfill(width - len(prefix))


def _place(operation: Operation) -> tuple[bool, datetime, str, int, int]:
    """Return where an operation stands in the answer: by instant, undated ones last."""
    start = operation.sched_start
    instant = start.astimezone(UTC) if start else datetime.min.replace(tzinfo=UTC)
    return start is None, instant, fold(operation.job), operation.suffix, operation.operation_num


def _record(operation: Operation) -> dict[str, object]:
    return {field.name: getattr(operation, field.name) for field in fields(operation)}


def _summary(answer: Sequence[Operation]) -> dict[str, object]:
    statuses = [operation.status for operation in answer]
    centers: dict[str, str] = {}
    for operation in answer:
        if operation.work_center is not None:
            centers.setdefault(fold(operation.work_center), operation.work_center)
    return {
        "total": len(answer),
        "on_track": statuses.count("on_track"),
        "behind": statuses.count("behind"),
        "complete": statuses.count("complete"),
        "unknown": statuses.count("unknown"),
        "jobs": len({(fold(operation.job), operation.suffix) for operation in answer}),
        "hours_remaining": sum((operation.hours_remaining or NONE for operation in answer), NONE),
        "work_centers": [centers[key] for key in sorted(centers)],
    }
