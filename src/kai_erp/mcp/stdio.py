"""The process's standard streams, kept for the protocol: whatever else is printed goes to stderr.

The SDK keeps them while it serves. Here they are kept from the first moment to the last, so that neither a library
that prints, nor a demo that starts, nor text left in a buffer at the end comes between two messages.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from threading import Semaphore, Thread
from typing import TextIO

from kai_erp.errors import ConfigurationError

_CHUNK, _LINES_AHEAD = 65_536, 16
_STDIN, _STDOUT, _STDERR = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ProtocolStreams:
    """Where messages come from, and where they go."""

    lines: Lines
    wire: TextIO


class Lines:
    """The lines of a descriptor, for one reader; waiting for one can be cancelled, which a blocked read cannot."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield lines until the other side closes."""
        room, queue = Semaphore(_LINES_AHEAD), asyncio.Queue[str | None]()
        loop = asyncio.get_running_loop()

        def put(line: str | None) -> None:
            room.acquire()  # released when the line is taken
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(queue.put_nowait, line)

        Thread(target=self._read, args=(put,), name="stdin", daemon=True).start()
        while (line := await queue.get()) is not None:
            room.release()
            yield line

    def _read(self, put: Callable[[str | None], None]) -> None:
        # Unbuffered: at exit nobody waits for the lock of a buffer that a blocked read holds.
        rest = b""
        while chunk := self._chunk():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                put(line.decode(errors="replace"))
        put(None)

    def _chunk(self) -> bytes:
        try:
            return os.read(self._descriptor, _CHUNK)
        except OSError:
            return b""


@contextmanager
def protocol_streams() -> Iterator[ProtocolStreams]:
    """Yield the standard streams for the protocol alone; others read nothing and print to stderr from now on.

    Raises ConfigurationError when one of them is closed.
    """
    source, target = _duplicates()
    _replace(_STDIN, os.open(os.devnull, os.O_RDONLY))
    _replace(_STDOUT, _beside_stderr())
    wire = os.fdopen(target, "w", encoding="utf-8", newline="\n")
    try:
        with redirect_stdout(sys.stderr):
            yield ProtocolStreams(Lines(source), wire)
    finally:
        with suppress(OSError):  # the other side may be gone
            wire.close()


def _duplicates() -> tuple[int, int]:
    try:
        return os.dup(_STDIN), os.dup(_STDOUT)
    except OSError:
        text = "stdin or stdout is closed, but an assistant speaks over them"
        raise ConfigurationError(text, suggestion="Let the assistant start this command.") from None


def _beside_stderr() -> int:
    """Return a descriptor that leads where stderr does, or nowhere when that is closed."""
    try:
        return os.dup(_STDERR)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _replace(descriptor: int, other: int) -> None:
    """Make a descriptor lead where another does, and close that one."""
    os.dup2(other, descriptor)
    os.close(other)
