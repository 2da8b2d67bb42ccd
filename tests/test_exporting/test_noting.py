"""What an export leaves behind for the auditor, and what it shares with other processes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kai_erp.config import Settings, load_settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.errors import NotConfigured, UpstreamUnavailable
from kai_erp.exporting import run_export
from kai_erp.simulator import Answer, Fault, RunningSimulator
from tests.conftest import SettingsFor
from tests.redis_server import RedisServer
from tests.test_exporting.exporting import answer_export, job_export


@pytest.mark.usefixtures("without_waiting")
async def test_each_run_leaves_a_line_without_data(
    simulator: RunningSimulator, settings_for: SettingsFor, tmp_path: Path
) -> None:
    log = tmp_path / "audit.log"
    settings = settings_for(simulator, audit_log=str(log))
    export = answer_export("production_schedule", ScheduleQuery(work_center="WELD"), tmp_path / "weld.csv")
    finished = await run_export(export, settings)
    simulator.state.faults.add(Fault(Answer(500), on="SLJobs", times=None))
    with pytest.raises(UpstreamUnavailable):
        await run_export(job_export(tmp_path / "jobs.csv"), settings)
    first, second = map(json.loads, log.read_text().splitlines())
    assert datetime.fromisoformat(first.pop("at")) <= datetime.now(UTC)
    assert first.pop("ms") > 0
    assert first == {
        "caller": None,
        "export": "production_schedule",
        "filters": {"work_center": "WELD"},
        "outcome": "answered",
        "source": "rest",
        "rows": finished.rows,
        "simulated": False,
    }
    assert (second["outcome"], second["rows"]) == ("upstream_unavailable", 0)


async def test_the_request_budget_is_that_of_all_replicas(
    simulator: RunningSimulator, settings_for: SettingsFor, redis_server: RedisServer, tmp_path: Path
) -> None:
    settings = settings_for(simulator, redis_url=redis_server.url)
    await run_export(job_export(tmp_path / "jobs.csv"), settings)
    with redis_server.client() as client:
        assert client.keys("*:budget:erp*")


async def test_progress_is_told_after_each_page(settings: Settings, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    narrow = settings.model_copy(update={"sl10_page_size": 500})
    finished = await run_export(job_export(tmp_path / "jobs.csv"), narrow, lambda *reached: told.append(reached))
    assert told == [(500, 1), (1_000, 2), (finished.rows, 3)]


async def test_without_an_erp_nothing_is_exported(tmp_path: Path) -> None:
    export = job_export(tmp_path / "jobs.csv")
    with pytest.raises(NotConfigured):
        await run_export(export, load_settings({}))
    assert not export.target.partial.exists()
