"""What an answer costs an assistant: the bytes of a tool call beside the same records as CSV and as plain JSON.

Run with `make bench`. A hundred operations of the simulated small plant, asked over MCP in memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from mcp import Client
from mcp.types import TextContent

from kai_erp import formats
from kai_erp.app import App, Asked
from kai_erp.connectors import ScheduleQuery
from kai_erp.mcp.server import KaiErpMcpServer

RECORDS = 100


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes of one answer in each form."""

    text: int
    structured: int
    csv: int
    json: int


async def measure(app: App) -> Payload:
    """Return the bytes of a hundred operations."""
    answer = await app.ask(Asked("production_schedule", ScheduleQuery(), limit=RECORDS))
    async with Client(KaiErpMcpServer(app=app)) as client:
        result = await client.call_tool("get_production_schedule", {"limit": RECORDS})
    (content,) = result.content
    if not isinstance(content, TextContent):
        raise TypeError("the answer is no text")
    zone = app.settings.zone
    return Payload(
        text=len(content.text.encode()),
        structured=len(json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":")).encode()),
        csv=sum(map(len, formats.csv(answer.records, zone))),
        json=len(json.dumps(formats.rows(answer.records, zone), ensure_ascii=False).encode()),
    )
