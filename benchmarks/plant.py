"""The simulated medium plant in a process of its own, settings that lead to it, and a bare client for it."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2

from benchmarks.turns import CONCURRENCY
from kai_erp.config import Settings, load_settings
from kai_erp.core.auth import IonGrant
from kai_erp.demo import ZONE
from kai_erp.ionapi import read_ionapi
from kai_erp.simulator import SimulatorOptions, build_plant, run_simulator


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
