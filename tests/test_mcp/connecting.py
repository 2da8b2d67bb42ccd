"""Clients of the MCP server, in both eras of the protocol, and what they say of an answer."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn
from mcp import Client
from mcp.types import CallToolResult, TextContent, Tool

from kai_erp.api.main import create_app
from kai_erp.config import Settings

Era = Literal["auto", "legacy"]
ERAS: tuple[Era, ...] = ("auto", "legacy")
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
SCHEDULE, ORDERS = "get_production_schedule", "get_open_orders"
CUSTOMERS, INVENTORY = "search_customers", "get_inventory_status"
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": VERSIONS["legacy"],
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
"""What opens a session, for clients made by hand."""
Envelope = dict[str, Any]


def said(result: CallToolResult) -> str:
    """Return the text of a result."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def refused(result: CallToolResult) -> str:
    """Return the text of an error, after checking that it is one."""
    assert result.is_error
    assert result.structured_content is None
    return said(result)


def envelope(result: CallToolResult) -> Envelope:
    """Return the structured content of an answer, after checking that it is one."""
    assert not result.is_error, said(result)
    body: Envelope | None = result.structured_content
    assert body is not None
    return body


async def ask(client: Client, tool: str, **arguments: object) -> Envelope:
    return envelope(await client.call_tool(tool, arguments))


@dataclass(slots=True)
class Progress:
    """What a client is told while it waits."""

    steps: list[float] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        self.steps.append(progress)
        self.messages.append(message or "")


def sent(tools: list[Tool]) -> str:
    """Return definitions as they go over the wire."""
    made = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"))


async def until(condition: Callable[[], bool]) -> None:
    """Return when something that happens in another thread or process has happened."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # it has no event to wait for
            await asyncio.sleep(0)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[str]:
    """Serve REST and MCP on a socket of this machine, and yield the address."""
    config = uvicorn.Config(create_app(settings), log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        await asyncio.wait_for(server.ready.wait(), 20)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
