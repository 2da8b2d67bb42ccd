"""The composition root: settings, engines and connectors come together here and nowhere else."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from kai_erp.access import check_supported
from kai_erp.access.limits import Places, Rates
from kai_erp.admission import Admission
from kai_erp.audit import AuditLog
from kai_erp.checkups import Checkups
from kai_erp.config import Settings
from kai_erp.connectors import BaseConnector, ConnectorResult, Moment
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.keeping import Keeping
from kai_erp.core.types import Clock, Now, Progress
from kai_erp.core.watching import Watch
from kai_erp.desk import Desk
from kai_erp.errors import InvalidParameter, NotConfigured
from kai_erp.flights import Flights
from kai_erp.metrics import Metrics
from kai_erp.models.result import Caution, Meta, UpstreamRead
from kai_erp.noting import Notebook
from kai_erp.plugins import shown_connectors
from kai_erp.preflight import ConnectorCheck, LakeCheck, check_connectors, check_lake
from kai_erp.questions import DEFAULT_LIMIT, LARGEST_LIMIT, Answer, Asked
from kai_erp.showing import Showcase
from kai_erp.snapshots import Question, Snapshot, SnapshotStore
from kai_erp.tenant import Surroundings, Tenant, open_tenant

if TYPE_CHECKING:
    from kai_erp.shared.opening import Shared
    from kai_erp.shared.roll import Roll

__all__ = ["DEFAULT_LIMIT", "LARGEST_LIMIT", "Answer", "App", "Asked", "open_app", "utc_now"]

_READY_TIMEOUT = 10.0
_SHARE_FOR_WAITING = 1 / 3  # of a question's time, for which it may wait for a place
_SHARE_FOR_CACHE = 4  # so many times as much is set aside for answers that have cursors
_MEGABYTE = 1024 * 1024


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an app is put together from."""

    connectors: Sequence[BaseConnector[ConnectorQuery]]
    tenant: Tenant | None
    rates: Rates | None
    desk: Desk
    snapshots: SnapshotStore
    notebook: Notebook
    metrics: Metrics
    roll: Roll | None


class App:
    """Answers questions. Made by `open_app`."""

    def __init__(self, settings: Settings, parts: Parts, *, simulated: bool = False) -> None:
        self.settings = settings
        self.simulated = simulated
        self.connectors = {connector.name: connector for connector in parts.connectors}
        self.metrics, self.rates, self.roll = parts.metrics, parts.rates, parts.roll
        self._tenant, self._desk = parts.tenant, parts.desk
        self._places = Places(settings.inbound_concurrency)
        self._snapshots, self._notebook = parts.snapshots, parts.notebook
        self.recent = parts.notebook.recent
        self.checkups = Checkups(self.preflight, self.lake_check, utc_now)

    async def ask(self, asked: Asked, progress: Progress | None = None) -> Answer:
        """Return a page of an answer.

        Raises Forbidden when the caller may not ask this, RateLimited when it asks too much at once, NotConfigured
        without an ERP, CursorExpired, InvalidParameter when a cursor comes with other filters, TooManyRows,
        Overloaded, and UpstreamError when the ERP does not give what is needed.
        """
        with self._notebook.question(asked) as note:
            asked.caller.check(self.connectors[asked.connector].scope)
            with self._places.held(asked.caller.name) if asked.caller.name else nullcontext():
                note.answer = await self._answer(asked, progress)
            return note.answer

    async def _answer(self, asked: Asked, progress: Progress | None) -> Answer:
        started = time.perf_counter()
        if asked.cursor is None:
            question = Question(asked.connector, asked.query, asked.freshness, asked.caller.name)
            snapshot, name, row = Snapshot(question, await self._result(asked, progress)), "", 0
        else:
            snapshot, name, row = await self._snapshots.find(asked.cursor, asked.connector, asked.caller.name)
            _check_same(asked, snapshot.question)
        stop = snapshot.result.records.num_rows if asked.look else row + asked.limit
        return await self._page(snapshot, name, slice(row, stop), started)

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
        tenant, connector = self._configured(), self.connectors[asked.connector]

        async def read(told: Progress) -> ConnectorResult:
            moment = Moment(tenant.now(), self.settings.zone)
            return await connector.execute(
                asked.query, tenant.sources, moment, freshness=asked.freshness, progress=told
            )

        identical = (asked.caller.scopes, asked.connector, asked.query)
        if asked.look is not None:
            return await self._desk.show(identical, asked.freshness, read, asked.look, progress)
        return await self._desk.answer(identical, asked.freshness, read, progress)

    def _configured(self) -> Tenant:
        if self._tenant is None:
            raise NotConfigured(self.settings.missing())
        return self._tenant

    async def _page(self, snapshot: Snapshot, name: str, rows: slice, started: float) -> Answer:
        result, question = snapshot.result, snapshot.question
        total = result.records.num_rows
        page = result.records.slice(rows.start, rows.stop - rows.start)
        more = rows.stop < total
        if more:
            name = name or await self._snapshots.keep(snapshot)
        apart = self._snapshots.notice(name)
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
            warnings=[Caution.of(notice) for notice in (*result.notices, *([apart] if apart else []))],
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
        audit = stack.enter_context(AuditLog(settings.audit_log, audit_stream))
        metrics = Metrics(clock)
        connectors = shown_connectors(settings)
        shared = await open_shared_store(stack, settings, now, metrics)
        around = Surroundings(clock, now, metrics, shared)
        tenant = None if settings.missing() else await open_tenant(stack, settings, around)
        answers = shared.answers({connector.name: connector for connector in connectors}) if shared else None
        snapshots = SnapshotStore(clock, settings.snapshot_ttl_seconds, settings.snapshot_max_mb, answers)
        metrics.gauge("kai_erp_kept_answers", "Answers kept for cursors.", lambda: snapshots.count)
        metrics.gauge("kai_erp_kept_answers_bytes", "Bytes they take.", lambda: snapshots.taken)
        notebook = Notebook(audit, metrics, now)
        rates = shared.rates() if shared else None
        roll = await stack.enter_async_context(shared.roll(now)) if shared else None
        desk = _desk(settings, clock, metrics)
        parts = Parts(connectors, tenant, rates, desk, snapshots, notebook, metrics, roll)
        yield App(settings, parts, simulated=simulated)


def _desk(settings: Settings, clock: Clock, watch: Metrics) -> Desk:
    patience = settings.sl10_query_timeout_seconds * _SHARE_FOR_WAITING
    room = settings.snapshot_max_mb * _MEGABYTE // _SHARE_FOR_CACHE
    showcase = Showcase(clock, settings.snapshot_ttl_seconds, room)
    watch.gauge("kai_erp_shown_answers_bytes", "Bytes of the answers that viewers share.", lambda: showcase.taken)
    return Desk(
        Admission(settings.sl10_max_concurrency, patience, watch),
        Flights(),
        Keeping(clock, settings.cache_ttl_seconds, room, lambda result: int(result.records.nbytes)),
        showcase,
        watch,
    )


async def open_shared_store(stack: AsyncExitStack, settings: Settings, now: Now, watch: Watch) -> Shared | None:
    """Return what replicas share; None without REDIS_URL."""
    if settings.redis_url is None:
        return None
    from kai_erp.shared.opening import open_shared  # noqa: PLC0415  # a tenth of a second, only where it is used

    return await open_shared(stack, settings, now, watch)
