"""The way that anybody writes first: httpx in a loop, JSON to pandas to DuckDB to objects to JSON."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import httpx  # type: ignore[import-not-found,unused-ignore]
import pandas as pd

from benchmarks.rivals.joined import COLLECTIONS, params
from benchmarks.rivals.serving import serve

_DECIMALS = ("qty_released", "qty_complete", "qty_scrapped", "qty_received", "hours", "qty_on_hand")
_MOMENTS = ("sched_start", "sched_finish", "job_due")

JOIN = """
SELECT
    r.Job AS job, r.Suffix AS suffix, r.OperNum AS operation_num, j.Item AS item,
    i.Description AS item_description, j.Whse AS warehouse, trim(r.Wc) AS work_center,
    c.Description AS work_center_description,
    j.QtyReleased AS qty_released, r.QtyComplete AS qty_complete, r.QtyScrapped AS qty_scrapped,
    r.QtyReceived AS qty_received, s.RunLbrHrs AS hours, s.StartDate AS sched_start, s.EndDate AS sched_finish,
    w.QtyOnHand AS qty_on_hand, j.JschEndDate AS job_due, j.JschPriority AS priority, j.CustNum AS customer_num,
    j.OrdNum AS order_num, j.OrdLine AS order_line
FROM SLJobRoutes r
JOIN SLJobs j ON j.Job = r.Job AND j.Suffix = r.Suffix
LEFT JOIN SLJrtSchs s ON s.Job = r.Job AND s.Suffix = r.Suffix AND s.OperNum = r.OperNum
LEFT JOIN SLItems i ON i.Item = j.Item
LEFT JOIN SLItemwhses w ON w.Item = j.Item AND w.Whse = j.Whse
LEFT JOIN SLWcs c ON c.Wc = trim(r.Wc)
WHERE j.Type = 'J' AND j.Stat = 'R' AND r.Complete <> '1'
"""


def main() -> None:
    """Serve rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("--page-size", type=int, default=1000)
    parser.add_argument("--shared", action="store_true", help="one client for all collections")
    parser.add_argument("--whole-rows", action="store_true", help="name no properties")
    parser.add_argument("--parallel", action="store_true", help="a thread for each collection")
    asked = parser.parse_args()
    shared = httpx.Client(timeout=60) if asked.shared else None

    def fetch(collection: str) -> pd.DataFrame:
        first = params(collection, asked.page_size, whole_rows=asked.whole_rows)
        with nullcontext(shared) if shared else httpx.Client(timeout=60) as client:
            return pd.DataFrame(rows_of(client, f"{asked.base}/load/{collection}", first))

    serve(lambda: answer(fetch, parallel=asked.parallel))


def rows_of(client: httpx.Client, url: str, first: dict[str, str]) -> list[dict[str, str | None]]:
    """Return all rows of a collection, page after page."""
    rows: list[dict[str, str | None]] = []
    asked = first
    while True:
        page = client.get(url, params=asked).raise_for_status().json()
        rows.extend(page["Items"])
        if not page["MoreRowsExist"]:
            return rows
        asked = {**first, "loadType": "NEXT", "bookmark": page["Bookmark"]}


def answer(fetch: Callable[[str], pd.DataFrame], *, parallel: bool) -> bytes:
    """Return the joined schedule as JSON."""
    if parallel:
        with ThreadPoolExecutor(len(COLLECTIONS)) as threads:
            frames = dict(zip(COLLECTIONS, threads.map(fetch, COLLECTIONS), strict=True))
    else:
        frames = {collection: fetch(collection) for collection in COLLECTIONS}
    with duckdb.connect() as connection:
        for name, frame in frames.items():
            connection.register(f"frame_{name}", frame)
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM frame_{name}")  # noqa: S608  # our own names
        cursor = connection.execute(JOIN)
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return json.dumps(list(objects(rows)), default=str).encode()


def objects(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows with their texts turned into numbers and moments, and what remains to be made."""
    scrap: dict[str, Decimal] = defaultdict(Decimal)
    for row in sorted(rows, key=lambda row: (row["job"], int(row["operation_num"]))):
        for name in _DECIMALS:
            row[name] = Decimal(row[name]) if row[name] else None
        for name in _MOMENTS:
            row[name] = datetime.strptime(row[name], "%Y%m%d %H:%M:%S.%f") if row[name] else None  # noqa: DTZ007
        row["operation_num"] = int(row["operation_num"])
        scrap[row["job"]] += row["qty_scrapped"]
        row["qty_remaining"] = row["qty_released"] - row["qty_complete"] - scrap[row["job"]]
        row["qty_here"] = row["qty_received"] - row["qty_complete"] - row["qty_scrapped"]
        yield row


if __name__ == "__main__":
    main()
