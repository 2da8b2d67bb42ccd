"""What a run of the tests says where there is no browser."""

import os
import subprocess
import sys
from pathlib import Path

from tests.test_console.browser import NOT_TESTED

ROOT = Path(__file__).parents[2]


def run(folder: Path, workers: int, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a test that needs a browser, on a PATH without one."""
    clean = {name: text for name, text in os.environ.items() if name not in {"CI", "KAI_ERP_CHROMIUM"}}
    clean = {name: text for name, text in clean.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    test = "tests/test_console/test_browser_axe.py::test_axe_does_find_faults"
    return subprocess.run(  # noqa: S603  # our own tests
        [*command, f"--numprocesses={workers}", test],
        cwd=ROOT,
        env=clean | {"PATH": str(folder)} | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_it_says_last_and_loudly_that_the_console_was_not_tested(tmp_path: Path) -> None:
    done = run(tmp_path, 1)
    assert done.returncode == 0, done.stdout
    assert f"\n{NOT_TESTED} (1 tests)\n1 skipped in" in done.stdout


def test_it_fails_where_changes_are_checked(tmp_path: Path) -> None:
    done = run(tmp_path, 0, CI="true")
    assert done.returncode == 1, done.stdout
    assert NOT_TESTED in done.stdout
