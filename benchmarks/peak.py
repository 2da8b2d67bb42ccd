"""Run a command and print, as the last line, its peak memory in kilobytes.

A process of its own, since the peak of a child counts from what its parent had when it was started.
`python -m benchmarks.peak COMMAND…`
"""

from __future__ import annotations

import os
import subprocess
import sys


def main() -> None:
    """Run the command and end as it does."""
    with subprocess.Popen(sys.argv[1:]) as process:  # noqa: S603  # our own command
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    print(usage.ru_maxrss)
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
