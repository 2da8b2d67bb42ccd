"""What is written down of a question: in the audit log, in the metrics, as a span."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kai_erp.app import App, Asked, open_app
from kai_erp.callers import Caller
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import CustomerQuery, ScheduleQuery
from kai_erp.errors import Forbidden, UpstreamDenied
from kai_erp.simulator import RunningSimulator
from tests.conftest import SettingsFor
from tests.test_api.serving import serving

SALES = Caller("key:sales", frozenset({"customers:read"}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def audited(settings_for: SettingsFor, simulator: RunningSimulator, file: Path) -> Settings:
    return settings_for(simulator, audit_log=str(file))


@pytest.fixture
async def client(audited: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(audited) as opened:
        yield opened


def written(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(file).splitlines()]


async def test_a_question_is_one_line_that_says_who_asked_what_and_what_came_of_it(
    client: httpx2.AsyncClient, file: Path
) -> None:
    asked = await client.get(
        "/bedrock/schedule", params={"work_center": "WELD", "limit": 3}, headers={"X-Request-ID": "of-this-test"}
    )
    (line,) = lines(file)
    meta = asked.json()["meta"]
    assert line.pop("ms") > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("at"))
    assert line == {
        "request_id": "of-this-test",
        "caller": None,
        "connector": "production_schedule",
        "filters": {"work_center": "WELD"},
        "freshness": "realtime",
        "limit": 3,
        "outcome": "answered",
        "source": "rest",
        "as_of": meta["as_of"],
        "rows": 3,
        "total": meta["total_count"],
        "simulated": False,
        "cached": False,
        "warnings": [],
    }


async def test_a_page_is_a_line_of_its_own(client: httpx2.AsyncClient, file: Path) -> None:
    first = (await client.get("/bedrock/schedule", params={"limit": 3})).json()
    await client.get("/bedrock/schedule", params={"cursor": first["meta"]["next_cursor"], "limit": 2})
    assert [(line["outcome"], line["rows"]) for line in lines(file)] == [("answered", 3), ("page", 2)]
    assert first["meta"]["next_cursor"] not in written(file)


async def test_no_data_is_written(client: httpx2.AsyncClient, file: Path) -> None:
    response = await client.get("/customers/search", params={"query": "inc", "active_only": "false"})
    text = written(file)
    for record in response.json()["data"]:
        shown = [record[name] for name in ("name", "email", "phone", "address_1")]
        shown.append(f'"{record["customer_num"]}"')  # as a value of its own: digits alone occur in times and ids
        assert not [value for value in shown if value and value in text]


async def test_a_failure_is_written_with_its_code(
    audited: Settings, simulator: RunningSimulator, file: Path
) -> None:
    simulator.state.deny("SLJobs")
    async with open_app(audited) as app:
        with pytest.raises(UpstreamDenied):
            await app.ask(Asked("production_schedule", ScheduleQuery()))
    (line,) = lines(file)
    assert line["outcome"] == "upstream_denied"
    assert "rows" not in line


async def test_what_a_caller_may_not_ask_is_written_too(audited: Settings, file: Path) -> None:
    async with open_app(audited) as app:
        with pytest.raises(Forbidden):
            await app.ask(Asked("production_schedule", ScheduleQuery(), caller=SALES))
        await app.ask(Asked("customer_search", CustomerQuery(query="inc"), caller=SALES))
    assert [(line["caller"], line["outcome"]) for line in lines(file)] == [
        ("key:sales", "forbidden"),
        ("key:sales", "answered"),
    ]


async def test_a_server_writes_to_stdout_when_asked_to(
    settings_for: SettingsFor, simulator: RunningSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(settings_for(simulator, audit_log="-")) as client:
        await client.get("/bedrock/schedule", params={"limit": 1})
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [json.loads(line)["connector"] for line in told] == ["production_schedule"]


async def test_questions_and_requests_are_counted(client: httpx2.AsyncClient) -> None:
    await client.get("/bedrock/schedule", params={"limit": 3})
    await client.get("/bedrock/schedule", params={"limit": 0})
    await client.get("/nowhere/at/all?secret=1")
    shown = await client.get("/metrics")
    assert shown.headers["content-type"].startswith("text/plain")
    count = numbers(shown.text)
    question = 'kai_erp_questions_total{connector="production_schedule",outcome="answered",source="rest"}'
    assert count[question] == 1
    assert count['kai_erp_http_requests_total{method="GET",route="/bedrock/schedule",status="200"}'] == 1
    assert count['kai_erp_http_requests_total{method="GET",route="/bedrock/schedule",status="422"}'] == 1
    assert count['kai_erp_http_requests_total{method="GET",route="other",status="404"}'] == 1
    assert "nowhere" not in shown.text
    assert count["kai_erp_kept_answers"] == 1
    assert count["kai_erp_kept_answers_bytes"] > 0
    assert count['kai_erp_question_seconds_count{connector="production_schedule"}'] == 1


async def test_metrics_of_two_apps_are_apart(app: App) -> None:
    async with open_app(load_settings()) as other:
        await app.ask(Asked("customer_search", CustomerQuery(query="inc")))
        assert b'connector="customer_search"' in app.metrics.exposed()
        assert b'connector="customer_search"' not in other.metrics.exposed()


def numbers(text: str) -> dict[str, float]:
    """Return every sample of an exposition."""
    samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in samples}
