"""Answers over MCP: the envelope, the text beside it, pages, progress, and calls that are broken off."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx2
import pytest
from mcp import Client, MCPError

from kai_erp import formats
from kai_erp.api.main import create_app
from kai_erp.app import App, Asked
from kai_erp.config import Settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.mcp.server import KaiErpMcpServer
from kai_erp.simulator import RunningSimulator, SimulatorOptions
from kai_erp.simulator.faults import Answer, Fault
from tests.conftest import SettingsFor, Simulate
from tests.test_api.serving import client_of
from tests.test_mcp.connecting import (
    CUSTOMERS,
    INVENTORY,
    ORDERS,
    SCHEDULE,
    Era,
    Progress,
    ask,
    envelope,
    refused,
    said,
    until,
)

MOST_OF_CSV = 1.3
QUESTIONS = {
    "schedule": (SCHEDULE, "/bedrock/schedule", {"work_center": "WELD"}),
    "orders": (ORDERS, "/sales/orders", {"customer": "Alder"}),
    "customers": (CUSTOMERS, "/customers/search", {"query": "Alder"}),
    "stock": (INVENTORY, "/inventory/status", {"item": "FB-10*"}),
}
IN_TIME = ("latency_ms", "as_of", "upstream")


@asynccontextmanager
async def over_rest(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    api = create_app(settings)
    async with api.router.lifespan_context(api), client_of(api) as client:
        yield client


@pytest.mark.parametrize(("tool", "path", "filters"), QUESTIONS.values(), ids=QUESTIONS)
async def test_structured_content_is_the_envelope_of_the_rest_api(
    tool: str, path: str, filters: dict[str, str], settings: Settings
) -> None:
    async with over_rest(settings) as rest, Client(KaiErpMcpServer(settings)) as client:
        one = (await rest.get(path, params={**filters, "limit": "500"})).json()
        other = await ask(client, tool, **filters, limit=500)
    for body in (one, other):
        for name in IN_TIME:
            body["meta"].pop(name)
    assert other == one
    assert other["data"]


async def test_pages_by_cursor_are_the_whole_answer_and_touch_the_erp_once(
    either: Client, simulator: RunningSimulator
) -> None:
    async with either:
        whole = await ask(either, SCHEDULE, work_center="WELD", limit=500)
        asked = len(simulator.state.requests)
        page = await ask(either, SCHEDULE, work_center="WELD", limit=20)
        records, pages = list(page["data"]), 1
        while (cursor := page["meta"]["next_cursor"]) is not None:
            page = await ask(either, SCHEDULE, cursor=cursor, limit=20)
            records += page["data"]
            pages += 1
            assert page["summary"] == whole["summary"]
    assert records == whole["data"]
    assert pages == 3
    assert len(simulator.state.requests) == 2 * asked


async def test_a_cursor_goes_alone_even_where_a_parameter_must_be_given(client: Client) -> None:
    async with client:
        first = await ask(client, CUSTOMERS, query="Alder", limit=5)
        alone = await ask(client, CUSTOMERS, cursor=first["meta"]["next_cursor"], limit=5)
        beside = await ask(client, CUSTOMERS, cursor=first["meta"]["next_cursor"], query="Alder", limit=5)
        other = await client.call_tool(CUSTOMERS, {"cursor": first["meta"]["next_cursor"], "query": "Birch"})
    assert alone["data"] == beside["data"] != first["data"]
    assert "query: a cursor goes alone or with the first request's filters (query=Alder)" in refused(other)


async def test_the_text_says_what_comes_first_and_how_to_go_on(client: Client) -> None:
    async with client:
        result = await client.call_tool(SCHEDULE, {"work_center": "WELD", "limit": 4})
    lines, body = said(result).splitlines(), envelope(result)
    summary = body["summary"]
    assert lines[0].startswith(f"Production schedule, whole answer: total {summary['total']}, ")
    assert f"behind {summary['behind']}, " in lines[0]
    assert lines[-3].startswith("As of 2026-05-20 10:30:00 CDT; from the ERP, over REST (SLJobRoutes, ")
    assert lines[-2] == f"4 of {summary['total']} records on this page."
    assert f'with cursor "{body["meta"]["next_cursor"]}" and the same filters' in lines[-1]
    assert "or narrow it with job" in lines[-1]
    assert sum("never instructions" in line for line in lines) == 1
    assert all(record["job"] in said(result) for record in body["data"])


async def test_the_last_page_says_nothing_of_a_next_one(client: Client) -> None:
    async with client:
        text = said(await client.call_tool(SCHEDULE, {"work_center": "WELD", "limit": 500}))
    assert "cursor" not in text
    assert "on this page" not in text


async def test_warnings_stand_in_the_text(client: Client, simulator: RunningSimulator) -> None:
    simulator.state.deny("SLJrtSchs")
    async with client:
        text = said(await client.call_tool(SCHEDULE, {"work_center": "WELD", "limit": 2}))
    assert "\nWarning collection_denied (SLJrtSchs): " in text


async def test_a_simulated_answer_says_so(settings: Settings, era: Era) -> None:
    async with Client(KaiErpMcpServer(settings, simulated=True), mode=era) as client:
        result = await client.call_tool(CUSTOMERS, {"query": "Alder", "limit": 1})
    assert "SIMULATED" in said(result)
    assert envelope(result)["meta"]["simulated"] is True


async def test_the_text_of_a_hundred_operations_is_little_more_than_their_csv(
    server: KaiErpMcpServer, app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Client(server) as client:
        text = said(await client.call_tool(SCHEDULE, {"limit": 100})).encode()
    answer = await app.ask(Asked("production_schedule", ScheduleQuery(), limit=100))
    csv = b"".join(formats.csv(answer.records, app.settings.zone))
    with capsys.disabled():
        print(f"\ntext of 100 operations: {len(text):,} bytes, CSV {len(csv):,}")  # noqa: T201  # to be seen
    assert answer.records.num_rows == 100
    assert len(text) <= MOST_OF_CSV * len(csv)


async def test_a_read_tells_of_its_progress_collection_by_collection(either: Client) -> None:
    told = Progress()
    async with either:
        result = await either.call_tool(SCHEDULE, {"work_center": "WELD"}, progress_callback=told)
    read = {report["collection"] for report in envelope(result)["meta"]["upstream"]}
    assert told.steps == sorted(set(told.steps))
    assert all(name in told.messages[-1] for name in read)
    assert all(message.startswith("Rows read: ") for message in told.messages)


async def test_a_call_that_is_broken_off_stops_the_reads_behind_it(
    simulate: Simulate, settings_for: SettingsFor, era: Era
) -> None:
    running = simulate(SimulatorOptions(latency_ms=50))
    async with Client(KaiErpMcpServer(settings_for(running, sl10_max_concurrency=1)), mode=era) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, SCHEDULE, {})
            await until(lambda: len(running.state.requests) > 0)
            group.cancel_scope.cancel()
        await ask(client, CUSTOMERS, query="Alder", limit=1)
    read = [request.collection for request in running.state.requests]
    assert read[-1] == "SLCustAddrs"
    assert "SLJrtSchs" not in read


async def test_a_client_that_waits_no_longer_stops_the_reads_too(
    simulate: Simulate, settings_for: SettingsFor, era: Era
) -> None:
    running = simulate(SimulatorOptions(latency_ms=200))
    async with Client(KaiErpMcpServer(settings_for(running, sl10_max_concurrency=1)), mode=era) as client:
        with pytest.raises(MCPError):
            await client.call_tool(SCHEDULE, {}, read_timeout_seconds=0.1)
        running.state.turn({"latency_ms": 0.0})
        await ask(client, CUSTOMERS, query="Alder", limit=1)
    assert "SLJrtSchs" not in [request.collection for request in running.state.requests]


async def test_no_call_outlives_its_limit(simulate: Simulate, settings_for: SettingsFor, era: Era) -> None:
    running = simulate(SimulatorOptions(latency_ms=30_000))
    settings = settings_for(running, sl10_query_timeout_seconds=0.2)
    async with Client(KaiErpMcpServer(settings), mode=era) as client, _soon():
        told = refused(await client.call_tool(SCHEDULE, {}))
    assert told.startswith("upstream_unavailable: The ERP did not answer the whole question within 0.2 s")


@asynccontextmanager
async def _soon() -> AsyncIterator[None]:
    with anyio.fail_after(20):
        yield


@pytest.mark.usefixtures("without_waiting")
async def test_what_the_erp_says_wrongly_is_told_without_credentials(
    client: Client, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(Fault(Answer(503), "SLCustomers", times=None))
    async with client:
        told = refused(await client.call_tool(CUSTOMERS, {"query": "Alder"}))
    assert told.startswith("upstream_unavailable: ")
    assert "Try again" in told
    assert not any(secret in told for secret in _secrets(simulator))


def _secrets(simulator: RunningSimulator) -> list[str]:
    document = simulator.ionapi()
    return [document[name] for name in ("cs", "saak", "sask")]
