"""Contenders in processes of their own, which work in turns, and what their rounds took."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, cast

from benchmarks.envs import interpreter

ROOT = Path(__file__).parents[1]
ZONE = "America/Chicago"
CONCURRENCY = 48


class Failed(Exception):
    """A case cannot be measured to its end."""


class WrongAnswer(Failed):
    """A contender's answer is not what the rows of the mock lead to."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to get the answer: the environment it runs in, its module and what that is told."""

    name: str
    environment: str | None
    module: str
    arguments: tuple[str, ...]
    checked: bool = True

    def command(self) -> list[str]:
        """Return the command that starts it."""
        python = interpreter(self.environment) if self.environment else Path(sys.executable)
        return [str(python), "-m", self.module, *self.arguments]


@dataclass(frozen=True, slots=True)
class Round:
    """What a round took and what came of it."""

    ms: float
    cpu_ms: float
    grown_mb: float
    parts: Mapping[str, float]
    bytes: int
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Expected:
    """How many records the answer has, and their digest."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Taken:
    """The rounds of one contender."""

    rounds: Sequence[Round]

    @property
    def ms(self) -> float:
        """The median of the wall time."""
        return median(one.ms for one in self.rounds)

    @property
    def cpu_ms(self) -> float:
        """The median of the CPU time."""
        return median(one.cpu_ms for one in self.rounds)

    @property
    def grown_mb(self) -> float:
        """How much memory was taken at most beside that at the start."""
        return max(one.grown_mb for one in self.rounds)

    def part(self, name: str) -> float:
        """Return the median of a part of the rounds."""
        return median(one.parts.get(name, 0.0) for one in self.rounds)


class _Process:
    """A process that is told line by line to go on, and answers each with a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._in, self._out = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

    def heard(self) -> dict[str, object]:
        line = self._out.readline()
        if not line:
            raise Failed("a contender has ended; what it said stands above")
        facts: dict[str, object] = json.loads(line)
        return facts

    def go(self) -> Round:
        self._in.write("go\n")
        self._in.flush()
        return Round(**cast("dict[str, float]", self.heard()))  # type: ignore[arg-type]  # checked by the other end


@contextmanager
def started(command: Sequence[str]) -> Iterator[_Process]:
    """Start a process, yield it, and end it."""
    with subprocess.Popen(  # noqa: S603  # our own command
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _Process(process)
        finally:
            cast("IO[str]", process.stdin).close()
            process.terminate()


@contextmanager
def mock_erp(operations: int, latency_ms: float) -> Iterator[str]:
    """Run the mock ERP and yield the address of its gateway."""
    arguments = ["--operations", str(operations), "--latency-ms", str(latency_ms)]
    with started([sys.executable, "-m", "benchmarks.mock_erp", *arguments]) as process:
        yield f"http://127.0.0.1:{process.heard()['port']}"


@contextmanager
def leading_to(gateway: str) -> Iterator[dict[str, object]]:
    """Yield settings that lead to the mock ERP, with a high concurrency and a budget that never bites."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mock.ionapi"
        way_in = {"ti": "MOCK", "ci": "client", "cs": "secret", "saak": "key", "sask": "word", "iu": gateway}
        file.write_text(json.dumps({**way_in, "pu": f"{gateway}/as/", "ot": "token.oauth2"}))
        yield {
            "sl10_ionapi_file": str(file),
            "sl10_config_name": "MOCK_SITE",
            "sl10_timezone": ZONE,
            "sl10_max_concurrency": CONCURRENCY,
            "sl10_requests_per_minute": 100_000,
            "rest_preferred_max": 1_000_000,
            "rest_hard_max": 1_000_000,
        }


def in_turns(
    contenders: Sequence[Contender], rounds: int, expected: Expected | None, *, warm: int = 1
) -> dict[str, Taken]:
    """Return what each contender took, all working in turns; the `warm` first ones are not counted.

    Raises WrongAnswer when one gives another answer than is expected.
    """
    taken: dict[str, list[Round]] = {contender.name: [] for contender in contenders}
    with ExitStack() as stack:
        processes = [stack.enter_context(started(contender.command())) for contender in contenders]
        for process in processes:
            process.heard()
        for turn in range(warm + rounds):
            for contender, process in zip(contenders, processes, strict=True):
                done = process.go()
                if contender.checked and expected and (done.rows, done.digest) != (expected.rows, expected.digest):
                    raise WrongAnswer(f"{contender.name}: {done.rows} records, {done.digest}; not {expected}")
                if turn >= warm:
                    taken[contender.name].append(done)
    return {name: Taken(tuple(done)) for name, done in taken.items()}
