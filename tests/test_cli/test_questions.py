"""`kai-erp schedule`: one question on the terminal, in four formats."""

import csv
import io
import json
import socket
from pathlib import Path

import pytest

from kai_erp import __version__
from kai_erp.models import ScheduledOperation
from kai_erp.simulator import RunningSimulator
from tests.test_cli.commands import Run, run_process

asks = pytest.mark.usefixtures("tenant")


@asks
def test_a_table_shows_records_summary_and_provenance(run: Run) -> None:
    outcome = run("schedule", "--work-center", "WELD")
    assert outcome.code == 0
    assert outcome.out.splitlines()[0].strip() == "Production schedule"
    assert "total " in outcome.out
    assert "from the ERP over REST (SLJobRoutes, SLJobs" in outcome.out
    assert outcome.err == ""


@asks
def test_a_table_marks_each_status_with_a_sign_and_no_colour_when_it_is_no_terminal(run: Run) -> None:
    out = run("schedule", "--work-center", "WELD", "--include-completed").out
    assert "! behind" in out
    assert "✓ complete" in out
    assert "\x1b" not in out


@asks
def test_a_table_shows_50_records_unless_more_are_asked_for(run: Run) -> None:
    short, long = run("schedule").out, run("schedule", "--limit", "120").out
    assert "50 of " in short
    assert "--limit shows more" in short
    assert "120 of " in long


@asks
def test_json_is_the_envelope(run: Run) -> None:
    body = json.loads(run("schedule", "--format", "json").out)
    assert list(body) == ["data", "summary", "meta"]
    assert len(body["data"]) == body["summary"]["total"] == body["meta"]["total_count"] > 100
    assert body["meta"]["truncated"] is False
    assert body["meta"]["simulated"] is False


@asks
def test_json_lines_and_csv_are_the_records_of_the_envelope(run: Run) -> None:
    question = ("schedule", "--work-center", "ASSY", "--include-completed", "--format")
    data = json.loads(run(*question, "json").out)["data"]
    assert [json.loads(line) for line in run(*question, "jsonl").out.splitlines()] == data
    table = list(csv.DictReader(io.StringIO(run(*question, "csv").out)))
    assert list(table[0]) == list(ScheduledOperation.model_fields)
    assert [(row["job"], row["suffix"], row["operation_num"]) for row in table] == [
        (record["job"], str(record["suffix"]), str(record["operation_num"])) for record in data
    ]


@asks
def test_a_limit_cuts_records_and_says_so_on_stderr(run: Run) -> None:
    outcome = run("schedule", "--format", "jsonl", "--limit", "3")
    assert len(outcome.out.splitlines()) == 3
    assert outcome.err.startswith("3 of ")


@asks
@pytest.mark.parametrize("output", ["table", "json", "csv", "jsonl"])
def test_nothing_that_matches_is_an_answer_with_exit_code_0(run: Run, output: str) -> None:
    outcome = run("schedule", "--work-center", "WELT", "--format", output)
    assert outcome.code == 0
    assert "no_match" in outcome.out + outcome.err
    assert "Nearest known work_center: WELD" in outcome.out + outcome.err


@asks
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--work-centre", "WELD"), "No such option"),
        (("--format", "xml"), "'xml' is not one of"),
        (("--limit", "0"), "greater than or equal to 1"),
        (("--limit", "10001"), "less than or equal to 10000"),
        (("--limit", "many"), "valid integer"),
        (("--freshness", "now"), "'now' is not one of"),
        (("WELD",), "unexpected extra argument"),
    ],
)
def test_a_wrong_option_is_exit_code_2(run: Run, arguments: tuple[str, ...], reason: str) -> None:
    outcome = run("schedule", *arguments)
    assert outcome.code == 2
    assert reason in outcome.err
    assert "Traceback" not in outcome.err


@asks
@pytest.mark.parametrize("text", ["x" * 201, "a\x1bb", "a\nb"])
def test_a_text_that_no_surface_takes_is_exit_code_2(run: Run, text: str) -> None:
    outcome = run("schedule", "--job", text)
    assert outcome.code == 2
    assert outcome.line().startswith("kai-erp: --job: ")


@asks
def test_a_blank_filter_counts_as_absent(run: Run) -> None:
    body = json.loads(run("schedule", "--work-center", " ", "--format", "json").out)
    assert body["meta"]["filters_applied"] == {}


@asks
def test_a_denied_collection_fails_with_the_grant_to_ask_for(run: Run, simulator: RunningSimulator) -> None:
    simulator.state.deny("SLJobs")
    outcome = run("schedule")
    assert outcome.code == 1
    assert outcome.line().endswith("Ask the ERP administrator for Read privilege on the IDO SLJobs.")


@asks
def test_too_many_rows_fail_with_the_filters_that_help(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_PREFERRED_MAX", "1")
    monkeypatch.setenv("REST_HARD_MAX", "2")
    outcome = run("schedule")
    assert outcome.code == 1
    assert "Narrow it with work_center or job" in outcome.line()


@asks
@pytest.mark.usefixtures("without_waiting")
def test_an_erp_that_is_not_there_fails_in_one_line(
    run: Run, tmp_path: Path, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    file = tmp_path / "gone.ionapi"
    file.write_text(json.dumps(simulator.ionapi()).replace(simulator.base_url, f"http://127.0.0.1:{port}"))
    monkeypatch.setenv("SL10_IONAPI_FILE", str(file))
    outcome = run("schedule", "--format", "csv")
    assert outcome.code == 1
    failure = outcome.err.splitlines()[-1]
    assert failure.startswith("kai-erp: The token endpoint cannot be reached")
    assert "Traceback" not in outcome.err


def test_without_settings_it_says_in_one_line_what_to_set(run: Run) -> None:
    outcome = run("schedule")
    assert outcome.code == 2
    assert "SL10_IONAPI_FILE, SL10_CONFIG_NAME, SL10_TIMEZONE not set" in outcome.line()
    assert "--demo" in outcome.line()


def test_a_wrong_setting_is_exit_code_2_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REST_HARD_MAX", "few")
    outcome = run("schedule")
    assert outcome.code == 2
    assert outcome.line().startswith("kai-erp: REST_HARD_MAX is 'few', allowed is ")


def test_a_missing_ionapi_file_is_exit_code_2_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("IONAPI_FILE", "/none.ionapi"), ("CONFIG_NAME", "C"), ("TIMEZONE", "UTC")):
        monkeypatch.setenv(f"SL10_{name}", value)
    outcome = run("schedule")
    assert outcome.code == 2
    assert "cannot be read" in outcome.line()


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out == f"kai-erp {__version__}\n"


def test_without_arguments_the_help_lists_every_verb(run: Run) -> None:
    outcome = run()
    for verb in ("schedule", "serve", "simulate", "connectors"):
        assert verb in outcome.out + outcome.err
    assert outcome.code == 2


def test_the_help_of_a_question_lists_its_parameters(run: Run) -> None:
    out = run("schedule", "--help").out
    for option in (
        "--work-center",
        "--job",
        "--include-completed",
        "--format",
        "--limit",
        "--freshness",
        "--demo",
    ):
        assert option in out


def test_the_demo_answers_without_any_setting_and_says_so() -> None:
    outcome = run_process("schedule", "--demo", "--work-center", "WELD", "--format", "json")
    assert outcome.code == 0, outcome.err
    body = json.loads(outcome.out)
    assert body["meta"]["simulated"] is True
    assert {record["work_center"] for record in body["data"]} == {"WELD"}
