"""The audit log: one line a question, whatever happens to the file."""

import json
import multiprocessing
from io import StringIO
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kai_erp.audit import AuditLog
from kai_erp.errors import InvalidSetting


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_lines_are_appended_to_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    for number in (1, 2):
        with AuditLog(str(file)) as audit:
            audit.write({"number": number, "text": 'a "quote"\nand a line'})
    assert [entry["number"] for entry in lines(file)] == [1, 2]
    assert lines(file)[0]["text"] == 'a "quote"\nand a line'


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    with AuditLog(str(file)):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    file, moved = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.1"
    with AuditLog(str(file)) as audit:
        audit.write({"number": 1})
        file.rename(moved)
        audit.write({"number": 2})
        audit.write({"number": 3})
        file.unlink()
        audit.write({"number": 4})
    assert [entry["number"] for entry in lines(moved)] == [1]
    assert [entry["number"] for entry in lines(file)] == [4]


def _write_many(path: str, writer: int) -> None:
    with AuditLog(path) as audit:
        for number in range(300):
            audit.write({"writer": writer, "number": number, "filler": "x" * 500})


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(str(file), writer)) for writer in range(2)]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
        assert process.exitcode == 0
    for writer in range(2):
        assert [entry["number"] for entry in lines(file) if entry["writer"] == writer] == list(range(300))


@pytest.mark.parametrize("name", ["missing/audit.jsonl", "."])
def test_a_file_that_cannot_be_opened_stops_the_start(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="AUDIT_LOG is '"):
        AuditLog(str(tmp_path / name))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_is_told_and_does_not_stop_answers() -> None:
    with AuditLog("/dev/full") as audit, capture_logs() as told:
        audit.write({"number": 1})
    assert [entry["event"] for entry in told] == ["the audit log cannot be written"]
    assert told[0]["log_level"] == "critical"


def test_a_dash_leads_to_the_stream_that_is_given() -> None:
    stream = StringIO()
    AuditLog("-", stream).write({"number": 1})
    assert json.loads(stream.getvalue()) == {"number": 1}


def test_without_a_target_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    with AuditLog(None) as audit:
        assert not audit.wanted
        audit.write({"number": 1})
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list open files")
def test_the_file_is_closed_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"

    def times_open() -> int:
        return sum(link.exists() and link.resolve() == file for link in Path("/proc/self/fd").iterdir())

    with AuditLog(str(file)) as audit:
        audit.write({})
        assert times_open() == 1
    assert times_open() == 0
