"""An export that breaks off goes on from there, and never looks whole before it is."""

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kai_erp.config import Settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.errors import InvalidParameter, KaiErpError, UpstreamUnavailable
from kai_erp.exporting import Export, run_export, saved_rows
from kai_erp.exporting.parts import alone
from kai_erp.simulator import Answer, Fault, Plant, RunningSimulator
from tests.test_exporting.exporting import (
    answer_export,
    asked_bookmarks,
    in_order,
    job_export,
    jobs_of,
    read_back,
)

pytestmark = pytest.mark.usefixtures("without_waiting")
BROKEN = Answer(500)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"sl10_page_size": 100})


async def broken_off(export: Export, settings: Settings, simulator: RunningSimulator, page: int = 3) -> None:
    """Run an export that fails for good at a page."""
    fault = simulator.state.faults.add(Fault(BROKEN, on="SLJobs", page=page, times=None))
    with pytest.raises(UpstreamUnavailable):
        await run_export(export, settings)
    assert fault.fired > 1
    simulator.state.faults.clear()


@pytest.mark.parametrize("name", ["jobs.parquet", "jobs", "jobs.csv", "jobs.jsonl"])
async def test_a_walk_goes_on_after_the_last_page_and_gives_what_an_unbroken_one_gives(
    name: str, simulator: RunningSimulator, settings: Settings, plant: Plant, tmp_path: Path
) -> None:
    export = job_export(tmp_path / name)
    await broken_off(export, settings, simulator)
    assert not export.target.path.exists()
    assert saved_rows(export.target) == 200
    first = asked_bookmarks(simulator)
    assert len(first) == 2
    simulator.state.forget_requests()
    finished = await run_export(export, settings)
    assert not set(first) & set(asked_bookmarks(simulator))
    assert finished.earlier == 200
    assert not export.target.partial.exists()
    unbroken = job_export(tmp_path / f"unbroken-{name}")
    await run_export(unbroken, settings)
    if export.target.format == "parquet":
        assert read_back(export.target) == read_back(unbroken.target)
        assert in_order(read_back(export.target)) == jobs_of(plant)
    else:
        assert export.target.path.read_bytes() == unbroken.target.path.read_bytes()


async def test_a_walk_goes_on_as_often_as_it_breaks(
    simulator: RunningSimulator, settings: Settings, plant: Plant, tmp_path: Path
) -> None:
    export = job_export(tmp_path / "jobs")
    for page in (2, 4, 5):
        await broken_off(export, settings, simulator, page)
    await run_export(export, settings)
    assert in_order(read_back(export.target)) == jobs_of(plant)
    assert len(list(export.target.path.iterdir())) == 4


async def test_the_page_size_stays_what_it_was_under_a_bookmark(
    simulator: RunningSimulator, settings: Settings, plant: Plant, tmp_path: Path
) -> None:
    export = job_export(tmp_path / "jobs")
    await broken_off(export, settings, simulator)
    simulator.state.forget_requests()
    await run_export(export, settings.model_copy(update={"sl10_page_size": 70}))
    asked = {request.params["recordcap"] for request in simulator.state.requests if request.collection}
    assert asked == {"100"}
    assert in_order(read_back(export.target)) == jobs_of(plant)


async def test_a_bookmark_that_is_refused_later_starts_the_walk_again(
    simulator: RunningSimulator, settings: Settings, plant: Plant, tmp_path: Path
) -> None:
    export = job_export(tmp_path / "jobs.parquet")
    await broken_off(export, settings, simulator)
    expired = json.dumps({"Items": None, "Success": False, "Message": "The bookmark is not valid."})
    simulator.state.faults.add(Fault(Answer(200, body=expired), on="SLJobs", times=1))
    finished = await run_export(export, settings)
    assert finished.earlier == 0
    assert any("from the beginning" in remark for remark in finished.remarks)
    assert in_order(read_back(export.target)) == jobs_of(plant)


@pytest.mark.parametrize(
    "changed",
    [
        lambda export: replace(export, name="SLItems"),
        lambda export: answer_export("production_schedule", ScheduleQuery(), export.target.path),
        lambda export: replace(export, target=replace(export.target, format="csv")),
    ],
)
async def test_the_beginning_of_another_export_is_not_gone_on_with(
    changed: Callable[[Export], Export], simulator: RunningSimulator, settings: Settings, tmp_path: Path
) -> None:
    export = job_export(tmp_path / "jobs.parquet")
    await broken_off(export, settings, simulator)
    with pytest.raises(InvalidParameter, match="--restart"):
        await run_export(changed(export), settings)
    assert saved_rows(export.target) == 200
    finished = await run_export(replace(changed(export), restart=True), settings)
    assert finished.earlier == 0


async def test_what_was_read_of_an_answer_is_read_again(
    simulator: RunningSimulator, settings: Settings, tmp_path: Path
) -> None:
    export = answer_export("production_schedule", ScheduleQuery(), tmp_path / "schedule.parquet")
    simulator.state.faults.add(Fault(BROKEN, on="SLJobs", times=None))
    with pytest.raises(KaiErpError):
        await run_export(export, settings)
    simulator.state.faults.clear()
    assert saved_rows(export.target) is None
    finished = await run_export(export, settings)
    assert finished.rows > 100
    assert finished.earlier == 0


async def test_a_state_that_cannot_be_read_starts_again(
    simulator: RunningSimulator, settings: Settings, plant: Plant, tmp_path: Path
) -> None:
    export = job_export(tmp_path / "jobs.parquet")
    await broken_off(export, settings, simulator)
    (export.target.partial / "state.json").write_text('{"question"')
    finished = await run_export(export, settings)
    assert finished.earlier == 0
    assert in_order(read_back(export.target)) == jobs_of(plant)


async def test_what_grows_is_for_its_owner_alone_and_holds_no_secret(
    simulator: RunningSimulator, settings: Settings, tmp_path: Path
) -> None:
    export = job_export(tmp_path / "jobs.parquet")
    await broken_off(export, settings, simulator)
    state = export.target.partial / "state.json"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(export.target.partial.stat().st_mode) == 0o700
    options = simulator.state.options
    for secret in (options.client_secret, options.sask, options.password):
        assert secret not in state.read_text()


async def test_two_exports_do_not_write_one_target_at_once(settings: Settings, tmp_path: Path) -> None:
    export = job_export(tmp_path / "jobs.parquet")
    with alone(export.target), pytest.raises(InvalidParameter, match="just now"):
        await run_export(replace(export, restart=True), settings)
    finished = await run_export(export, settings)
    assert finished.rows > 1_000
