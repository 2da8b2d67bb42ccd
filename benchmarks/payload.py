"""What an answer costs an assistant: the bytes of a tool call beside the same records as CSV and as plain JSON.

Run with `make bench`. A hundred operations of the simulated small plant, asked over MCP in memory.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mcp import Client
from mcp.types import TextContent

from kai_erp import formats
from kai_erp.app import App, Asked, open_app
from kai_erp.config import load_settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.demo import demo_settings
from kai_erp.logs import configure_logs
from kai_erp.mcp.server import KaiErpMcpServer

RECORDS = 100
RESULTS = Path(__file__).parent / "results" / "payload.json"


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes of one answer in each form."""

    text: int
    structured: int
    csv: int
    json: int

    def lines(self) -> list[str]:
        """Return the lines that are printed."""
        forms = {"CSV": self.csv, "text of the tool call": self.text, "structured content": self.structured}
        rows = [f"{name:24}{size:>9,} B{size / self.csv:>7.2f}" for name, size in forms.items()]
        return [*rows, f"{'JSON of the rows':24}{self.json:>9,} B{self.json / self.csv:>7.2f}"]


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


async def main() -> None:
    """Measure, print, and keep the result."""
    settings = load_settings()
    configure_logs(settings, quiet=True)
    with demo_settings(settings) as demo:
        async with open_app(demo, simulated=True) as app:
            payload = await measure(app)
    print(f"\n{RECORDS} operations over MCP, and what they are of CSV")
    print("\n".join(payload.lines()))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(asdict(payload), indent=2))


if __name__ == "__main__":
    asyncio.run(main())
