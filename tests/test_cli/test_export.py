"""`kai-erp export`: what it writes, what it says, and how it ends."""

import errno
import io
import json
import signal
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from kai_erp.cli.exporting import _progress, _size
from kai_erp.plugins import all_connectors
from kai_erp.simulator import Answer, Delay, Fault, RunningSimulator
from tests.test_cli.commands import Run, run_process, started
from tests.test_exporting.exporting import read_csv, read_json

asks = pytest.mark.usefixtures("tenant")


@asks
def test_a_collection_is_written_and_one_line_on_stderr_says_what(run: Run, tmp_path: Path) -> None:
    outcome = run("export", "SLJobs", "--to", str(tmp_path / "jobs.parquet"))
    assert outcome.code == 0
    rows = pq.read_metadata(tmp_path / "jobs.parquet").num_rows
    said = outcome.line()
    assert said.startswith(f"{rows:,} rows in {tmp_path / 'jobs.parquet'}, ")
    assert "from the ERP over REST, as of 20" in said
    assert "may be there twice" in said


@asks
def test_filters_are_options_as_they_are_of_the_question(run: Run, tmp_path: Path) -> None:
    arguments = ("--work-center", "WELD", "--include-completed")
    for name in ("schedule", "production_schedule"):
        assert run("export", name, *arguments, "--to", str(tmp_path / f"{name}.jsonl")).code == 0
        asked = run("schedule", *arguments, "--format", "jsonl").out
        assert read_json(tmp_path / f"{name}.jsonl") == [json.loads(line) for line in asked.splitlines()]


@asks
def test_csv_is_that_of_the_question(run: Run, tmp_path: Path) -> None:
    assert run("export", "orders", "--to", str(tmp_path / "orders.csv")).code == 0
    assert (tmp_path / "orders.csv").read_text() == run("orders", "--format", "csv").out


def test_the_demo_is_exported_without_settings(run: Run, tmp_path: Path) -> None:
    outcome = run("export", "SLWcs", "--demo", "--to", str(tmp_path / "centers.csv"))
    assert "(simulated)" in outcome.line()
    assert "WELD" in {row["Wc"] for row in read_csv(tmp_path / "centers.csv")}


def test_the_help_names_connectors_and_collections(run: Run) -> None:
    shown = run("export", "--help").out
    for connector in all_connectors():
        assert f"  {connector.verb} " in shown
    assert "  SLJobRoutes " in shown


@asks
@pytest.mark.parametrize(
    "arguments",
    [
        ("schedule",),
        ("schedule", "--to", "here.xlsx"),
        ("nothing", "--to", "here.csv"),
        ("customers", "--query", " ", "--to", "here.csv"),
        ("SLJobs", "--to", "nowhere/here.csv"),
        ("SLJobs", "--source", "lake", "--to", "here.csv"),
        ("SLJobs", "--work-center", "WELD", "--to", "here.csv"),
    ],
)
def test_wrong_usage_ends_with_2_and_writes_nothing(
    arguments: tuple[str, ...], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert run("export", *arguments).code == 2
    assert set(tmp_path.iterdir()) == before


@asks
def test_a_file_that_exists_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").touch()
    outcome = run("export", "SLJobs", "--to", str(tmp_path / "jobs.csv"))
    assert outcome.code == 2
    assert "--overwrite replaces it" in outcome.line()


@asks
@pytest.mark.usefixtures("without_waiting")
def test_a_failure_says_how_to_go_on(
    run: Run, simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SL10_PAGE_SIZE", "100")
    simulator.state.faults.add(Fault(Answer(500), on="SLJobs", page=3, times=None))
    command = ("export", "SLJobs", "--to", str(tmp_path / "jobs.csv"))
    outcome = run(*command)
    assert outcome.code == 1
    last = outcome.err.splitlines()[-1]
    assert f"200 rows are in {tmp_path / 'jobs.csv.partial'}; the same command goes on from there." in last
    simulator.state.faults.clear()
    assert "(200 of them from an earlier run)" in run(*command).line()


@asks
def test_a_full_disk_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kai_erp.exporting.parts.join_parts", full)
    outcome = run("export", "SLWcs", "--to", str(tmp_path / "centers.csv"))
    assert outcome.code == 1
    assert "No space left on device. Make room on the disk. " in outcome.line()


@asks
def test_an_interrupt_says_how_to_go_on_and_ends_with_130(
    simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SL10_PAGE_SIZE", "100")
    slow = simulator.state.faults.add(Fault(Delay(30), on="SLJobs", page=3, times=None))
    target = tmp_path / "jobs.csv"
    with started("export", "SLJobs", "--to", str(target)) as command:
        while not slow.fired:
            with pytest.raises(subprocess.TimeoutExpired):  # it goes on
                command.process.wait(0.02)
        assert command.stop(signal.SIGINT) == 130
        assert command.process.stderr is not None
        said = command.process.stderr.read()
    assert said == f"Stopped. 200 rows are in {target}.partial; the same command goes on from there.\n"
    assert not target.exists()
    simulator.state.faults.clear()
    finished = run_process("export", "SLJobs", "--to", str(target))
    assert "(200 of them from an earlier run)" in finished.line()
    assert "Traceback" not in finished.err


def test_a_terminal_shows_rows_pages_and_pace_and_nothing_else_does() -> None:
    terminal, file = (Console(file=io.StringIO(), force_terminal=shown, width=120) for shown in (True, False))
    for console in (terminal, file):
        with _progress(console, "SLJobs") as told:
            for page in (1, 2):
                if told:
                    told(1_000 * page, page)
    assert isinstance(terminal.file, io.StringIO)
    assert isinstance(file.file, io.StringIO)
    assert "SLJobs: 2,000 rows · 2 pages · " in terminal.file.getvalue()
    assert file.file.getvalue() == ""


def test_sizes_are_told_in_a_unit_that_fits() -> None:
    assert [_size(10.0**power) for power in (2, 3, 6, 10, 13)] == [
        "100 bytes",
        "1.0 kB",
        "1.0 MB",
        "10.0 GB",
        "10.0 TB",
    ]
