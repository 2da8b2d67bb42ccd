"""Run as a program, this reads two million rows and prints their sum and by how many MB the process grew."""

import asyncio
import resource
import subprocess
import sys
from pathlib import Path

import httpx2
import pyarrow.compute as pc

from kai_erp.core.types import Property, PropertyType
from tests.test_core.lake_fakes import engine_of

ROOT = Path(__file__).parents[2]
ROWS, PAGE = 2_000_000, 100_000
HEADER = b"number,item,description,qty,due\n"
TAIL = b",     ITEM-42,a description of some length,12.500000000000000,2026-05-20T09:30:00.000Z\n"
FIRST_PAGE = b"".join(b"@%05d%b" % (number, TAIL) for number in range(PAGE))
COLUMNS = (
    Property("number", PropertyType.INTEGER),
    Property("item", PropertyType.KEY),
    Property("description"),
    Property("qty", PropertyType.DECIMAL),
    Property("due", PropertyType.DATETIME),
)


async def upstream(request: httpx2.Request) -> httpx2.Response:
    if request.method == "POST":
        return httpx2.Response(202, json={"queryId": "q"})
    if request.url.path.endswith("/status/"):
        return httpx2.Response(201, json={"status": "FINISHED", "rowCount": ROWS})
    start, rows = (int(request.url.params[name]) for name in ("offset", "limit"))
    if rows != PAGE:
        raise AssertionError(rows)
    return httpx2.Response(200, content=HEADER + FIRST_PAGE.replace(b"@", b"%d" % (start // PAGE)))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure() -> None:
    total = 0
    async with engine_of(upstream, page_rows=PAGE) as engine:
        before = peak_mb()
        async for page in engine.pages("SELECT", COLUMNS):
            total += pc.sum(page.column("number")).as_py()
    sys.stdout.write(f"{total} {peak_mb() - before:.0f}\n")


def test_two_million_rows_pass_through_without_staying() -> None:
    program = [sys.executable, "-c", f"import asyncio; from {__name__} import measure; asyncio.run(measure())"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True, timeout=110)  # noqa: S603
    total, grown = done.stdout.split()
    assert int(total) == ROWS * (ROWS - 1) // 2
    assert float(grown) < 250.0


if __name__ == "__main__":
    asyncio.run(measure())
