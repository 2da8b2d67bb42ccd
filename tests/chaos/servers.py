"""The servers under test, each in a process of its own, and what they hold of the machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server

import httpx2

_PATIENCE = 60.0


@dataclass(frozen=True)
class Held:
    """What a process holds: resident memory in megabytes, open sockets, threads."""

    megabytes: float
    sockets: int
    threads: int


@dataclass(frozen=True)
class Server:
    """A running `kai-erp serve`."""

    url: str
    process: subprocess.Popen[bytes]

    def held(self) -> Held:
        """Return what the process holds now."""
        proc = Path(f"/proc/{self.process.pid}")
        status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
        sockets = sum(str(link.readlink()).startswith("socket:") for link in (proc / "fd").iterdir())
        return Held(int(status["VmRSS"].split()[0]) / 1024, sockets, int(status["Threads"]))


@contextmanager
def servers(
    count: int, ionapi: Mapping[str, str], settings: Mapping[str, str], folder: Path
) -> Iterator[list[Server]]:
    """Yield replicas that answer, and stop them."""
    file = folder / "tenant.ionapi"
    file.write_text(json.dumps(ionapi))
    environment = {**_clean_environment(), **settings, "SL10_IONAPI_FILE": str(file)}
    with ExitStack() as stack:
        yield [stack.enter_context(_server(number, environment, folder)) for number in range(count)]


def _clean_environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}


@contextmanager
def _server(number: int, environment: Mapping[str, str], folder: Path) -> Iterator[Server]:
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("kai-erp")), "serve", "--port", str(port)]
    with (folder / f"server-{number}.log").open("wb") as log:
        process = subprocess.Popen(command, env=dict(environment), cwd=folder, stderr=log, stdout=log)  # noqa: S603  # ours
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        _wait_for(server)
        yield server
    finally:
        process.terminate()
        process.wait(60)
        _tell_defects(folder / f"server-{number}.log")


def _tell_defects(log: Path) -> None:
    """Print what a server itself called a defect, or did not expect."""
    lines = [line for line in log.read_text().splitlines() if '"level": "error"' in line or line[:1] != "{"]
    for line in lines[:5]:
        print(f"{log.name}: {line[-3_000:]}")


def _wait_for(server: Server) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            httpx2.get(f"{server.url}/health").raise_for_status()
        except httpx2.HTTPError:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise
            time.sleep(0.1)
        else:
            return
