"""The environments of the rivals, which the benchmark makes itself: one for each file of requirements."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".envs"


class NotInstalled(Exception):
    """An environment cannot be made; the reason is the last line that pip said."""


def interpreter(name: str) -> Path:
    """Return the interpreter of an environment, made when it is not there. Raises NotInstalled."""
    requirements = HERE / f"requirements-{name}.txt"
    folder, stamp = ENVIRONMENTS / name, hashlib.sha256(requirements.read_bytes()).hexdigest()
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists() or done.read_text() != stamp:
        print(f"Setting up the environment {name}; this happens once.")
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(
            str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)
        )
        done.write_text(stamp)
    return python


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own commands
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise NotInstalled(lines[-1] if lines else f"{command[0]} ends with {done.returncode}")
