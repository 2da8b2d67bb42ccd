"""How soon the command is there, beside the imports that it cannot do without."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import IO, cast

from benchmarks.bars import Bar
from benchmarks.turns import Failed

COMMAND = str(Path(sys.executable).with_name("kai-erp"))
_IMPORTS = "import duckdb, pyarrow, mcp, fastapi"
_HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "benchmark", "version": "1"},
    },
}


def startup(rounds: int) -> Sequence[Bar]:
    """Measure the overview and the first reply to an assistant, in turns with the bare imports."""
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Callable[[], None]] = {
            "imports": lambda: _ended([sys.executable, "-c", _IMPORTS], folder),
            "help": lambda: _ended([COMMAND, "--help"], folder),
            "mcp": lambda: _replied(folder),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds + 1):
            for name, way in ways.items():
                started = time.perf_counter()
                way()
                if turn:
                    taken[name].append((time.perf_counter() - started) * 1000)
    ms = {name: median(times) for name, times in taken.items()}
    return [
        Bar("kai-erp --help / bare imports", 0.5, ms["help"] / ms["imports"], ms=(ms["help"], ms["imports"])),
        Bar(
            "kai-erp mcp to its first reply / bare imports",
            1.3,
            ms["mcp"] / ms["imports"],
            ms=(ms["mcp"], ms["imports"]),
        ),
    ]


def without_settings() -> dict[str, str]:
    """Return the environment without any setting of the product."""
    ours = ("SL10_", "LAKE_", "REDIS_", "AUTH_", "AUDIT_")
    return {name: text for name, text in os.environ.items() if not name.startswith(ours)}


def _ended(command: Sequence[str], folder: str) -> None:
    subprocess.run(command, cwd=folder, env=without_settings(), stdout=subprocess.DEVNULL, check=True)  # noqa: S603


def _replied(folder: str) -> None:
    """Start the server of an assistant, greet it, and return with its reply."""
    with subprocess.Popen(  # noqa: S603  # our own command
        [COMMAND, "mcp"],
        cwd=folder,
        env=without_settings(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        ours, theirs = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        ours.write(json.dumps(_HELLO) + "\n")
        ours.flush()
        reply = json.loads(theirs.readline())
        process.kill()
    if "result" not in reply:
        raise Failed(f"no greeting came back: {reply}")
