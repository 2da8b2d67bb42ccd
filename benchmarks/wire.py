"""What the schedule costs beside the wire: the question against a bare fetch of the very same pages.

Run with `make bench`. A medium plant answers each request after 50 ms, in a process of its own; concurrency 48,
budget lifted. Everything is timed in turns in one run; the figures are medians, and ratios are what counts.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from urllib.parse import quote, urlencode

import httpx2

from kai_erp.app import Asked, open_app
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import BedrockOpsScheduler, Moment, ScheduleQuery
from kai_erp.core.auth import IonGrant
from kai_erp.demo import ZONE, plant_now
from kai_erp.ionapi import read_ionapi
from kai_erp.simulator import RecordedRequest, SimulatorOptions, build_plant, run_simulator

ROUNDS = 7
CONCURRENCY = 48
QUESTIONS = {
    "all released": ScheduleQuery(),
    "one work center": ScheduleQuery(work_center="WELD"),
}
RESULTS = Path(__file__).parent / "results" / "wire.json"


@dataclass(frozen=True, slots=True)
class Walk:
    """The pages of one read, to be asked for one after the other, and the collections whose keys it waits for."""

    collection: str
    urls: tuple[str, ...]
    waits_for: frozenset[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result."""

    what: str
    ms: float
    ratio: float


def main() -> None:
    """Measure and print."""
    now = plant_now()
    recorded = record(now)
    with plant(now, latency_ms=50.0) as settings:
        rows = [row for name in QUESTIONS for row in asyncio.run(measure(settings, name, recorded[name]))]
    print(f"{'medium plant, 50 ms per request':44}{'ms':>9}{'ratio':>8}")
    for row in rows:
        print(f"{row.what:44}{row.ms:9.1f}{row.ratio:8.2f}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(
        json.dumps([{"what": row.what, "ms": row.ms, "ratio": row.ratio} for row in rows], indent=2)
    )


@contextmanager
def plant(now: datetime, latency_ms: float) -> Iterator[Settings]:
    """Run a plant in another process and yield settings that lead to it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, now, latency_ms), daemon=True)
    process.start()
    with tempfile.TemporaryDirectory() as folder:
        yield leading_to(here.recv(), Path(folder))
    here.send("stop")
    process.join(10)


def serve(pipe: Connection, now: datetime, latency_ms: float) -> None:
    """Serve a plant until told to stop."""
    options = SimulatorOptions(latency_ms=latency_ms)
    with run_simulator(build_plant("medium", 1, now), options) as simulator:
        pipe.send(simulator.ionapi())
        pipe.recv()


def leading_to(ionapi: Mapping[str, str], folder: Path) -> Settings:
    """Return settings with a high concurrency and a budget that never bites."""
    file = folder / "plant.ionapi"
    file.write_text(json.dumps(ionapi))
    return load_settings(
        {
            "sl10_ionapi_file": file,
            "sl10_config_name": SimulatorOptions().configurations[0],
            "sl10_timezone": ZONE,
            "sl10_max_concurrency": CONCURRENCY,
            "sl10_requests_per_minute": 100_000,
        }
    )


def record(now: datetime) -> dict[str, list[RecordedRequest]]:
    """Return the requests that each question makes, noted at a plant that answers at once."""
    requests = {}
    with run_simulator(build_plant("medium", 1, now)) as simulator, tempfile.TemporaryDirectory() as folder:
        settings = leading_to(simulator.ionapi(), Path(folder))
        for name, query in QUESTIONS.items():
            simulator.state.requests.clear()
            asyncio.run(ask_once(settings, query))
            requests[name] = list(simulator.state.requests)
    return requests


async def ask_once(settings: Settings, query: ScheduleQuery) -> None:
    """Ask a question once."""
    async with open_app(settings) as app:
        await app.ask(Asked("production_schedule", query))


def walks_of(requests: Sequence[RecordedRequest], query: ScheduleQuery, base: str) -> list[Walk]:
    """Return recorded requests as the walks they belong to, at another address."""
    spec = BedrockOpsScheduler().get_rest_spec(query, Moment(datetime.now().astimezone(), load_settings().zone))
    waits = {read.name: frozenset(source.table for source in read.keys_from) for read in spec.collections}
    walks: dict[str, tuple[str, list[str]]] = {}
    for request in requests:
        collection = str(request.collection)
        first = {
            name: text for name, text in request.params.items() if name.lower() not in {"bookmark", "loadtype"}
        }
        url = f"{base}/load/{collection}?{urlencode(request.params, quote_via=quote)}"
        walks.setdefault(collection + urlencode(first), (collection, []))[1].append(url)
    return [Walk(collection, tuple(urls), waits[collection]) for collection, urls in walks.values()]


async def measure(settings: Settings, name: str, requests: Sequence[RecordedRequest]) -> list[Row]:
    """Return what a question costs beside the bare fetch, and its independent reads beside the slowest of them."""
    query, file = QUESTIONS[name], read_ionapi(Path(str(settings.sl10_ionapi_file)))
    walks = walks_of(requests, query, file.service_url(settings.sl10_suite))
    first = [walk for walk in walks if not walk.waits_for]
    async with open_app(settings, simulated=True) as app, bare_client(settings) as http:
        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "answer": lambda: app.ask(Asked("production_schedule", query)),
            "bare": lambda: fetch(http, walks),
            "together": lambda: fetch(http, first),
        }
        ways |= {f"alone {index}": partial(fetch, http, [walk]) for index, walk in enumerate(first)}
        took = await in_turns(ways)
    slowest = max(ms for label, ms in took.items() if label.startswith("alone"))
    pages = sum(len(walk.urls) for walk in walks)
    return [
        Row(f"{name}: bare fetch of its {pages} pages", took["bare"], 1.0),
        Row(f"{name}: the joined answer", took["answer"], took["answer"] / took["bare"]),
        Row(f"{name}: slowest independent read", slowest, 1.0),
        Row(f"{name}: independent reads together", took["together"], took["together"] / slowest),
    ]


@asynccontextmanager
async def bare_client(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client with a token, the site's header and as many connections as the product has."""
    file = read_ionapi(Path(str(settings.sl10_ionapi_file)))
    limits = httpx2.Limits(max_connections=CONCURRENCY)
    async with httpx2.AsyncClient(limits=limits, timeout=60, trust_env=False) as http:
        secrets = (file.client_secret, file.account_key, file.account_secret)
        client, user, password = (secret.get_secret_value() if secret else "" for secret in secrets)
        token = await IonGrant(http, file.token_url, file.client_id, client, user, password).obtain()
        http.headers["Authorization"] = f"Bearer {token.value}"
        http.headers["X-Infor-MongooseConfig"] = str(settings.sl10_config_name)
        yield http


async def in_turns(ways: Mapping[str, Callable[[], Awaitable[object]]]) -> dict[str, float]:
    """Return the median milliseconds of each way, all tried in turns, the first turn not counted."""
    taken: dict[str, list[float]] = {label: [] for label in ways}
    for turn in range(ROUNDS + 1):
        for label, way in ways.items():
            started = time.perf_counter()
            await way()
            if turn:
                taken[label].append((time.perf_counter() - started) * 1000)
    return {label: median(times) for label, times in taken.items()}


async def fetch(http: httpx2.AsyncClient, walks: Sequence[Walk]) -> None:
    """Fetch the pages of some walks as early as their keys allow, and drop the bodies."""
    done = {walk.collection: asyncio.Event() for walk in walks}
    left = {name: sum(walk.collection == name for walk in walks) for name in done}

    async def go(walk: Walk) -> None:
        for name in walk.waits_for & done.keys():
            await done[name].wait()
        for url in walk.urls:
            (await http.get(url)).raise_for_status()
        left[walk.collection] -= 1
        if not left[walk.collection]:
            done[walk.collection].set()

    async with asyncio.TaskGroup() as group:
        for walk in walks:
            group.create_task(go(walk))


if __name__ == "__main__":
    main()
