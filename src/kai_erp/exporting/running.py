"""An export from its beginning, or from where an earlier run stopped, to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from kai_erp import __version__, formats
from kai_erp.app import utc_now
from kai_erp.audit import AuditLog
from kai_erp.config import Settings
from kai_erp.core.types import DataSource, Notice, Now
from kai_erp.errors import KaiErpError
from kai_erp.exporting.failures import told_plainly
from kai_erp.exporting.opening import Export, opened_tenant, stream_of
from kai_erp.exporting.parts import Parts, State, alone, open_parts
from kai_erp.exporting.streams import LakeAnswer, Stream, WholeAnswer
from kai_erp.exporting.targets import FileFormat
from kai_erp.exporting.walks import CollectionWalk, PlaceLost
from kai_erp.models.result import utc_text

_MOVED = "rows that moved while the pages were read may be there twice"
_AGAIN = "the ERP did not go on where the earlier run stopped, so it was read from the beginning"

Told = Callable[[int, int], None]
"""Told the rows and pages so far."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What became of an export; `earlier` rows had been read by a run before."""

    rows: int
    earlier: int
    bytes: int
    source: DataSource
    as_of: datetime
    remarks: tuple[str, ...]


async def run_export(
    export: Export, settings: Settings, told: Told | None = None, *, now: Now = utc_now
) -> Finished:
    """Write the whole export and return what became of it.

    A run that is broken off leaves TARGET.partial, from which the same export goes on. Raises InvalidParameter
    when the target or the source cannot be, CannotWrite when the disk refuses, UpstreamError when the ERP does.
    """
    with told_plainly():
        export.target.check_free(overwrite=export.overwrite)
    async with opened_tenant(settings, now) as tenant:
        stream = stream_of(export, settings, tenant)
        with told_plainly(), alone(export.target), AuditLog(settings.audit_log) as audit:
            state = _begun(export, stream, settings, tenant.now())
            parts = open_parts(export.target, settings.zone, state, restart=export.restart)
            return await Running(export, stream, parts, told or _tell_nobody).audited(audit)


@dataclass(slots=True)
class Running:
    """An export under way."""

    export: Export
    stream: Stream
    parts: Parts
    told: Told
    again: bool = False

    async def audited(self, audit: AuditLog) -> Finished:
        """Run to the end and leave a line for the auditor, however it ends."""
        started, outcome = time.perf_counter(), "cancelled"
        try:
            with told_plainly():
                finished = await self.run()
        except KaiErpError as failure:
            outcome = failure.code
            raise
        else:
            outcome = "answered"
            return finished
        finally:
            if audit.wanted:
                seconds = time.perf_counter() - started
                audit.write(self._line(outcome, seconds))

    async def run(self) -> Finished:
        """Read what is missing and make the whole."""
        earlier = self.parts.rows
        if not self.parts.state.done:
            earlier = await self._read()
            self.parts.end(self._as_of(), self._remarks())
        size, state = self.parts.finish(), self.parts.state
        return Finished(
            rows=state.rows,
            earlier=earlier,
            bytes=size,
            source=self.stream.source,
            as_of=state.as_of or state.started,
            remarks=tuple(state.remarks),
        )

    async def _read(self) -> int:
        """Add all pages that are missing; return how many rows there were before."""
        earlier = self.parts.rows
        try:
            await self._follow()
        except PlaceLost:
            self.parts.restart()
            self.again, earlier = True, 0
            await self._follow()
        return earlier

    async def _follow(self) -> None:
        """Add the pages from where the parts end; those read before a failure are not lost."""
        try:
            async with aclosing(self.stream.pages(self.parts.state.place)) as pages:
                async for rows, place in pages:
                    self.parts.add(self._shaped(rows), place)
                    self.told(self.parts.rows, self.parts.pages)
        finally:
            self.parts.flush()

    def _shaped(self, rows: pa.Table) -> pa.Table:
        """Return records as the format has them: CSV has a row for each one of the list within."""
        if self.export.target.format is FileFormat.CSV and isinstance(self.stream, WholeAnswer | LakeAnswer):
            return formats.flat(rows, self.stream.connector.rows_of)
        return rows

    def _as_of(self) -> datetime:
        """Return how old the oldest row is."""
        return self.parts.state.started if isinstance(self.stream, CollectionWalk) else self.stream.as_of

    def _remarks(self) -> list[str]:
        notices: list[Notice] = self.stream.notices()
        remarks = [f"{notice.code}: {notice.message}" for notice in notices]
        if self.again:
            remarks.append(_AGAIN)
        return [*remarks, _MOVED] if isinstance(self.stream, CollectionWalk) else remarks

    def _line(self, outcome: str, seconds: float) -> dict[str, object]:
        query = self.export.query
        return {
            "at": utc_text(utc_now()),
            "caller": None,
            "export": self.export.name,
            "filters": query.model_dump(mode="json", exclude_defaults=True) if query else {},
            "outcome": outcome,
            "ms": round(seconds * 1000, 1),
            "source": self.stream.source.value,
            "rows": self.parts.rows,
            "simulated": self.export.simulated,
        }


def _begun(export: Export, stream: Stream, settings: Settings, now: datetime) -> State:
    """Return the state of an export that has no part yet."""
    return State(
        question={**export.question(settings), "source": stream.source.value},
        format=export.target.format,
        columns=stream.columns() if isinstance(stream, CollectionWalk) else [],
        version=__version__,
        started=now,
    )


def _tell_nobody(rows: int, pages: int) -> None:
    """Take no note of the progress."""
