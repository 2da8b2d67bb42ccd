"""The whole product over HTTP, beside its engine alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import httpx2

from benchmarks.bars import Bar
from benchmarks.cases.schedule import PRODUCT, setting
from benchmarks.turns import Contender, in_turns

_STARTED_WITHIN = 30.0
_HTTP = "over HTTP"


def http(rounds: int) -> Sequence[Bar]:
    """Measure 10,000 operations over REST beside reading and joining them."""
    name = "over HTTP, REST envelope of 10,000 rows / engine alone"
    with setting("M") as mock, served({**mock.settings, "sl10_page_size": 1000}) as address:
        url = f"{address}/bedrock/schedule?limit=10000"
        over = Contender(_HTTP, "rivals", "benchmarks.rivals.get", (url,))
        taken = in_turns([mock.product("engine", sl10_page_size=1000), over], rounds, mock.expected)
    whole, engine = taken[_HTTP], taken[PRODUCT]
    return [Bar(name, 1.3, whole.ms / engine.ms, ms=(whole.ms, engine.ms))]


@contextmanager
def served(settings: Mapping[str, object]) -> Iterator[str]:
    """Run the server of the product and yield its address."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {name.upper(): str(value) for name, value in settings.items()}
    # one caller asks in every round, oftener than a caller usually may
    environment = {**os.environ, **variables, "INBOUND_PER_MINUTE": "100000", "ALLOW_ANONYMOUS": "true"}
    command = [str(Path(sys.executable).with_name("kai-erp")), "serve", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:  # noqa: S603  # our own
        try:
            _wait_for(f"{address}/health")
            yield address
        finally:
            process.terminate()


def _wait_for(url: str) -> None:
    until = time.monotonic() + _STARTED_WITHIN
    while time.monotonic() < until:
        try:
            if httpx2.get(url, trust_env=False).status_code < 500:  # noqa: PLR2004  # it listens
                return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} does not answer")
