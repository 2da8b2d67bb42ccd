"""The MCP server over HTTP, on a socket, in the process of the REST server."""

import asyncio
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.types import PromptReference

from kai_erp.app import App, Asked
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import CustomerQuery
from kai_erp.simulator import SimulatorOptions
from tests.conftest import SettingsFor, Simulate
from tests.test_mcp.connecting import (
    CUSTOMERS,
    ERAS,
    ORDERS,
    SCHEDULE,
    VERSIONS,
    Era,
    Progress,
    ask,
    envelope,
    refused,
    served,
    until,
)

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}
CLIENTS, CALLS = 5, 10


async def hello(address: str, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.post(f"{address}/mcp", json=HELLO, headers=ACCEPT | headers)


async def test_everything_that_there_is_works_over_a_socket(settings: Settings, era: Era) -> None:
    told = Progress()
    async with served(settings) as address, Client(f"{address}/mcp", mode=era) as client:
        assert client.protocol_version == VERSIONS[era]
        assert len((await client.list_tools()).tools) >= 4
        first = envelope(await client.call_tool(SCHEDULE, {"limit": 40}, progress_callback=told))
        second = await ask(client, SCHEDULE, limit=40, cursor=first["meta"]["next_cursor"])
        assert "limit: 0 given" in refused(await client.call_tool(SCHEDULE, {"limit": 0}))
        assert len((await client.read_resource("kai-erp://connectors")).contents) == 1
        assert len((await client.get_prompt("shortage_check", {})).messages) == 1
        found = await client.complete(
            PromptReference(name="shop_floor_review"), {"name": "work_center", "value": "WEL"}
        )
    assert first["meta"]["total_count"] == second["meta"]["total_count"] > 80
    assert first["data"][-1] != second["data"][0]
    assert "SLJobRoutes" in told.messages[-1]
    assert found.completion.values == ["WELD"]


async def test_rest_and_mcp_share_one_app(settings: Settings, era: Era) -> None:
    async with served(settings) as address, httpx2.AsyncClient() as rest:
        first = (await rest.get(f"{address}/bedrock/schedule", params={"limit": "5"})).json()
        async with Client(f"{address}/mcp", mode=era) as client:
            second = await ask(client, SCHEDULE, limit=5, cursor=first["meta"]["next_cursor"])
    assert second["meta"]["as_of"] == first["meta"]["as_of"]
    assert second["data"] != first["data"]


async def test_a_call_that_is_broken_off_stops_the_reads_behind_it(
    simulate: Simulate, settings_for: SettingsFor, era: Era
) -> None:
    running = simulate(SimulatorOptions(latency_ms=50))
    settings = settings_for(running, sl10_max_concurrency=1)
    async with served(settings) as address, Client(f"{address}/mcp", mode=era) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, SCHEDULE, {})
            await until(lambda: len(running.state.requests) > 0)
            group.cancel_scope.cancel()
        await ask(client, CUSTOMERS, query="Alder", limit=1)
    read = [request.collection for request in running.state.requests]
    assert read[-1] == "SLCustAddrs"
    assert "SLJrtSchs" not in read


async def test_many_calls_of_several_clients_never_cross_answers(settings: Settings, app: App) -> None:
    numbers = await _some_numbers(app)
    assert len(numbers) == CLIENTS * CALLS
    shares = [numbers[start::CLIENTS] for start in range(CLIENTS)]

    async def one_client(address: str, number: int) -> list[dict[str, Any]]:
        async with Client(f"{address}/mcp", mode=ERAS[number % 2]) as client:
            return list(
                await asyncio.gather(*(ask(client, CUSTOMERS, query=customer) for customer in shares[number]))
            )

    async with served(settings) as address:
        answers = await asyncio.gather(*(one_client(address, number) for number in range(CLIENTS)))
    for own, bodies in zip(shares, answers, strict=True):
        assert [[record["customer_num"] for record in body["data"]] for body in bodies] == [
            [number] for number in own
        ]


async def _some_numbers(app: App) -> list[str]:
    answer = await app.ask(Asked("customer_search", CustomerQuery(query="a"), limit=CLIENTS * CALLS))
    return [str(number) for number in answer.records["customer_num"].to_pylist()]


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://6.6.6.6", "http://127.0.0.1.evil.example", "http://[::1", "file://"],
)
async def test_a_page_from_elsewhere_may_not_call(origin: str) -> None:
    async with served(load_settings()) as address:
        answer = await hello(address, Origin=origin)
    assert answer.status_code == 403


async def test_a_page_from_here_from_this_machine_or_from_an_allowed_origin_may_call() -> None:
    settings = load_settings({"cors_origins": "https://console.example"})
    async with served(settings) as address:
        for origin in (address, "http://localhost:6274", "https://console.example"):
            assert (await hello(address, Origin=origin)).status_code == 200
        assert (await hello(address)).status_code == 200


async def test_a_host_name_that_is_not_served_is_turned_away_before() -> None:
    async with served(load_settings()) as address:
        answer = await hello(address, Host="evil.example")
        assert (await hello(address, Host="192.168.1.5:8100")).status_code == 200
    assert answer.status_code == 421
    assert answer.json()["code"] == "wrong_host"


async def test_an_answer_carries_the_request_id_that_was_given() -> None:
    async with served(load_settings()) as address:
        answer = await hello(address, **{"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"


async def test_a_body_that_is_too_large_is_refused() -> None:
    async with served(load_settings({"max_body_bytes": 50})) as address:
        assert (await hello(address)).status_code == 413


async def test_without_an_erp_the_calls_say_what_to_set(era: Era) -> None:
    async with served(load_settings()) as address, Client(f"{address}/mcp", mode=era) as client:
        assert "SL10_IONAPI_FILE" in refused(await client.call_tool(ORDERS, {}))
