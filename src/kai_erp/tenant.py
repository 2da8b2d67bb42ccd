"""A tenant that can be asked: its engines, opened from the settings and closed again."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from kai_erp.config import Settings
from kai_erp.connectors import LakeSource, Sources
from kai_erp.core import ido
from kai_erp.core.auth import DirectGrant, IonGrant, TokenManager
from kai_erp.core.breaker import Breaker
from kai_erp.core.budget import RequestBudget
from kai_erp.core.compass_client import CompassClient, CompassEndpoint
from kai_erp.core.copies import Copies
from kai_erp.core.ido_client import IdoClient, IdoEndpoint
from kai_erp.core.lake_engine import DataLakeEngine
from kai_erp.core.lake_sql import LakeTables
from kai_erp.core.passage import Passage
from kai_erp.core.rest_engine import RestEngine
from kai_erp.core.router import QueryRouter
from kai_erp.core.seen import SeenValues, SeenVolumes
from kai_erp.core.staging import StagingDatabase
from kai_erp.core.types import Clock, Now
from kai_erp.core.watching import UNWATCHED, Upstream, Watch
from kai_erp.errors import InvalidSetting, UpstreamError, UpstreamUnavailable
from kai_erp.ionapi import IonapiFile, read_ionapi
from kai_erp.proxies import proxy_for

if TYPE_CHECKING:
    from kai_erp.core.auth import SharedTokens
    from kai_erp.shared.opening import Shared

_CONNECT_SECONDS = 10.0
_READY_SECONDS = 30.0
_SHARE_FOR_OPTIONAL = 0.4  # of a question's time; a fallback may take as long again
_LAKE_CONCURRENCY, _LAKE_PER_MINUTE = 12, 600  # a tenant allows 100 queries, 1,000 polls, 10,000 pages a minute
_MEGABYTE = 1024 * 1024
_REFERENCE_ROOM = 64 * _MEGABYTE


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a tenant is opened in: clocks, whoever counts its work, what replicas share if there are several."""

    clock: Clock
    now: Now
    watch: Watch = UNWATCHED
    shared: Shared | None = None

    async def tokens(
        self, stack: AsyncExitStack, grant: IonGrant | DirectGrant, upstream: Upstream, minutes: float
    ) -> TokenManager:
        """Return the token of an upstream, renewed at an age of so many minutes."""
        obtained = partial(self.watch.token_renewed, upstream)
        shared = self._shared_tokens(grant, upstream)
        manager = TokenManager(grant, self.clock, minutes * 60, shared, obtained)
        return await stack.enter_async_context(manager)

    def budget(self, upstream: Upstream, concurrency: int, per_minute: int) -> RequestBudget:
        """Return how much an upstream is asked of."""
        window = self.shared.window(upstream) if self.shared else None
        budget = RequestBudget(concurrency, per_minute, self.clock, window)
        self.watch.budgeted(upstream, per_minute, budget.started, budget.waiting)
        return budget

    def passage(self, upstream: Upstream, tokens: TokenManager, budget: RequestBudget) -> Passage:
        """Return what every request to an upstream passes."""
        return Passage(upstream, tokens, budget, Breaker(upstream, self.clock, self.watch), self.watch)

    def _shared_tokens(self, grant: IonGrant | DirectGrant, upstream: Upstream) -> SharedTokens | None:
        """Return the token for all replicas; direct ones may not stand parallel calls, so each has its own."""
        if self.shared is None:
            return None
        if isinstance(grant, DirectGrant):
            way_in = (grant.base_url, grant.configuration, grant.username, grant.password)
            return self.shared.tokens(upstream, *way_in, one_for_all=False)
        account = (grant.username or "", grant.password or "")
        return self.shared.tokens(upstream, grant.token_url, grant.client_id, grant.client_secret, *account)


class Tenant:
    """An ERP that can be asked."""

    def __init__(self, client: IdoClient, sources: Sources, clock: Clock, now: Now) -> None:
        self.sources, self.now = sources, now
        self.client, self._clock = client, clock
        self._checking: asyncio.Task[None] | None = None
        self._checked_until = float("-inf")
        self._unready: UpstreamError | None = None

    async def check_ready(self, seconds: float) -> None:
        """Return when a token and one cheap read succeed in time, raise what failed; both are kept 30 s.

        So probes cannot load the ERP, however many there are.
        """
        if self._checking is None and self._clock() >= self._checked_until:
            self._checking = asyncio.create_task(self._checked(seconds))
        if self._checking is not None:
            await asyncio.shield(self._checking)
        if self._unready is not None:
            raise self._unready.with_traceback(None)

    async def close(self) -> None:
        """Break off a check that is under way."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)

    async def _checked(self, seconds: float) -> None:
        """Check, for all who wait and whoever of them stays."""
        try:
            self._unready = await self._check(seconds)
            self._checked_until = self._clock() + _READY_SECONDS
        finally:
            self._checking = None

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


async def open_tenant(stack: AsyncExitStack, settings: Settings, around: Surroundings) -> Tenant:
    """Return the tenant that the settings lead to; the stack closes what was opened.

    Raises InvalidSetting when the `.ionapi` file or the CA bundle cannot be used.
    """
    file = read_ionapi(settings.sl10_ionapi_file) if settings.sl10_ionapi_file else None
    address = file.gateway if file else str(settings.sl10_base_url)
    http = await stack.enter_async_context(_http_client(settings, address, settings.sl10_max_concurrency))
    grant = _cloud_grant(file, http) if file else _direct_grant(settings, http)
    url = file.service_url(settings.sl10_suite) if file else f"{address}/IDORequestService/ido"
    seconds = settings.sl10_request_timeout_seconds
    endpoint = IdoEndpoint(url, settings.sl10_config_name, seconds, direct=file is None)
    tokens = await around.tokens(stack, grant, "erp", settings.token_refresh_minutes)
    budget = around.budget("erp", settings.sl10_max_concurrency, settings.sl10_requests_per_minute)
    client = IdoClient(http, endpoint, around.passage("erp", tokens, budget), around.now)
    lake = await _open_lake(stack, settings, around)
    engine = RestEngine(
        client,
        page_size=settings.sl10_page_size,
        clock=around.clock,
        now=around.now,
        patience=settings.sl10_query_timeout_seconds * _SHARE_FOR_OPTIONAL,
        key_ranges=settings.sl10_key_ranges,
    )
    engine.copies = Copies(around.clock, settings.reference_ttl_seconds, _REFERENCE_ROOM, settings.zone)
    sources = Sources(
        router=QueryRouter(
            preferred_max=settings.rest_preferred_max, hard_max=settings.rest_hard_max, lake=lake is not None
        ),
        collections=engine,
        staging=stack.enter_context(StagingDatabase()),
        volumes=SeenVolumes(around.clock),
        values=SeenValues(),
        rest_seconds=settings.sl10_query_timeout_seconds,
        lake=lake,
    )
    tenant = Tenant(client, sources, around.clock, around.now)
    stack.push_async_callback(tenant.close)
    return tenant


async def _open_lake(stack: AsyncExitStack, settings: Settings, around: Surroundings) -> LakeSource | None:
    if not settings.lake_enabled:
        return None
    path, variable = _lake_file(settings)
    file = read_ionapi(path, variable)
    url = settings.lake_compass_url or file.compass_url
    http = await stack.enter_async_context(_http_client(settings, url, _LAKE_CONCURRENCY))
    grant = _cloud_grant(file, http)
    grant.client_id = settings.lake_ion_client_id or grant.client_id
    if settings.lake_ion_client_secret is not None:
        grant.client_secret = settings.lake_ion_client_secret.get_secret_value()
    tokens = await around.tokens(stack, grant, "lake", settings.token_refresh_minutes)
    budget = around.budget("lake", _LAKE_CONCURRENCY, _LAKE_PER_MINUTE)
    tables = LakeTables(settings.lake_table_template, settings.lake_site)
    engine = DataLakeEngine(
        CompassClient(http, CompassEndpoint(url), around.passage("lake", tokens, budget), around.now),
        tables=tables,
        zone=settings.zone,
        page_rows=settings.lake_page_rows,
        timeout_seconds=settings.lake_query_timeout_minutes * 60,
        timestamps=settings.lake_timestamps,
        clock=around.clock,
        now=around.now,
    )
    return LakeSource(engine, tables, max_bytes=settings.snapshot_max_mb * _MEGABYTE)


def _lake_file(settings: Settings) -> tuple[Path, str]:
    if settings.lake_ionapi_file is not None:
        return settings.lake_ionapi_file, "LAKE_IONAPI_FILE"
    if settings.sl10_ionapi_file is not None:
        return settings.sl10_ionapi_file, "SL10_IONAPI_FILE"
    raise InvalidSetting("LAKE_ENABLED is true, but neither LAKE_IONAPI_FILE nor SL10_IONAPI_FILE is set")


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


class _Wire(httpx2.AsyncBaseTransport):
    """The wire below a client, opened at its first request: importing aiohttp would double what a start takes."""

    def __init__(self, context: ssl.SSLContext, connections: int) -> None:
        self._context, self._connections = context, connections
        self._opened: httpx2.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._opened is None:
            from kai_erp.wire import AiohttpTransport  # noqa: PLC0415

            self._opened = AiohttpTransport(self._context, self._connections)
        return await self._opened.handle_async_request(request)

    async def aclose(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()


def _http_client(settings: Settings, address: str, concurrency: int) -> httpx2.AsyncClient:
    """Return the client of an upstream's requests: no redirects, TLS always verified.

    Raises InvalidSetting when the CA bundle, or the proxy that the environment names, cannot be used.
    """
    proxy_for(address)  # refused now, not at the first question
    return httpx2.AsyncClient(
        follow_redirects=False,
        timeout=httpx2.Timeout(settings.sl10_request_timeout_seconds, connect=_CONNECT_SECONDS),
        transport=_Wire(_trust(settings, address), concurrency + 2),
    )


def _trust(settings: Settings, address: str) -> ssl.SSLContext:
    """Return what certificates are verified by; to this machine there is none, and reading them all takes time."""
    if settings.sl10_ca_bundle is None:
        plain = address.startswith("http://")
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else httpx2.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=str(settings.sl10_ca_bundle))
    except (OSError, ssl.SSLError) as failure:
        raise InvalidSetting(
            f"SL10_CA_BUNDLE is '{settings.sl10_ca_bundle}', which cannot be used: {failure}"
        ) from None
