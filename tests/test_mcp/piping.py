"""The server as a process of its own, spoken to line by line, so that every byte on its stdout is seen."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kai_erp.config import Settings

KAI_ERP = Path(sys.executable).with_name("kai-erp")
AS_COMMAND = (str(KAI_ERP), "mcp")
AS_MODULE = (sys.executable, "-m", "kai_erp.mcp.server")
Message = dict[str, Any]


def environment(settings: Settings | None = None, **more: str) -> dict[str, str]:
    """Return an environment that leads to where settings lead."""
    names = ("sl10_ionapi_file", "sl10_config_name", "sl10_timezone") if settings else ()
    return {**os.environ, **{name.upper(): str(getattr(settings, name)) for name in names}, **more}


@dataclass(slots=True)
class Piped:
    """A process that speaks the protocol; all that it writes to stdout must be messages of it."""

    process: "subprocess.Popen[str]"
    received: list[Message] = field(default_factory=list)

    def write(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def send(self, method: str, number: int | None = None, **params: object) -> None:
        message: Message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.write(json.dumps(message | ({"id": number} if number is not None else {})) + "\n")

    def answer(self, number: int) -> Message:
        """Return the answer to a request."""
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != "":
            if self._note(line).get("id") == number:
                return self.received[-1]
        raise AssertionError(f"no answer to {number} but {self.received}")

    def hello(self) -> Message:
        """Shake hands as clients did until 2025."""
        self.send(
            "initialize",
            1,
            protocolVersion="2025-11-25",
            capabilities={},
            clientInfo={"name": "t", "version": "1"},
        )
        greeting = self.answer(1)
        self.send("notifications/initialized")
        return greeting

    def call(self, number: int, tool: str, **arguments: object) -> str:
        """Return the text that a call is answered with."""
        self.send("tools/call", number, name=tool, arguments=arguments)
        text: str = self.answer(number)["result"]["content"][0]["text"]
        return text

    def close(self) -> tuple[int, str]:
        """Hang up and return the exit code and what was said on stderr; the rest of stdout is checked too."""
        out, err = self.process.communicate(timeout=20)
        for line in out.splitlines():
            self._note(line)
        return self.process.returncode, err

    def _note(self, line: str) -> Message:
        message: Message = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        self.received.append(message)
        return message


@contextmanager
def piped(command: Sequence[str], env: Mapping[str, str]) -> Iterator[Piped]:
    """Start a process and end it with the block."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env) as process:  # noqa: S603  # our own command
        try:
            yield Piped(process)
        finally:
            process.kill()


def failing(command: Sequence[str], env: Mapping[str, str]) -> tuple[int, str, str]:
    """Run a process that does not come to serving; return its exit code, stdout and stderr."""
    done = subprocess.run(command, env=env, input="", capture_output=True, text=True, timeout=60, check=False)  # noqa: S603  # our own command
    return done.returncode, done.stdout, done.stderr
