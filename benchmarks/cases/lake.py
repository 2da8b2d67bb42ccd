"""Pages of the data lake, read and typed, beside a bare fetch of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.bars import Bar
from benchmarks.cases.schedule import PRODUCT, WIRE
from benchmarks.mock_lake import PAGE_QUANTITY, PAGE_ROWS
from benchmarks.rivals.serving import digest
from benchmarks.turns import Contender, Expected, in_turns, leading_to, started

PAGES, IN_FLIGHT, LATENCY_MS = 12, 8, 200.0
COMPASS = "MOCK/DATAFABRIC/compass/v2"


def lake(rounds: int) -> Sequence[Bar]:
    """Measure twelve pages of a hundred thousand rows, eight in flight."""
    name = f"lake CSV, {LATENCY_MS:g} ms per page, {IN_FLIGHT} in flight / bare fetch"
    with mock_lake(PAGES) as gateway, leading_to(gateway) as settings:
        task = {"what": "lake", "settings": {**settings, "lake_enabled": True}}
        product = Contender(PRODUCT, None, "benchmarks.product", (json.dumps(task),))
        pages = [f"?offset={page * PAGE_ROWS}&limit={PAGE_ROWS}" for page in range(PAGES)]
        urls = [f"{gateway}/{COMPASS}/jobs/rows/result/{page}" for page in pages]
        asked = json.dumps({"urls": urls, "in_flight": IN_FLIGHT})
        bare = Contender(WIRE, "rivals", "benchmarks.rivals.fetch", (asked,), checked=False)
        taken = in_turns([product, bare], rounds, _expected())
    ours, wire = taken[PRODUCT], taken[WIRE]
    return [Bar(name, 1.6, ours.ms / wire.ms, ms=(ours.ms, wire.ms))]


@contextmanager
def mock_lake(pages: int, latency_ms: float = LATENCY_MS) -> Iterator[str]:
    """Run the mock of Compass and yield the address of its gateway."""
    arguments = ["--pages", str(pages), "--latency-ms", str(latency_ms)]
    with started([sys.executable, "-m", "benchmarks.mock_lake", *arguments]) as process:
        yield f"http://127.0.0.1:{process.heard()['port']}"


def _expected() -> Expected:
    """Return the one record that sums the rows up."""
    record = {"item": str(PAGES * PAGE_ROWS), "qty_released": PAGES * PAGE_QUANTITY}
    return Expected(1, digest([record]))
