"""The schedule that a simulated plant gives over HTTP is the one computed row by row from its raw data."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import App, Asked, open_app
from kai_erp.connectors import ScheduleQuery
from kai_erp.models import ScheduledOperation
from kai_erp.simulator import Plant, RunningSimulator, SimulatorOptions, build_plant
from tests.conftest import SCHEDULE_COLLECTIONS, SettingsFor, Simulate, schedule_rows
from tests.test_connectors.asking import Rows, Truth, ask, check, statuses, warnings

CHICAGO = ZoneInfo("America/Chicago")
SPELLINGS = (str.upper, str.lower, "  {} ".format)


@pytest.fixture
def truth(collections: Rows, now: datetime) -> Truth:
    return Truth(collections, now, CHICAGO)


def released_jobs(rows: Rows) -> list[str]:
    return [str(row["Job"]) for row in rows["SLJobs"] if (row["Type"], row["Stat"]) == ("J", "R")]


def work_centers(rows: Rows) -> list[str]:
    """Return every work center that a released operation is done in, each spelled in some way."""
    known = {str(row["Wc"]).strip() for row in rows["SLJobRoutes"] if (row["Type"], row["JobStat"]) == ("J", "R")}
    return [SPELLINGS[number % 3](name) for number, name in enumerate(sorted(known))]


def typed(job: str) -> Iterator[str]:
    """Yield a stored job number as people type it."""
    bare = job.strip()
    letters = bare.rstrip("0123456789")
    digits = bare.removeprefix(letters)
    yield from (job, bare, f" {bare.lower()}  ")
    if letters.isalpha():
        yield from (letters + digits.lstrip("0"), (letters + digits.lstrip("0")).lower(), letters + digits[1:])


@pytest.mark.parametrize("include_completed", [False, True])
async def test_the_whole_schedule_is_what_the_contract_promises(
    app: App, truth: Truth, include_completed: bool
) -> None:
    query = ScheduleQuery(include_completed=include_completed)
    answer = await ask(app, query)
    assert answer.records.num_rows > 300
    check(answer, query, truth)
    assert warnings(answer) == []


async def test_every_work_center_in_any_spelling_gives_its_operations(app: App, truth: Truth) -> None:
    for number, name in enumerate(work_centers(truth.rows)):
        query = ScheduleQuery(work_center=name, include_completed=number % 2 == 0)
        check(await ask(app, query), query, truth)


async def test_spelling_a_work_center_otherwise_changes_nothing(app: App) -> None:
    answers = [(await ask(app, ScheduleQuery(work_center=text))).records for text in ("WELD", " wElD   ")]
    assert answers[0].num_rows > 0
    assert all(answer == answers[0] for answer in answers)


async def test_jobs_are_found_as_people_type_them(app: App, truth: Truth) -> None:
    jobs = sorted(set(released_jobs(truth.rows)))
    chosen = [jobs[0], jobs[-1], *(job for job in jobs if "/" in job)]
    for text in dict.fromkeys(form for job in chosen for form in typed(job)):
        query = ScheduleQuery(job=text, include_completed=True)
        answer = await ask(app, query)
        assert answer.records.num_rows > 0
        check(answer, query, truth)


async def test_a_job_shows_its_open_operations_only_unless_asked(app: App, truth: Truth) -> None:
    for job in released_jobs(truth.rows)[::24]:
        query = ScheduleQuery(job=job)
        check(await ask(app, query), query, truth)


async def test_both_filters_together_narrow_to_what_both_let_through(app: App, truth: Truth) -> None:
    job = released_jobs(truth.rows)[0]
    for name in work_centers(truth.rows)[::4]:
        query = ScheduleQuery(work_center=name, job=job, include_completed=True)
        check(await ask(app, query), query, truth)


@pytest.mark.parametrize(
    "query",
    [
        ScheduleQuery(work_center="NOWHERE"),  # longer than the column
        ScheduleQuery(work_center="WELDX"),
        ScheduleQuery(job="no such job"),
        ScheduleQuery(job="J" + "9" * 40),
        ScheduleQuery(work_center="' OR 1=1 --"),
        ScheduleQuery(job="%"),
        ScheduleQuery(job='"'),
        ScheduleQuery(work_center="W_LD"),
        ScheduleQuery(work_center="*"),
    ],
)
async def test_what_matches_nothing_is_an_empty_answer_that_says_so(
    app: App, truth: Truth, query: ScheduleQuery
) -> None:
    answer = await ask(app, query)
    check(answer, query, truth)
    assert answer.records.num_rows == 0
    assert ("no_match", None) in warnings(answer)


async def test_a_mistyped_work_center_is_answered_with_the_nearest_ones(app: App) -> None:
    answer = await ask(app, ScheduleQuery(work_center="WELT"))
    assert "Nearest known work_center: WELD" in answer.meta.warnings[0].message


async def test_a_mistyped_job_is_answered_with_the_nearest_ones_seen(app: App, truth: Truth) -> None:
    await ask(app)
    job = next(text.strip() for text in released_jobs(truth.rows) if text.startswith("J00"))
    answer = await ask(app, ScheduleQuery(job=f"{job[:-1]}X"))
    assert "Nearest known job: " in answer.meta.warnings[0].message


@pytest.mark.parametrize("seed", [2, 3])
async def test_other_plants_give_their_own_schedules(
    seed: int,
    simulate: Simulate,
    settings_for: SettingsFor,
) -> None:
    wall_clock = datetime(2026, 11, 1, 6, 15)  # noqa: DTZ001  # the day on which clocks go back
    plant = build_plant("small", seed, wall_clock)
    moment = wall_clock.replace(tzinfo=CHICAGO).astimezone(UTC)
    truth = Truth(schedule_rows(plant), moment, CHICAGO)
    async with open_app(settings_for(simulate(of=plant)), now=lambda: moment) as app:
        for query in (
            ScheduleQuery(),
            ScheduleQuery(include_completed=True),
            ScheduleQuery(work_center="assy", include_completed=True),
            ScheduleQuery(job=released_jobs(truth.rows)[-1], include_completed=True),
        ):
            check(await ask(app, query), query, truth)


@pytest.mark.medium
async def test_a_medium_plant_behind_a_server_that_clamps_its_pages_is_read_to_the_end(
    medium_plant: Plant, simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    plant = medium_plant
    running = simulate(SimulatorOptions(max_cap=200), plant)
    truth = Truth(schedule_rows(plant), now, CHICAGO)
    settings = settings_for(running, sl10_query_timeout_seconds=120)
    async with open_app(settings, now=lambda: now) as app:
        query = ScheduleQuery(include_completed=True)
        answer = await ask(app, query)
        check(answer, query, truth)
    operations = next(read for read in answer.meta.upstream if read.collection == "SLJobRoutes")
    assert answer.records.num_rows > 2_000
    assert operations.pages > 10


async def test_reads_of_one_collection_are_reported_together(app: App, simulator: RunningSimulator) -> None:
    answer = await ask(app, ScheduleQuery(work_center="WELD"))
    sent = [request.collection for request in simulator.state.requests]
    assert {read.collection: read.pages for read in answer.meta.upstream} == {
        name: sent.count(name) for name in dict.fromkeys(sent)
    }
    assert set(statuses(answer).values()) == {"ok"}


async def test_every_record_is_a_scheduled_operation(app: App) -> None:
    answer = await ask(app, ScheduleQuery(include_completed=True))
    assert answer.records.column_names == list(ScheduledOperation.model_fields)
    for record in answer.records.to_pylist():
        ScheduledOperation.model_validate(record)


async def test_the_answer_is_as_old_as_its_oldest_part(app: App, now: datetime) -> None:
    answer = await ask(app, ScheduleQuery(work_center="WELD"))
    assert answer.meta.as_of == min(read.as_of for read in answer.meta.upstream) == now


async def test_progress_is_told_page_by_page(app: App) -> None:
    told: list[tuple[str, int]] = []
    asked = Asked("production_schedule", ScheduleQuery(work_center="WELD"))
    await app.ask(asked, lambda report: told.append((report.collection, report.rows)))
    assert {name for name, _ in told} == set(SCHEDULE_COLLECTIONS)
