"""Access over `/mcp`: no message is answered without a good key, and scopes bind tools, lists and completions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import PromptReference

from kai_erp.access.keys import KeysFile
from kai_erp.config import Settings
from kai_erp.simulator import RunningSimulator
from tests.conftest import SettingsFor
from tests.test_mcp.connecting import (
    CUSTOMERS,
    ERAS,
    HELLO,
    INVENTORY,
    ORDERS,
    SCHEDULE,
    Era,
    ask,
    refused,
    served,
)

METHODS = (
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "nothing/of/the/kind",
)
TOOLS = {
    CUSTOMERS: "customers:read",
    ORDERS: "orders:read",
    INVENTORY: "inventory:read",
    SCHEDULE: "schedule:read",
}
ARGUMENTS: dict[str, dict[str, Any]] = {CUSTOMERS: {"query": "inc"}}


@pytest.fixture
def keys(tmp_path: Path) -> KeysFile:
    return KeysFile(tmp_path / "keys.json")


@pytest.fixture
async def address(settings_for: SettingsFor, simulator: RunningSimulator, keys: KeysFile) -> AsyncIterator[str]:
    closed: Settings = settings_for(simulator, api_keys_file=keys.path)
    async with served(closed) as opened:
        yield opened


def made(keys: KeysFile, name: str, *scopes: str) -> str:
    return keys.create(name, frozenset(scopes), datetime.now(UTC))


@asynccontextmanager
async def connected(address: str, key: str, era: Era = "auto") -> AsyncIterator[Client]:
    """Yield a client that presents a key as clients do."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http), mode=era) as client,
    ):
        yield client


@pytest.mark.parametrize("method", METHODS)
async def test_no_message_is_answered_without_a_good_key(address: str, method: str) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}
    accept = {"Accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient() as http:
        for headers in ({}, {"Authorization": "Bearer kai_made-up"}, {"Mcp-Session-Id": "made-up"}):
            response = await http.post(f"{address}/mcp", json=message, headers=accept | headers)
            assert response.status_code == 401
            assert response.json()["code"] == "auth_required"
            assert response.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("tool", TOOLS)
async def test_scopes_bind_the_tools(address: str, keys: KeysFile, tool: str, era: Era) -> None:
    async with connected(address, made(keys, "right", TOOLS[tool]), era) as client:
        assert [listed.name for listed in (await client.list_tools()).tools] == [tool]
        assert (await ask(client, tool, **ARGUMENTS.get(tool, {"limit": 1})))["meta"]["connector"]
        for other, scope in TOOLS.items():
            if other != tool:
                text = refused(await client.call_tool(other, ARGUMENTS.get(other, {})))
                assert text.startswith("forbidden: ")
                assert scope in text


async def test_completions_tell_no_value_that_the_scopes_hide(address: str, keys: KeysFile) -> None:
    prompt = PromptReference(name="shop_floor_review")
    async with connected(address, made(keys, "planner", "schedule:read")) as planner:
        await ask(planner, SCHEDULE)
        completed = await planner.complete(prompt, {"name": "work_center", "value": ""})
        assert "WELD" in completed.completion.values
    async with connected(address, made(keys, "sales", "orders:read", "customers:read")) as sales:
        completed = await sales.complete(prompt, {"name": "work_center", "value": ""})
        assert completed.completion.values == []


async def test_a_session_is_its_callers_only(address: str, keys: KeysFile) -> None:
    anna, bert = (made(keys, name, "*") for name in ("anna", "bert"))
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}
    async with httpx2.AsyncClient(headers=headers) as http:
        opened = await http.post(f"{address}/mcp", json=HELLO, headers={"X-API-Key": anna})
        session = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "Mcp-Protocol-Version": "2025-11-25"}
        mine = await http.post(f"{address}/mcp", json=listing, headers={"X-API-Key": anna, **session})
        assert mine.status_code == 200
        theirs = await http.post(f"{address}/mcp", json=listing, headers={"X-API-Key": bert, **session})
        assert theirs.status_code == 404


async def test_a_revoked_key_ends_a_connection_that_is_open(address: str, keys: KeysFile) -> None:
    async with connected(address, made(keys, "sales", "*")) as client:
        await ask(client, CUSTOMERS, query="inc")
        keys.revoke("sales", datetime.now(UTC))
        with pytest.raises(MCPError, match="error response"):
            await client.call_tool(CUSTOMERS, {"query": "inc"})
