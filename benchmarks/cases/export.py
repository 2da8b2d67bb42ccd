"""How memory grows while two and ten million rows are exported from the lake to Parquet."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.bars import Bar
from benchmarks.cases.lake import mock_lake
from benchmarks.cases.startup import COMMAND, without_settings
from benchmarks.mock_lake import SCHEDULE_ROWS
from benchmarks.turns import ROOT, Failed, WrongAnswer, leading_to
from kai_erp.cli.verbs import OVERVIEW

LATENCY_MS = 50.0
MILLIONS = (2, 10)
_KILO = 1024
_IMPORTS = "import kai_erp.cli.exporting, kai_erp.tenant, pyarrow.parquet, pyarrow.csv, duckdb"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a process took."""

    seconds: float
    peak_mb: float


def export(rounds: int) -> Sequence[Bar]:
    """Measure an export of each size once, in a process of its own, beside one that only imports."""
    del rounds  # a minute each
    ratio, absolute = "export memory growth, 10 M rows / 2 M rows", "export memory growth at 10 M rows, MB"
    if "export" not in OVERVIEW:
        return [Bar(name, limit, note="there is no export yet") for name, limit in ((ratio, 1.3), (absolute, 250))]
    bare = _ran([sys.executable, "-c", _IMPORTS], without_settings()).peak_mb
    ran = {millions: _exported(millions * 1_000_000) for millions in MILLIONS}
    grown = {millions: one.peak_mb - bare for millions, one in ran.items()}
    few, many = MILLIONS
    note = f"{grown[many]:,.0f} / {grown[few]:,.0f} MB; {ran[many].seconds:,.0f} s / {ran[few].seconds:,.0f} s"
    return [
        Bar(ratio, 1.3, grown[many] / grown[few], note=note),
        Bar(absolute, 250, grown[many], note=f"beside {bare:,.0f} MB of imports"),
    ]


def _exported(rows: int) -> Ran:
    """Export so many rows and return what that took."""
    with (
        mock_lake(rows // SCHEDULE_ROWS, LATENCY_MS) as gateway,
        leading_to(gateway) as settings,
        tempfile.TemporaryDirectory() as folder,
    ):
        given: Mapping[str, object] = {**settings, "lake_enabled": True, "lake_page_rows": SCHEDULE_ROWS}
        variables = {name.upper(): str(value) for name, value in given.items()}
        file = Path(folder) / "schedule.parquet"
        ran = _ran(
            [COMMAND, "export", "schedule", "--source", "lake", "--to", str(file)],
            {**without_settings(), **variables},
        )
        written = pq.read_metadata(file).num_rows
    if written != rows:
        raise WrongAnswer(f"{written} rows were exported in place of {rows}")
    return ran


def _ran(command: Sequence[str], environment: Mapping[str, str]) -> Ran:
    """Run a command to its end. Raises Failed when it fails."""
    started = time.perf_counter()
    measured = [sys.executable, "-m", "benchmarks.peak", *command]
    done = subprocess.run(  # noqa: S603  # our own command
        measured, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"{command[:3]} ends with {done.returncode}: {done.stderr}")
    return Ran(time.perf_counter() - started, int(done.stdout.splitlines()[-1]) / _KILO)
