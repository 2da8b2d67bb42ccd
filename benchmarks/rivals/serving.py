"""The loop of a contender: it waits for its turn, does the work once, and says what that took and what came of it.

Standard library only: it runs in environments that have nothing of ours.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

Record = Mapping[str, object]
Answer = TypeVar("Answer")

_TEXTS = ("job", "item", "item_description", "work_center", "work_center_description")
_NUMBERS = ("operation_num", "qty_released", "qty_remaining", "qty_on_hand")
_MOMENTS = ("sched_finish",)
_SECONDS = len("2026-11-02T07:15:00")


def serve(
    once: Callable[[], bytes | list[bytes]],
    records: Callable[[bytes], list[Record]] = json.loads,
    parts: Callable[[], Mapping[str, float]] = dict,
) -> None:
    """Do the work once for each line that comes in; `records` reads the answer, which is not timed.

    An answer that comes in parts is put together after what it took has been measured.
    `parts` tells what the parts of the last round took, in milliseconds.
    """
    _tell({"ready": True})
    before = memory("VmRSS")
    for _ in sys.stdin:
        cpu, started = time.process_time(), time.perf_counter()
        answer = once()
        seconds, busy = time.perf_counter() - started, time.process_time() - cpu
        grown = memory("VmHWM") - before
        whole = answer if isinstance(answer, bytes) else b"".join(answer)
        found = records(whole)
        facts = {"bytes": len(whole), "rows": len(found), "digest": digest(found)}
        _tell({"ms": seconds * 1000, "cpu_ms": busy * 1000, "grown_mb": grown, "parts": parts(), **facts})


def alone(runner: asyncio.Runner, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Do the work on the runner's loop, without `Runner.run`: when that ends, Python prints the answer to itself.

    It does so to put back its handler of Ctrl-C, and a large answer takes it as long as a join.
    """
    return runner.get_loop().run_until_complete(work)


def memory(what: str) -> float:
    """Return a figure of this process's memory in MB; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(what)), 0.0)


def digest(records: Iterable[Record]) -> str:
    """Return a digest of the records that does not depend on their order or on how numbers are written."""
    lines = sorted("|".join(_cells(record)) for record in records)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _cells(record: Record) -> list[str]:
    """Return the cells that are compared, those that there are."""
    texts = [str(record[name]).strip() for name in _TEXTS if name in record]
    numbers = [_number(record[name]) for name in _NUMBERS if name in record]
    moments = [str(record[name])[:_SECONDS].replace(" ", "T") for name in _MOMENTS if name in record]
    return [*texts, *numbers, *moments]


def _number(value: object) -> str:
    return "None" if value is None else f"{float(str(value)):.4f}"


def _tell(facts: Mapping[str, object]) -> None:
    print(json.dumps(facts), flush=True)
