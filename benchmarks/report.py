"""The bars as lines to print, as JSON to keep, and as a table of the documentation."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.bars import Bar

RESULTS = Path(__file__).parent / "results" / "bench.json"
_PACKAGES = ("duckdb", "httpx2", "msgspec", "orjson", "pyarrow")
_NAME = 68


@dataclass(frozen=True, slots=True)
class Results:
    """What was measured, by case, and on what kind of machine."""

    machine: Mapping[str, object]
    cases: Mapping[str, Sequence[Bar]]
    rounds: Mapping[str, int]

    def bars(self, order: Iterable[str]) -> list[Bar]:
        """Return the bars in the order of the cases."""
        return [bar for name in order for bar in self.cases.get(name, ())]


def row(bar: Bar) -> str:
    """Return the line of a bar."""
    ratio = f"{bar.ratio:.2f}" if bar.ratio is not None else "-"
    told = "; ".join(filter(None, (_times(bar), _parts(bar), bar.note)))
    return f"{bar.name:{_NAME}.{_NAME}} {ratio:>7} {bar.shown_limit:>7} {bar.verdict:8}{told}"


def header() -> str:
    """Return the line above the bars."""
    return f"{'bar':{_NAME}} {'ratio':>7} {'limit':>7} {'':8}ms"


def table(bars: Iterable[Bar]) -> str:
    """Return the bars as a table in Markdown."""
    lines = ["| bar | ratio | limit | | measured |", "|---|---|---|---|---|"]
    for bar in bars:
        ratio = f"{bar.ratio:,.2f}" if bar.ratio is not None else "-"
        shown = f"{_times(bar)} ms" if bar.ms else ""
        told = "; ".join(filter(None, (shown, bar.note)))
        lines.append(f"| {bar.name} | {ratio} | {bar.shown_limit} | {bar.verdict} | {told} |")
    return "\n".join(lines)


def machine() -> dict[str, object]:
    """Return what the figures depend on, and nothing that tells whose machine it is."""
    return {
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
    }


def keep(measured: Mapping[str, Sequence[Bar]], rounds: int, path: Path = RESULTS) -> None:
    """Keep the bars; cases of an earlier run that were not measured now stay."""
    old = kept(path) if path.exists() else Results({}, {}, {})
    cases = {**old.cases, **measured}
    counted = {**old.rounds, **dict.fromkeys(measured, rounds)}
    content = {
        "machine": machine(),
        "cases": {
            name: {"rounds": counted[name], "bars": [_written(bar) for bar in bars]}
            for name, bars in cases.items()
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def kept(path: Path = RESULTS) -> Results:
    """Return what a result file holds."""
    content: dict[str, Any] = json.loads(path.read_text())
    cases = {name: [_read(fields) for fields in case["bars"]] for name, case in content["cases"].items()}
    return Results(content["machine"], cases, {name: case["rounds"] for name, case in content["cases"].items()})


def _written(bar: Bar) -> dict[str, object]:
    return {**asdict(bar), "ms": [round(ms, 1) for ms in bar.ms], "verdict": bar.verdict}


def _read(fields: dict[str, Any]) -> Bar:
    given = {name: value for name, value in fields.items() if name != "verdict"}
    return Bar(**{**given, "ms": tuple(given["ms"])})


def _times(bar: Bar) -> str:
    return " / ".join(f"{ms:,.0f}" for ms in bar.ms)


def _parts(bar: Bar) -> str:
    return ", ".join(f"{name} {ms:.0f}" for name, ms in bar.parts.items())
