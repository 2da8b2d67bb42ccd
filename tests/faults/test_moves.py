"""Rows that move while a collection is walked: what did not move is there, once, and as it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import open_app
from kai_erp.connectors import ScheduleQuery
from kai_erp.core.keys import fold_key
from kai_erp.simulator import Fault, Move, Plant, RecordedRequest, RunningSimulator, build_plant, run_simulator
from kai_erp.simulator.service import prepare_load
from tests.conftest import WALL_CLOCK, ZONE, SettingsFor, schedule_rows
from tests.oracles.production_schedule import expected_schedule
from tests.test_connectors.asking import ask

QUERY = ScheduleQuery(work_center="WELD", include_completed=True)
PAGE_SIZE = 10
MOVES = {
    "deleted behind": Move(delete_served=4),
    "deleted ahead": Move(delete_ahead=4),
    "changed behind": Move(change_served=4),
    "changed ahead": Move(change_ahead=4),
    "inserted behind": Move(insert_behind=4),
    "inserted ahead": Move(insert_ahead=4),
    "all at once": Move(2, 3, 2, 3, 2, 3),
}
BY_JOB = ("SLJobRoutes", "SLJobs", "SLJrtSchs")
REQUIRED = ("SLJobRoutes", "SLJobs")
Record = dict[str, object]
Job = tuple[str, int]


@dataclass(frozen=True)
class Walked:
    """An answer in which rows moved, and the jobs of the rows that moved."""

    records: list[Record]
    moved_jobs: set[Job]


@dataclass(frozen=True)
class Moving:
    """A simulator whose rows may move, and the records while they do not."""

    simulator: RunningSimulator
    still: list[Record]


def _job(record: Record) -> Job:
    return fold_key(str(record["job"])), int(str(record["suffix"]))


def _operation(record: Record) -> tuple[Job, object]:
    return _job(record), record["operation_num"]


@pytest.fixture(scope="module")
def moving(now: datetime) -> Iterator[Moving]:
    """A plant of its own."""
    plant = build_plant("small", 1, WALL_CLOCK)
    rows, zone = schedule_rows(plant), ZoneInfo(ZONE)
    still = expected_schedule(rows, now=now, zone=zone, work_center="WELD", include_completed=True)
    with run_simulator(plant) as running:
        yield Moving(running, still.records)


def _moved(simulator: RunningSimulator, request: RecordedRequest, move: Move) -> Sequence[int]:
    """Return the rows that a move has moved on a first page; the simulator must have been put back."""
    load = prepare_load(simulator.state, simulator.plant, str(request.collection), request.params)
    rows = list(load.selections.find(load.scope, load.question).rows)
    page, ahead = rows[:PAGE_SIZE], rows[PAGE_SIZE:]
    unborn = {*page[: move.insert_behind], *(ahead[-move.insert_ahead :] if move.insert_ahead else ())}
    seen = [row for row in rows if row not in unborn]
    served, to_come = seen[:PAGE_SIZE], seen[PAGE_SIZE:]
    behind = served[: move.delete_served + move.change_served]
    return [*unborn, *behind, *to_come[: move.delete_ahead + move.change_ahead]]


def _jobs(plant: Plant, collection: str, rows: Sequence[int]) -> set[Job]:
    columns = plant.collections[collection].columns
    jobs, suffixes = (columns[name].wire(rows) for name in ("Job", "Suffix"))
    return {(fold_key(str(job)), int(str(suffix))) for job, suffix in zip(jobs, suffixes, strict=True)}


async def _walk(moving: Moving, settings_for: SettingsFor, on: str, move: Move, now: datetime) -> Walked:
    simulator, state = moving.simulator, moving.simulator.state
    state.requests.clear()
    fault = state.faults.add(Fault(move, on=on, page=1))
    async with open_app(settings_for(simulator, sl10_page_size=PAGE_SIZE), now=lambda: now) as app:
        answer = await ask(app, QUERY)
    assert fault.fired == 1
    state.faults.clear()
    jobs: set[Job] = set()
    (hit,) = [request for request in state.requests if request.fault is move]
    if on in BY_JOB:
        jobs = _jobs(simulator.plant, on, _moved(simulator, hit, move))
    return Walked(answer.records.to_pylist(), jobs)


@pytest.mark.parametrize("on", [*BY_JOB, "SLItems", "SLItemwhses", "SLWcs"])
@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
async def test_what_does_not_move_is_there_once_and_as_it_is(
    move: Move, on: str, moving: Moving, settings_for: SettingsFor, now: datetime
) -> None:
    walked = await _walk(moving, settings_for, on, move, now)
    operations = [_operation(record) for record in walked.records]
    before = {_operation(record) for record in moving.still}
    assert len(operations) == len(set(operations))
    assert set(operations) <= before
    if on not in REQUIRED:
        assert set(operations) == before
    if on in BY_JOB:
        apart = [record for record in moving.still if _job(record) not in walked.moved_jobs]
        assert [record for record in walked.records if _job(record) not in walked.moved_jobs] == apart
        assert 0 < len(apart) < len(before)


async def test_a_plant_that_stopped_moving_is_answered_in_full(
    moving: Moving, settings_for: SettingsFor, now: datetime
) -> None:
    await _walk(moving, settings_for, "SLJobRoutes", MOVES["all at once"], now)
    walked = await _walk(moving, settings_for, "SLItems", Move(change_served=1), now)
    assert walked.records == moving.still
