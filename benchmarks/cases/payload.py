"""What an answer costs an assistant: our tool beside CSV, and beside a SQL tool over a staged file."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent

from benchmarks.bars import Bar
from benchmarks.envs import NotInstalled, interpreter
from benchmarks.payload import measure
from benchmarks.plant import leading_to
from benchmarks.rivals.joined import COLLECTIONS, SQL
from benchmarks.turns import WrongAnswer
from kai_erp import formats
from kai_erp.app import App, Asked, open_app
from kai_erp.config import Settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.demo import plant_now
from kai_erp.logs import configure_logs
from kai_erp.mcp.server import KaiErpMcpServer
from kai_erp.simulator import build_plant, run_simulator
from kai_erp.simulator.plant import Plant

_CENTER = "WELD"
_LIMIT = 100
_STAGE = """
import sys, pathlib, duckdb
with duckdb.connect(sys.argv[1]) as connection:
    for file in pathlib.Path(sys.argv[2]).glob("*.parquet"):
        connection.execute(f"CREATE TABLE {file.stem} AS SELECT * FROM '{file}'")
"""
_WANTED = f"""
SELECT job, suffix, operation_num, work_center, item, item_description, qty_remaining, qty_here, hours,
    sched_start, sched_finish, job_due, order_num
FROM ({SQL}) WHERE upper(work_center) = '{_CENTER}' AND NOT (qty_released > 0 AND qty_remaining = 0)
"""  # noqa: S608  # our own words


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the tool's answer, of its records as CSV, and how many there are."""

    text: int
    csv: int
    rows: int


def payload(rounds: int) -> Sequence[Bar]:
    """Measure the bytes of answers; they are the same in every round."""
    del rounds
    plant = build_plant("small", 1, plant_now())
    with run_simulator(plant) as simulator, tempfile.TemporaryDirectory() as folder:
        settings = leading_to(simulator.ionapi(), Path(folder))
        configure_logs(settings, quiet=True)
        return asyncio.run(_bars(plant, settings))


async def _bars(plant: Plant, settings: Settings) -> Sequence[Bar]:
    async with open_app(settings, simulated=True) as app:
        hundred, ours = await measure(app), await _ours(app)
    bars = [
        Bar("100 operations over MCP: text of the call / CSV", 1.3, hundred.text / hundred.csv),
        Bar(
            f"operations at {_CENTER}, one call: its text / CSV",
            1.3,
            ours.text / ours.csv,
            note=f"{ours.text:,} B",
        ),
    ]
    name = f"operations at {_CENTER}: our text / what a SQL tool says"
    try:
        query, looks = await _theirs(plant, ours.rows)
    except NotInstalled as failure:
        return [*bars, Bar(name, 1.0, note=f"not installed: {failure}")]
    note = f"{ours.text:,} B in 1 call / {query:,} + {looks:,} B in {2 + len(COLLECTIONS)} calls"
    return [*bars, Bar(name, 1.0, ours.text / (query + looks), note=note)]


async def _ours(app: App) -> Sizes:
    """Return what the operations at a work center take."""
    answer = await app.ask(Asked("production_schedule", ScheduleQuery(work_center=_CENTER), limit=_LIMIT))
    async with Client(KaiErpMcpServer(app=app)) as client:
        result = await client.call_tool("get_production_schedule", {"work_center": _CENTER, "limit": _LIMIT})
    csv = sum(map(len, formats.csv(answer.records, app.settings.zone)))
    return Sizes(_bytes(result), csv, answer.records.num_rows)


async def _theirs(plant: Plant, rows: int) -> tuple[int, int]:
    """Return the bytes of the SQL tool's answer, and those of its tables' and columns' names before."""
    python = interpreter("motherduck")
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/staged.duckdb"
        for name in COLLECTIONS:
            pq.write_table(pa.Table.from_pylist(plant.rows(name)), f"{folder}/{name}.parquet")
        subprocess.run([python, "-c", _STAGE, file, folder], check=True)  # noqa: ASYNC221, S603  # nobody waits
        server = StdioServerParameters(
            command=str(python.with_name("mcp-server-motherduck")), args=["--db-path", file]
        )
        async with Client(server) as client:
            looks = _bytes(await client.call_tool("list_tables", {}))
            for name in COLLECTIONS:
                looks += _bytes(await client.call_tool("list_columns", {"table": name}))
            answer = await client.call_tool("execute_query", {"sql": _WANTED})
    found = json.loads(_text(answer))["rowCount"]
    if found != rows:
        raise WrongAnswer(f"the SQL tool finds {found} operations in place of {rows}")
    return _bytes(answer), looks


def _bytes(result: CallToolResult) -> int:
    return len(_text(result).encode())


def _text(result: CallToolResult) -> str:
    if result.is_error:
        raise WrongAnswer(str(result.content))
    return "".join(content.text for content in result.content if isinstance(content, TextContent))
