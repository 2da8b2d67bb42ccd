"""A mock of Compass, the query service of the data lake: every page is the same hundred thousand rows of CSV.

A process of its own, which prints its port. Pages come after the latency, everything else at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping
from decimal import Decimal

import uvloop

from benchmarks.mock_erp import Connection, response, serve
from benchmarks.mock_rows import TOKEN
from kai_erp.connectors.schedule_sql import SCHEDULE_COLUMNS
from kai_erp.core.types import PropertyType

PAGE_ROWS = 100_000
SCHEDULE_ROWS = 20_000
"""Rows of a page of the schedule, which has more columns: some 10 MB, the most that the lake gives."""
COLUMNS = ("job", "suffix", "item", "qty_released", "qty_complete", "unit_cost", "complete", "start_date")
PAGE_QUANTITY = sum(index % 1000 for index in range(PAGE_ROWS))
"""The sum of `qty_released` over a page."""


def line(index: int) -> str:
    """Return a row as CSV."""
    day = f"2026-{1 + index % 12:02}-{1 + index % 28:02}"
    return (
        f"J{index:09},0,FG-{index % 20_000:07},{Decimal(index % 1000)}.000000000000000,{index % 50}.0,"
        f"{index % 900}.123456780000000,{index % 2},{day}T07:30:00.000Z\n"
    )


def page(rows: int) -> bytes:
    """Return a page of so many rows."""
    return (",".join(COLUMNS) + "\n" + "".join(map(line, range(rows)))).encode()


def schedule_page(rows: int) -> bytes:
    """Return a page of so many facts of the schedule."""
    kinds = {prop.name: prop.type for prop in SCHEDULE_COLUMNS}
    lines = (",".join(_fact(name, kind, index) for name, kind in kinds.items()) for index in range(rows))
    return (",".join(kinds) + "\n" + "".join(f"{text}\n" for text in lines)).encode()


def _fact(name: str, kind: PropertyType, index: int) -> str:
    """Return a cell of the schedule: of released jobs."""
    if name in {"job_type", "job_stat"}:
        return "J" if name == "job_type" else "R"
    match kind:
        case PropertyType.DECIMAL:
            return f"{100 + index % 900 if name == 'qty_released' else index % 50}.000000000000000"
        case PropertyType.INTEGER:
            return str(10 * (index % 3 + 1)) if name == "operation_num" else "0"
        case PropertyType.FLAG:
            return "0" if name == "closed" else "1"
        case PropertyType.DATETIME:
            return f"2026-{1 + index % 12:02}-{1 + index % 28:02}T07:30:00.000Z"
        case _:
            return f"J{index // 3:09}" if name == "job" else f"{name[:4]}-{index % 5000}"


class MockLake:
    """Jobs that are always finished, named after what they give: `rows`, `schedule`, or the lake's `clock`."""

    def __init__(self, pages: int, latency: float) -> None:
        self._count, self._latency = pages, latency
        self._made: dict[tuple[str, int], bytes] = {}

    def answer(self, target: str, body: bytes) -> tuple[float, bytes]:
        """Return after how many seconds to answer, and the answer."""
        if target.endswith("/jobs/"):
            return 0, _told(queryId=_job(body), status="RUNNING")
        job = target.partition("/jobs/")[2].partition("/")[0]
        if "/result/" in target:
            offset, limit = (
                int(target.partition(f"{name}=")[2].partition("&")[0]) for name in ("offset", "limit")
            )
            rows = max(0, min(limit, self._rows(job) - offset))
            return 0 if job == "clock" else self._latency, self._page(job, rows)
        if "/status/" in target:
            return 0, _told(status="FINISHED", rowCount=self._rows(job))
        return 0, _told(access_token=TOKEN, token_type="Bearer", expires_in=7200)  # noqa: S106  # none

    def _rows(self, job: str) -> int:
        pages = {"clock": 1, "rows": self._count * PAGE_ROWS, "schedule": self._count * SCHEDULE_ROWS}
        return pages[job]

    def _page(self, job: str, rows: int) -> bytes:
        if (job, rows) not in self._made:
            self._made[job, rows] = response(_MAKERS[job](rows), "text/csv")
        return self._made[job, rows]


def _clock(rows: int) -> bytes:
    return ("visible,changed\n" + "2026-11-02T07:15:00.000Z,2026-11-02T07:10:00.000Z\n" * rows).encode()


_MAKERS: Mapping[str, Callable[[int], bytes]] = {
    "clock": _clock,
    "rows": page,
    "schedule": schedule_page,
}


def _job(sql: bytes) -> str:
    if b"lastmodified" in sql:
        return "clock"
    return "schedule" if b"job_due" in sql else "rows"


def _told(**members: object) -> bytes:
    return response(json.dumps(members).encode())


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=12)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    asked = parser.parse_args()
    mock = MockLake(asked.pages, asked.latency_ms / 1000)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(lambda: Connection(mock)))


if __name__ == "__main__":
    main()
