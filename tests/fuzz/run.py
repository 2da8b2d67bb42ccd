"""Try the readers of foreign text for longer: `python tests/fuzz/run.py [EXAMPLES]`; 20,000 each when not said.

Exit codes: 0 nothing was found; 1 something was: its smallest example is shown.
"""

from __future__ import annotations

import resource
import sys
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
from tests.fuzz.targets import TARGETS, Target  # noqa: E402  # it is found from the root

USUAL, DEADLINE_SECONDS, MOST_MEGABYTES = 20_000, 5, 1_024


def tried(target: Target, examples: int) -> tuple[int, Exception | None]:
    """Return how often a reader was run, and what was found."""
    runs = 0

    @settings(
        max_examples=examples,
        deadline=DEADLINE_SECONDS * 1000,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        database=None,
    )
    @given(target.documents)
    def fuzz(body: bytes) -> None:
        nonlocal runs
        runs += 1
        target(body)

    try:
        fuzz()
    except Exception as finding:  # noqa: BLE001  # whatever it is: that is what is looked for
        return runs, finding
    return runs, None


def main(examples: int) -> int:
    """Run all, tell the figures, and return the exit code."""
    findings = 0
    for name, target in TARGETS.items():
        started = time.monotonic()
        runs, finding = tried(target, examples)
        sys.stdout.write(
            f"{name}: {runs:,} runs in {time.monotonic() - started:.1f} s, {int(bool(finding))} found\n"
        )
        if finding is not None:
            findings += 1
            sys.stdout.write("".join(traceback.format_exception(finding)))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(f"{findings} findings; at most {megabytes:,} MB of memory were used\n")
    return 1 if findings or megabytes > MOST_MEGABYTES else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else USUAL))
