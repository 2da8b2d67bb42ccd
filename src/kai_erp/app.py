"""The composition root: settings, engines and connectors come together here and nowhere else."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
import pyarrow as pa

from kai_erp.access import check_supported
from kai_erp.config import Settings, is_loopback
from kai_erp.connectors import BaseConnector, BedrockOpsScheduler, Moment, Sources
from kai_erp.connectors.base import ConnectorResult
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core import ido
from kai_erp.core.auth import DirectGrant, IonGrant, TokenManager
from kai_erp.core.budget import RequestBudget
from kai_erp.core.ido_client import IdoClient, IdoEndpoint
from kai_erp.core.rest_engine import RestEngine
from kai_erp.core.router import QueryRouter
from kai_erp.core.seen import SeenValues, SeenVolumes
from kai_erp.core.staging import StagingDatabase
from kai_erp.core.types import Clock, Freshness, Now, Progress
from kai_erp.errors import InvalidParameter, InvalidSetting, NotConfigured, UpstreamError, UpstreamUnavailable
from kai_erp.ionapi import IonapiFile, read_ionapi
from kai_erp.models.result import Caution, Meta, UpstreamRead
from kai_erp.preflight import ConnectorCheck, check_connectors
from kai_erp.snapshots import Question, Snapshot, SnapshotStore

DEFAULT_LIMIT = 500
LARGEST_LIMIT = 10_000
_CONNECT_SECONDS = 10.0
_READY_SECONDS = 30.0
_READY_TIMEOUT = 10.0
_SHARE_FOR_OPTIONAL = 0.4  # of a question's time; a fallback may take as long again


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a page of an answer.

    With a `cursor` the page comes from the kept answer; `given` names the parameters that were put beside it and
    must then be those of the first request.
    """

    connector: str
    query: ConnectorQuery
    freshness: Freshness = Freshness.REALTIME
    limit: int = DEFAULT_LIMIT
    cursor: str | None = None
    caller: str = ""
    given: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Answer:
    """A page of an answer: records as columns, the summary of the whole, and the meta of the envelope."""

    records: pa.Table
    summary: Mapping[str, object]
    meta: Meta


class App:
    """Answers questions. Made by `open_app`."""

    def __init__(
        self,
        settings: Settings,
        connectors: Sequence[BaseConnector[ConnectorQuery]],
        tenant: Tenant | None,
        snapshots: SnapshotStore,
        *,
        simulated: bool = False,
    ) -> None:
        self.settings = settings
        self.simulated = simulated
        self.connectors = {connector.name: connector for connector in connectors}
        self._tenant, self._snapshots = tenant, snapshots

    async def ask(self, asked: Asked, progress: Progress | None = None) -> Answer:
        """Return a page of an answer.

        Raises NotConfigured without an ERP, CursorExpired, InvalidParameter when a cursor comes with other
        filters, TooManyRows, and UpstreamError when the ERP does not give what is needed.
        """
        started = time.perf_counter()
        if asked.cursor is None:
            question = Question(asked.connector, asked.query, asked.freshness, asked.caller)
            snapshot, name, row = Snapshot(question, await self._result(asked, progress)), "", 0
        else:
            snapshot, name, row = self._snapshots.find(asked.cursor, asked.connector, asked.caller)
            _check_same(asked, snapshot.question)
        return self._page(snapshot, name, slice(row, row + asked.limit), started)

    async def check_ready(self) -> None:
        """Return when the ERP lets us in and answers a small read; raise otherwise. Both are kept 30 s."""
        await self._configured().check_ready(min(self.settings.sl10_request_timeout_seconds, _READY_TIMEOUT))

    async def preflight(self) -> list[ConnectorCheck]:
        """Return how each connector stands with the tenant. Raises UpstreamAuth when it does not let us in."""
        return await check_connectors(self._configured().client, self.connectors.values())

    async def _result(self, asked: Asked, progress: Progress | None) -> ConnectorResult:
        tenant = self._configured()
        seconds = self.settings.sl10_query_timeout_seconds
        moment = Moment(tenant.now(), self.settings.zone)
        connector = self.connectors[asked.connector]
        try:
            async with asyncio.timeout(seconds):
                return await connector.execute(
                    asked.query, tenant.sources, moment, freshness=asked.freshness, progress=progress
                )
        except TimeoutError:
            raise UpstreamUnavailable(f"The ERP did not answer the whole question within {seconds:g} s") from None

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


class Tenant:
    """An ERP that can be asked."""

    def __init__(self, client: IdoClient, sources: Sources, clock: Clock, now: Now) -> None:
        self.sources, self.now = sources, now
        self.client, self._clock = client, clock
        self._checking = asyncio.Lock()
        self._checked_until = float("-inf")
        self._unready: UpstreamError | None = None

    async def check_ready(self, seconds: float) -> None:
        """Return when a token and one cheap read succeed in time, raise what failed; both are kept 30 s.

        So probes cannot load the ERP, however many there are.
        """
        async with self._checking:
            if self._clock() >= self._checked_until:
                self._unready = await self._check(seconds)
                self._checked_until = self._clock() + _READY_SECONDS
        if self._unready is not None:
            raise self._unready.with_traceback(None)

    async def _check(self, seconds: float) -> UpstreamError | None:
        request = ido.LoadRequest("SLJobs", ("Job",), order_by=("Job", "Suffix"), record_cap=1)
        try:
            async with asyncio.timeout(seconds):
                await self.client.page(request)
        except TimeoutError:
            return UpstreamUnavailable(f"The ERP did not answer one small read within {seconds:g} s")
        except UpstreamError as failure:
            return failure
        return None


@asynccontextmanager
async def open_app(
    settings: Settings, *, simulated: bool = False, clock: Clock = time.monotonic, now: Now = utc_now
) -> AsyncIterator[App]:
    """Open everything that answering takes, and close it again.

    Without ERP settings the app opens and every question raises NotConfigured. Raises InvalidSetting when the
    `.ionapi` file or the CA bundle cannot be used, or a setting asks for what this version does not do.
    """
    check_supported(settings)
    async with AsyncExitStack() as stack:
        tenant = None if settings.missing() else await _open_tenant(stack, settings, clock, now)
        snapshots = SnapshotStore(clock, settings.snapshot_ttl_seconds, settings.snapshot_max_mb)
        yield App(settings, all_connectors(), tenant, snapshots, simulated=simulated)


def all_connectors() -> list[BaseConnector[ConnectorQuery]]:
    """Return every connector."""
    return [BedrockOpsScheduler()]  # type: ignore[list-item]  # a connector is only handed its own query


async def _open_tenant(stack: AsyncExitStack, settings: Settings, clock: Clock, now: Now) -> Tenant:
    file = read_ionapi(settings.sl10_ionapi_file) if settings.sl10_ionapi_file else None
    address = file.gateway if file else str(settings.sl10_base_url)
    http = await stack.enter_async_context(_http_client(settings, address))
    grant = _cloud_grant(file, http) if file else _direct_grant(settings, http)
    url = file.service_url(settings.sl10_suite) if file else f"{address}/IDORequestService/ido"
    seconds = settings.sl10_request_timeout_seconds
    endpoint = IdoEndpoint(url, settings.sl10_config_name, seconds, direct=file is None)
    tokens = await stack.enter_async_context(TokenManager(grant, clock, settings.token_refresh_minutes * 60))
    budget = RequestBudget(settings.sl10_max_concurrency, settings.sl10_requests_per_minute, clock)
    client = IdoClient(http, endpoint, tokens, budget, now)
    sources = Sources(
        router=QueryRouter(preferred_max=settings.rest_preferred_max, hard_max=settings.rest_hard_max),
        collections=RestEngine(
            client,
            page_size=settings.sl10_page_size,
            clock=clock,
            now=now,
            patience=settings.sl10_query_timeout_seconds * _SHARE_FOR_OPTIONAL,
        ),
        staging=stack.enter_context(StagingDatabase()),
        volumes=SeenVolumes(clock),
        values=SeenValues(),
    )
    return Tenant(client, sources, clock, now)


def _cloud_grant(file: IonapiFile, http: httpx2.AsyncClient) -> IonGrant:
    grant = IonGrant(http, file.token_url, file.client_id, file.client_secret.get_secret_value())
    if file.account_key and file.account_secret:
        grant.username = file.account_key.get_secret_value()
        grant.password = file.account_secret.get_secret_value()
    return grant


def _direct_grant(settings: Settings, http: httpx2.AsyncClient) -> DirectGrant:
    secret = settings.sl10_password.get_secret_value() if settings.sl10_password else ""
    base, site, user = map(str, (settings.sl10_base_url, settings.sl10_config_name, settings.sl10_username))
    return DirectGrant(http, base, site, user, secret)


def _http_client(settings: Settings, address: str) -> httpx2.AsyncClient:
    """Return the client of all upstream requests: no redirects, TLS always verified, no proxy to this machine."""
    connections = settings.sl10_max_concurrency + 2
    return httpx2.AsyncClient(
        follow_redirects=False,
        verify=_trust(settings, address),
        timeout=httpx2.Timeout(settings.sl10_request_timeout_seconds, connect=_CONNECT_SECONDS),
        limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
        trust_env=not is_loopback(urlsplit(address).hostname),
    )


def _trust(settings: Settings, address: str) -> ssl.SSLContext | bool:
    """Return what certificates are verified by; to this machine there is none, and reading them all takes time."""
    if settings.sl10_ca_bundle is None:
        return not address.startswith("http://") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return ssl.create_default_context(cafile=str(settings.sl10_ca_bundle))
    except (OSError, ssl.SSLError) as failure:
        raise InvalidSetting(
            f"SL10_CA_BUNDLE is '{settings.sl10_ca_bundle}', which cannot be used: {failure}"
        ) from None
