"""Who asked what: one JSON line a question, without data and without secrets.

Each line is one write to a file opened for appending, so that several processes may share it. A file that was
moved away, as rotation does, is made anew at the next line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self, TextIO

import orjson
import structlog

from kai_erp.errors import InvalidSetting

_MODE = 0o600
log = structlog.get_logger(__name__)


class AuditLog:
    """Writes lines to a file, to a stream, or nowhere; one that cannot be written is told in the operator's log.

    Args:
        target: what AUDIT_LOG says: a path, `-` for the stream, None for nothing.
        stream: where `-` leads.

    Raises InvalidSetting when the file cannot be opened.
    """

    def __init__(self, target: str | None, stream: TextIO | None = None) -> None:
        self._path = Path(target) if target not in {None, "-"} and target else None
        self._stream = (stream or sys.stderr) if target == "-" else None
        self._file: int | None = None
        if self._path is not None:
            try:
                self._file = _opened(self._path)
            except OSError as failure:
                raise InvalidSetting(
                    f"AUDIT_LOG is '{target}', which cannot be written: {failure.strerror or failure}"
                ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def wanted(self) -> bool:
        """Whether anything is written."""
        return self._path is not None or self._stream is not None

    def write(self, entry: Mapping[str, object]) -> None:
        """Write an entry as one line."""
        line = orjson.dumps(entry, default=str) + b"\n"
        try:
            if self._stream is not None:
                self._stream.write(line.decode())
                self._stream.flush()
            elif self._path is not None:
                _write_whole(self._current(self._path), line)
        except (OSError, ValueError) as failure:
            log.critical("the audit log cannot be written", reason=str(failure))

    def _current(self, path: Path) -> int:
        """Return the file of that name, which may be another one than when it was opened."""
        if self._file is None or not _is_at(self._file, path):
            opened = _opened(path)
            if self._file is not None:
                os.close(self._file)
            self._file = opened
        return self._file


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), _MODE)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _write_whole(file: int, line: bytes) -> None:
    while line:
        line = line[os.write(file, line) :]
