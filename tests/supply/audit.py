"""Look packages up among known vulnerabilities: `python tests/supply/audit.py LOCK…`, where pip-audit is.

Exit codes: 0 none is known; 1 some are; 75 they could not be looked up, for want of a network for example.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

NONE, SOME, NOT_CHECKED = 0, 1, 75
OPTIONS = ("--disable-pip", "--require-hashes", "--strict", "--progress-spinner", "off", "--desc", "off")
_LAST_LINES = 3


def audit(locks: Sequence[str]) -> tuple[int, str]:
    """Return the exit code for lock files, and what to tell; on stdout pip-audit lists findings only."""
    named = [part for lock in locks for part in ("--requirement", lock)]
    command = [sys.executable, "-m", "pip_audit", *OPTIONS, *named]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  # our own lock files
    if done.returncode == 0:
        return NONE, f"No known vulnerability in {', '.join(locks)}.\n"
    if done.stdout.strip():
        return SOME, done.stdout
    reason = "\n".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
    return NOT_CHECKED, f"NOT CHECKED: known vulnerabilities could not be looked up.\n{reason}\n"


if __name__ == "__main__":
    code, told = audit(sys.argv[1:])
    sys.stdout.write(told)
    sys.exit(code)
