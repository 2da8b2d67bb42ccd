"""The composition root: settings, engines and connectors come together here and nowhere else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from kai_erp.access import check_supported
from kai_erp.audit import AuditLog
from kai_erp.config import Settings
from kai_erp.connectors import BaseConnector, ConnectorResult, Moment
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Clock, Now, Progress
from kai_erp.errors import InvalidParameter, NotConfigured
from kai_erp.metrics import Metrics
from kai_erp.models.result import Caution, Meta, UpstreamRead
from kai_erp.noting import Notebook
from kai_erp.plugins import shown_connectors
from kai_erp.preflight import ConnectorCheck, LakeCheck, check_connectors, check_lake
from kai_erp.questions import DEFAULT_LIMIT, LARGEST_LIMIT, Answer, Asked
from kai_erp.snapshots import Question, Snapshot, SnapshotStore
from kai_erp.tenant import Tenant, open_tenant

__all__ = ["DEFAULT_LIMIT", "LARGEST_LIMIT", "Answer", "App", "Asked", "open_app", "utc_now"]

_READY_TIMEOUT = 10.0


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an app is put together from."""

    connectors: Sequence[BaseConnector[ConnectorQuery]]
    tenant: Tenant | None
    snapshots: SnapshotStore
    notebook: Notebook
    metrics: Metrics


class App:
    """Answers questions. Made by `open_app`."""

    def __init__(self, settings: Settings, parts: Parts, *, simulated: bool = False) -> None:
        self.settings = settings
        self.simulated = simulated
        self.connectors = {connector.name: connector for connector in parts.connectors}
        self.metrics = parts.metrics
        self._tenant, self._snapshots, self._notebook = parts.tenant, parts.snapshots, parts.notebook

    async def ask(self, asked: Asked, progress: Progress | None = None) -> Answer:
        """Return a page of an answer.

        Raises Forbidden when the caller may not ask this, NotConfigured without an ERP, CursorExpired,
        InvalidParameter when a cursor comes with other filters, TooManyRows, and UpstreamError when the ERP does
        not give what is needed.
        """
        with self._notebook.question(asked) as note:
            asked.caller.check(self.connectors[asked.connector].scope)
            note.answer = await self._answer(asked, progress)
            return note.answer

    async def _answer(self, asked: Asked, progress: Progress | None) -> Answer:
        started = time.perf_counter()
        if asked.cursor is None:
            question = Question(asked.connector, asked.query, asked.freshness, asked.caller.name)
            snapshot, name, row = Snapshot(question, await self._result(asked, progress)), "", 0
        else:
            snapshot, name, row = self._snapshots.find(asked.cursor, asked.connector, asked.caller.name)
            _check_same(asked, snapshot.question)
        return self._page(snapshot, name, slice(row, row + asked.limit), started)

    async def check_ready(self) -> None:
        """Return when the ERP lets us in and answers a small read; raise otherwise. Both are kept 30 s."""
        await self._configured().check_ready(min(self.settings.sl10_request_timeout_seconds, _READY_TIMEOUT))

    async def preflight(self) -> list[ConnectorCheck]:
        """Return how each connector stands with the tenant. Raises UpstreamAuth when it does not let us in."""
        return await check_connectors(self._configured().client, self.connectors.values())

    def seen(self, connector: str, parameter: str) -> tuple[str, ...]:
        """Return the values of a parameter that a connector's answers have shown, the oldest first."""
        return self._tenant.sources.values.recall(connector, parameter) if self._tenant else ()

    async def lake_check(self) -> LakeCheck | None:
        """Return how the data lake stands; None when there is none."""
        tenant = self._configured()
        lake = tenant.sources.lake
        return await check_lake(lake, self.connectors.values(), tenant.now()) if lake else None

    async def _result(self, asked: Asked, progress: Progress | None) -> ConnectorResult:
        tenant = self._configured()
        moment = Moment(tenant.now(), self.settings.zone)
        connector = self.connectors[asked.connector]
        return await connector.execute(
            asked.query, tenant.sources, moment, freshness=asked.freshness, progress=progress
        )

    def _configured(self) -> Tenant:
        if self._tenant is None:
            raise NotConfigured(self.settings.missing())
        return self._tenant

    def _page(self, snapshot: Snapshot, name: str, rows: slice, started: float) -> Answer:
        result, question = snapshot.result, snapshot.question
        total = result.records.num_rows
        page = result.records.slice(rows.start, rows.stop - rows.start)
        more = rows.stop < total
        if more:
            name = name or self._snapshots.keep(snapshot)
        meta = Meta(
            connector=question.connector,
            source=result.source,
            freshness=question.freshness,
            simulated=self.simulated,
            as_of=result.as_of,
            latency_ms=round((time.perf_counter() - started) * 1000, 1),
            record_count=page.num_rows,
            total_count=total,
            truncated=page.num_rows < total,
            next_cursor=f"{name}.{rows.stop}" if more else None,
            filters_applied=question.query.model_dump(exclude_defaults=True),
            warnings=[Caution.of(notice) for notice in result.notices],
            upstream=[UpstreamRead.of(report) for report in result.upstream],
        )
        return Answer(page, result.summary, meta)


def _check_same(asked: Asked, question: Question) -> None:
    """Raise InvalidParameter when a cursor comes with filters other than those it was given for."""
    for name in sorted(asked.given):
        given = asked.freshness if name == "freshness" else getattr(asked.query, name)
        first = question.freshness if name == "freshness" else getattr(question.query, name)
        if given != first:
            raise InvalidParameter(
                name, f"a cursor goes alone or with the first request's filters ({name}={first})"
            )


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    simulated: bool = False,
    clock: Clock = time.monotonic,
    now: Now = utc_now,
    audit_stream: TextIO | None = None,
) -> AsyncIterator[App]:
    """Open everything that answering takes, and close it again; AUDIT_LOG=- leads to `audit_stream`, else stderr.

    Without ERP settings the app opens and every question raises NotConfigured. Raises InvalidSetting when the
    `.ionapi` file or the CA bundle cannot be used, or a setting asks for what this version does not do.
    """
    check_supported(settings)
    async with AsyncExitStack() as stack:
        tenant = None if settings.missing() else await open_tenant(stack, settings, clock, now)
        snapshots = SnapshotStore(clock, settings.snapshot_ttl_seconds, settings.snapshot_max_mb)
        audit = stack.enter_context(AuditLog(settings.audit_log, audit_stream))
        metrics = Metrics(clock)
        notebook = Notebook(audit, metrics, now)
        parts = Parts(shown_connectors(settings), tenant, snapshots, notebook, metrics)
        yield App(settings, parts, simulated=simulated)
