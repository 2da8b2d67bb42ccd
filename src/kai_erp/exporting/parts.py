"""An export while it grows: numbered parts in a folder beside the target, and how far they go.

```text
TARGET.partial/
├── lock            held by the run that writes here
├── state.json      what is exported, and from where to go on
├── parts/          part-00000.parquet …, each whole
└── whole           the parts as one file, just before it becomes TARGET
```
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from kai_erp.core.ido import LoadRequest
from kai_erp.errors import InvalidParameter
from kai_erp.exporting.sinks import join_parts, write_part
from kai_erp.exporting.targets import PART, Target

try:
    import fcntl
except ImportError:  # Windows has no such locks; whoever exports there does so once at a time
    fcntl = None  # type: ignore[assignment]  # a module elsewhere

FLUSH_ROWS, FLUSH_BYTES = 100_000, 8 * 1024 * 1024
_STATE, _PARTS, _LOCK = "state.json", "parts", "lock"


class Place(BaseModel):
    """Where a walk goes on: after a bookmark, or after a key; and what the request must be like there."""

    bookmark: str | None
    after: str | None
    record_cap: int
    unlisted: bool
    lacking: list[str]

    @classmethod
    def of(cls, request: LoadRequest, lacking: list[str]) -> Self:
        """Return the place that a request leads to; `lacking` are properties that the tenant has not got."""
        return cls(
            bookmark=request.bookmark,
            after=request.after,
            record_cap=request.record_cap,
            unlisted=request.unlisted,
            lacking=lacking,
        )

    def lead(self, first: LoadRequest) -> LoadRequest:
        """Return the request that goes on here, made of that for the first page."""
        return replace(
            first,
            bookmark=self.bookmark,
            after=self.after,
            record_cap=self.record_cap,
            unlisted=self.unlisted,
            load_type="NEXT" if self.bookmark else "FIRST",
        )


class State(BaseModel):
    """What an export asks, and how far its parts go.

    `place` is None where nothing can be continued; `done` tells that all rows are there, which
    are `as_of` a moment.
    """

    question: dict[str, str | None]
    format: str
    columns: list[str]
    version: str
    started: datetime
    place: Place | None = None
    parts: int = 0
    rows: int = 0
    pages: int = 0
    done: bool = False
    as_of: datetime | None = None
    remarks: list[str] = []


@dataclass(slots=True)
class Parts:
    """The parts of one export. Rows that are added are kept in memory until they make a part."""

    target: Target
    zone: tzinfo
    state: State
    schema: pa.Schema | None = None
    _waiting: list[pa.Table] = field(default_factory=list)
    _waiting_rows: int = 0
    _bytes: int = 0
    _next: Place | None = None
    _pages: int = 0

    @property
    def rows(self) -> int:
        """The rows so far, those in memory included."""
        return self.state.rows + self._waiting_rows

    @property
    def pages(self) -> int:
        """The pages so far."""
        return self.state.pages + self._pages

    def add(self, rows: pa.Table, place: Place | None) -> None:
        """Take the rows of a page; `place` is where to go on after them."""
        self.schema = self.schema or rows.schema
        self._waiting.append(rows)
        self._bytes += rows.nbytes
        self._next, self._pages = place, self._pages + 1
        self._waiting_rows += rows.num_rows
        if self._waiting_rows >= FLUSH_ROWS or self._bytes >= FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is in memory as a part, then how far that goes."""
        if self._waiting_rows:
            self._write(pa.concat_tables(self._waiting))

    def end(self, as_of: datetime, remarks: list[str]) -> None:
        """Note that all rows are there, of which moment they are, and what must be said about them."""
        self.flush()
        if not self.state.parts and self.schema is not None:
            self._write(self.schema.empty_table())
        self.state = self.state.model_copy(update={"done": True, "as_of": as_of, "remarks": remarks})
        self._save()

    def finish(self) -> int:
        """Make the whole of the parts and move it to the target; return its bytes."""
        folder = self.target.partial
        whole = folder / _PARTS
        if not self.target.folder:
            whole = folder / "whole"
            join_parts([self._part(number) for number in range(self.state.parts)], whole, self.target.format)
        size = self.target.put(whole)
        shutil.rmtree(folder)
        return size

    def restart(self) -> None:
        """Begin without any part, whatever an earlier run has left."""
        folder = self.target.partial / _PARTS
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.state = self.state.model_copy(update={"place": None, "parts": 0, "rows": 0, "pages": 0})
        self._save()

    def _write(self, table: pa.Table) -> None:
        number = self.state.parts
        write_part(self._part(number), table, self.target.format, self.zone, first=number == 0)
        reached = {"place": self._next, "parts": number + 1, "rows": self.rows, "pages": self.pages}
        self.state = self.state.model_copy(update=reached)
        self._waiting, self._waiting_rows, self._bytes, self._pages = [], 0, 0, 0
        pa.default_memory_pool().release_unused()
        self._save()

    def _part(self, number: int) -> Path:
        return self.target.partial / _PARTS / f"{PART}{number:05}.{self.target.format}"

    def _save(self) -> None:
        growing = self.target.partial / f"{_STATE}.growing"
        descriptor = os.open(growing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.state.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        growing.replace(self.target.partial / _STATE)


@contextmanager
def alone(target: Target) -> Iterator[None]:
    """Make the folder in which an export grows, and hold it. Raises InvalidParameter while somebody else does."""
    target.partial.mkdir(mode=0o700, exist_ok=True)
    with (target.partial / _LOCK).open("w") as lock:
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidParameter("--to", f"another export is writing {target.path} just now") from None
        yield


def open_parts(target: Target, zone: tzinfo, asked: State, *, restart: bool = False) -> Parts:
    """Return the parts of an export: those of an earlier run that asked the same, or none yet.

    Raises InvalidParameter when the earlier run asked something else, and is not to be given up.
    """
    earlier = None if restart else _earlier(target)
    if earlier is not None and (earlier.question, earlier.format) != (asked.question, asked.format):
        raise InvalidParameter(
            "--to", f"{target.partial} holds the beginning of another export; --restart gives it up"
        )
    if earlier is not None and earlier.columns == asked.columns and (earlier.place or earlier.done):
        return Parts(target, zone, earlier)
    parts = Parts(target, zone, asked)
    parts.restart()
    return parts


def saved_rows(target: Target) -> int | None:
    """Return how many rows a run that was broken off has left to go on from; None when there are none."""
    state = _earlier(target)
    return state.rows if state and (state.place or state.done) else None


def _earlier(target: Target) -> State | None:
    """Return the state that an earlier run has left; None when there is none, or none that can be read."""
    try:
        return State.model_validate_json((target.partial / _STATE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
