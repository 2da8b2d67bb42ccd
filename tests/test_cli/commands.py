"""The command as people run it: within this process, or as a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = Path(sys.executable).with_name("kai-erp")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def line(self) -> str:
        """Return the one line on stderr that a failure is."""
        assert self.out == ""
        assert "Traceback" not in self.err
        (line,) = self.err.splitlines()
        return line


Run = Callable[..., Outcome]


def run_process(*arguments: str) -> Outcome:
    """Run the command to its end in a process of its own."""
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own command
    return Outcome(done.returncode, done.stdout, done.stderr)


@dataclass(slots=True)
class Started:
    """A command that goes on until it is told to stop."""

    process: "subprocess.Popen[str]"
    said: list[str]

    def until(self, text: str) -> str:
        """Return the line on stderr that contains a text, waiting for it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"it ended with {self.process.wait(10)} and said {self.said}")

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Interrupt it and return its exit code; two seconds must do."""
        self.process.send_signal(number)
        return self.process.wait(2)


@contextmanager
def started(*arguments: str) -> Iterator[Started]:
    """Start the command and end it with the block."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen([COMMAND, *arguments], stderr=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603  # our own command
        try:
            yield Started(process, [])
        finally:
            process.kill()
