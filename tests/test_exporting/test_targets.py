"""Where an export may go, and what a disk that refuses leads to."""

import errno
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kai_erp.config import Settings
from kai_erp.connectors import OrdersQuery
from kai_erp.errors import InvalidParameter
from kai_erp.exporting import FileFormat, Target, run_export, saved_rows, sinks
from kai_erp.exporting.failures import CannotWrite
from kai_erp.simulator import Plant, RunningSimulator
from tests.test_exporting.exporting import answer_export, in_order, job_export, jobs_of, read_back


@pytest.mark.parametrize(
    ("to", "form", "expected"),
    [
        ("a.parquet", None, (FileFormat.PARQUET, False)),
        ("a.CSV", None, (FileFormat.CSV, False)),
        ("a.ndjson", None, (FileFormat.JSONL, False)),
        ("a.txt", FileFormat.CSV, (FileFormat.CSV, False)),
        ("a", FileFormat.JSONL, (FileFormat.JSONL, False)),
        ("a", None, (FileFormat.PARQUET, True)),
        ("a.b/", None, (FileFormat.PARQUET, True)),
    ],
)
def test_the_format_is_what_is_asked_for_or_what_the_name_ends_in(
    to: str, form: FileFormat | None, expected: tuple[FileFormat, bool], tmp_path: Path
) -> None:
    target = Target.of(f"{tmp_path}/{to}", form)
    assert (target.format, target.folder) == expected


def test_a_folder_that_exists_is_a_folder_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "year.2026").mkdir()
    assert Target.of(f"{tmp_path}/year.2026", None).folder


@pytest.mark.parametrize(("to", "form"), [("a.xlsx", None), ("a/", FileFormat.CSV)])
def test_what_cannot_be_written_is_refused(to: str, form: FileFormat | None, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter):
        Target.of(f"{tmp_path}/{to}", form)


@pytest.mark.parametrize("to", [".", "..", "/"])
def test_a_folder_without_a_name_of_its_own_is_refused(to: str) -> None:
    with pytest.raises(InvalidParameter, match="names no file"):
        Target.of(to, None)


async def test_a_file_that_exists_is_kept_unless_it_may_be_replaced(settings: Settings, tmp_path: Path) -> None:
    export = job_export(tmp_path / "jobs.csv")
    export.target.path.write_text("mine")
    with pytest.raises(InvalidParameter, match="--overwrite"):
        await run_export(export, settings)
    assert export.target.path.read_text() == "mine"
    await run_export(replace(export, overwrite=True), settings)
    assert export.target.path.read_text().startswith("Job,Suffix")


async def test_only_a_folder_that_an_export_wrote_is_replaced(
    settings: Settings, plant: Plant, tmp_path: Path
) -> None:
    (tmp_path / "jobs").mkdir()
    export = job_export(tmp_path / "jobs")
    await run_export(export, settings)
    with pytest.raises(InvalidParameter, match="--overwrite"):
        await run_export(export, settings)
    await run_export(replace(export, overwrite=True), settings)
    assert in_order(read_back(export.target)) == jobs_of(plant)
    (tmp_path / "jobs" / "thesis.txt").touch()
    with pytest.raises(InvalidParameter, match="no export wrote"):
        await run_export(replace(export, overwrite=True), settings)
    assert (tmp_path / "jobs" / "thesis.txt").exists()


async def test_a_folder_that_is_not_there_is_wrong_usage(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="there is no folder"):
        await run_export(job_export(tmp_path / "no" / "jobs.csv"), settings)


async def test_a_disk_that_is_full_is_told_and_what_was_read_is_not_lost(
    settings: Settings, plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = job_export(tmp_path / "jobs.parquet")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    with monkeypatch.context() as patch:
        patch.setattr(sinks, "_copy_row_groups", full)
        with pytest.raises(CannotWrite, match="No space left on device") as caught:
            await run_export(export, settings)
    assert "room" in caught.value.suggestion
    assert not export.target.path.exists()
    rows = saved_rows(export.target)
    assert rows is not None
    assert rows > 1_000
    finished = await run_export(export, settings)
    assert finished.earlier == rows
    assert in_order(read_back(export.target)) == jobs_of(plant)


async def test_a_part_that_cannot_be_written_leaves_nothing_that_looks_like_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = job_export(tmp_path / "jobs.parquet")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(CannotWrite):
        await run_export(export, settings)
    assert not list((export.target.partial / "parts").iterdir())
    assert not export.target.path.exists()


async def test_an_answer_that_only_could_not_be_written_is_as_of_when_it_was_read(
    settings: Settings, simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = answer_export("open_orders", OrdersQuery(), tmp_path / "orders.csv")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    read = datetime(2026, 5, 20, 12, tzinfo=UTC)
    with monkeypatch.context() as patch:
        patch.setattr("kai_erp.exporting.parts.join_parts", full)
        with pytest.raises(CannotWrite):
            await run_export(export, settings, now=lambda: read)
    simulator.state.forget_requests()
    finished = await run_export(export, settings, now=lambda: read + timedelta(hours=1))
    assert finished.as_of == read
    assert any("mixed_currencies" in remark for remark in finished.remarks)
    assert not simulator.state.requests
