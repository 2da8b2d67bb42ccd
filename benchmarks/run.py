"""Measure every bar of speed: `python -m benchmarks.run`; with --quick in fewer rounds.

With --write-docs nothing is measured: table and picture of the documentation are made from the results kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import plot, report
from benchmarks.bars import Bar, Case
from benchmarks.cases import crowd, export, four, http, lake, payload, schedule, simulated, startup
from benchmarks.envs import NotInstalled
from benchmarks.turns import Failed

CASES: Mapping[str, Case] = {
    "paged": schedule.paged,
    "unlimited": schedule.unlimited,
    "simulated": simulated.simulated,
    "http": http.http,
    "four": four.four,
    "large": schedule.large,
    "lake": lake.lake,
    "export": export.export,
    "burst": crowd.burst,
    "different": crowd.different,
    "startup": startup.startup,
    "payload": payload.payload,
}
"""What can be measured, by the name that --only takes."""

ROUNDS, QUICK_ROUNDS = 7, 3
DOCS = Path(__file__).parents[1] / "docs"
_BEGIN, _END = "<!-- results -->", "<!-- end of results -->"


def main() -> None:
    """Measure, print, and keep the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds in place of {ROUNDS}")
    parser.add_argument("--only", nargs="+", choices=sorted(CASES), metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--write-docs", action="store_true", help="write docs/benchmarks.md from the results kept")
    asked = parser.parse_args()
    if asked.write_docs:
        write_docs(report.kept(), DOCS)
        return
    rounds = QUICK_ROUNDS if asked.quick else ROUNDS
    print(report.header())
    for name, bars in measured(asked.only or list(CASES), rounds):
        for bar in bars:
            print(report.row(bar), flush=True)
        report.keep({name: bars}, rounds)


def measured(names: Sequence[str], rounds: int) -> Iterator[tuple[str, Sequence[Bar]]]:
    """Measure case by case; one that cannot be measured says why."""
    for name in names:
        try:
            yield name, CASES[name](rounds)
        except NotInstalled as failure:
            yield name, [Bar(name, None, note=f"not installed: {failure}")]
        except Failed as failure:
            yield name, [Bar(name, None, note=f"failed: {failure}")]


def write_docs(results: report.Results, docs: Path) -> None:
    """Write the table into the page, between its marks, and the picture beside it."""
    bars = results.bars(CASES)
    facts = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    counts = sorted(set(results.rounds.values()))
    rounds = f"Medians of {counts[0]}" if len(counts) == 1 else f"Medians of {counts[0]} to {counts[-1]}"
    page = docs / "benchmarks.md"
    before, _, rest = page.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    middle = f"{_BEGIN}\n\n{report.table(bars)}\n\n{rounds} rounds. Measured with: {facts}.\n\n{_END}"
    page.write_text(before + middle + after)
    (docs / "images").mkdir(exist_ok=True)
    (docs / "images" / "benchmarks.svg").write_text(plot.picture(bars))


if __name__ == "__main__":
    main()
