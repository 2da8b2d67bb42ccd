"""Tokens: obtained from the ERP's way in, kept while they are good, renewed once for all who wait.

Cloud: OAuth 2.0 at the ION authorisation server, password grant with the service-account keys of an `.ionapi`
file, client credentials in HTTP Basic or in the form (both are in use). Without service-account keys the grant
is `client_credentials`. Direct: `GET /token/{config}` with `username` and `password` headers, sent raw later.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, Self
from urllib.parse import quote

import httpx2
import msgspec

from kai_erp.core.retries import Throttled, with_retries
from kai_erp.core.types import Clock
from kai_erp.errors import Nonsense, UpstreamAuth, UpstreamUnavailable

_HEADER_TEXT = re.compile(r"(?!\s)[^\x00-\x1f\x7f]*(?<!\s)\Z")
_OAUTH_CODE = re.compile(r"[a-z_]{1,40}\Z")
HOLD_OFF_SECONDS = 30.0
"""How long credentials that were refused are not tried again."""

_AGAIN_SECONDS = 30.0
_TOKEN_SECONDS = 30.0
_TOKEN = re.compile(r"[\x21-\x7e]+\Z")
_UNSAID_LIFE = 3600.0
_SHORT_LIFE = 600.0
_SAFETY = 300.0
_THROTTLED = 429
_REFUSED = frozenset({400, 401, 403})
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Token:
    """A token and how many seconds it lives; None when it does not lapse by time."""

    value: str = field(repr=False)
    life: float | None


@dataclass(frozen=True, slots=True)
class Lease:
    """A token, in how many seconds from now it is to be renewed, and in how many it dies; None: not by time."""

    value: str = field(repr=False)
    due: float
    dies: float | None


class SharedTokens(Protocol):
    """The token that several processes use together."""

    async def renewed(self, obtain: Callable[[], Awaitable[Lease]], unwanted: str | None) -> Lease:
        """Return a token other than `unwanted`: another process's, or one that is obtained for all."""
        ...


class Grant(Protocol):
    """A way to obtain a token; `scheme` precedes it in the Authorization header."""

    scheme: str

    async def obtain(self) -> Token:
        """Return a new token. Raises UpstreamAuth when refused."""
        ...


@dataclass(slots=True)
class IonGrant:
    """Tokens of the ION authorisation server."""

    http: httpx2.AsyncClient
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    scheme: str = "Bearer "
    in_body: bool = field(default=False, init=False)

    async def obtain(self) -> Token:
        """Return a new token; the client goes in Basic, and in the form once Basic has been refused."""
        response = await self._ask(in_body=self.in_body)
        if not self.in_body and response.status_code in _REFUSED and _oauth_error(response) != "invalid_grant":
            response = await self._ask(in_body=True)
            self.in_body = response.is_success
        return self._token(response)

    async def _ask(self, *, in_body: bool) -> httpx2.Response:
        form = {"grant_type": "client_credentials"}
        if self.username and self.password:
            form = {"grant_type": "password", "username": self.username, "password": self.password}
        basic = None if in_body else httpx2.BasicAuth(self.client_id, self.client_secret)
        if in_body:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        return await _sent(self.http, httpx2.Request("POST", self.token_url, data=form), basic)

    def _token(self, response: httpx2.Response) -> Token:
        if response.status_code in _REFUSED:
            reason = _oauth_error(response) or f"HTTP {response.status_code}"
            raise UpstreamAuth(f"The authorisation server refuses the credentials: {reason}")
        answer = _json(response)
        value, life = answer.get("access_token"), answer.get("expires_in", _UNSAID_LIFE)
        if not isinstance(value, str) or not _TOKEN.match(value):
            raise Nonsense("The authorisation server", "no access_token")
        return Token(value, _seconds(life))


@dataclass(slots=True)
class DirectGrant:
    """Mongoose tokens of a server that is reached without a gateway; they do not lapse by time."""

    http: httpx2.AsyncClient
    base_url: str
    configuration: str
    username: str
    password: str = field(repr=False)
    scheme: str = ""

    async def obtain(self) -> Token:
        """Return a new token; user and password go in headers, never in the path."""
        url = f"{self.base_url}/IDORequestService/ido/token/{quote(self.configuration, safe='')}"
        if not all(_HEADER_TEXT.match(text) for text in (self.username, self.password)):
            raise UpstreamAuth("User or password begins, ends or breaks in a way that no HTTP header can carry")
        headers = {b"username": self.username.encode(), b"password": self.password.encode()}
        response = await _sent(self.http, httpx2.Request("GET", url, headers=headers))
        if response.status_code in _REFUSED:
            raise UpstreamAuth(f"The ERP refuses user and password: HTTP {response.status_code}")
        answer = _json(response)
        value = answer.get("Token")
        if not isinstance(value, str) or not _TOKEN.match(value):
            raise UpstreamAuth("The ERP gives no token for this user, password and configuration")
        return Token(value, None)


def _untold() -> None:
    """Take no note."""


class TokenManager:
    """The current token, for any number of callers at once.

    Credentials that are refused are not tried again for half a minute: accounts are locked after a few attempts.

    Args:
        grant: how a token is obtained.
        clock: growing seconds.
        refresh_seconds: age at which a token is renewed, if its own life does not ask for it sooner.
        shared: the token of several processes; without it this process has its own.
        obtained: told whenever a new token was obtained by this process.
    """

    def __init__(
        self,
        grant: Grant,
        clock: Clock,
        refresh_seconds: float = 3300.0,
        shared: SharedTokens | None = None,
        obtained: Callable[[], None] = _untold,
    ) -> None:
        self._grant, self._clock, self._refresh_seconds = grant, clock, refresh_seconds
        self._shared, self._obtained = shared, obtained
        self._token: str | None = None
        self._renew_at = self._dies_at = 0.0
        self._refusal: UpstreamAuth | None = None
        self._refused_until = float("-inf")
        self._renewal: asyncio.Task[str] | None = None

    def __repr__(self) -> str:
        return f"TokenManager({type(self._grant).__name__})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError, UpstreamAuth, UpstreamUnavailable, Nonsense):
                await self._renewal

    @property
    def renewals(self) -> int:
        """How often a call may renew: another process's token may have been refused meanwhile, a new one not."""
        return 1 if self._shared is None else 2

    async def authorization(self) -> str:
        """Return the value of the Authorization header, with a token that is good for a while.

        Raises UpstreamAuth when the credentials are refused, UpstreamUnavailable when nobody answers.
        """
        if self._token is None or self._clock() >= self._dies_at:
            return self._header(await self._renewed(None))
        if self._clock() >= self._renew_at:
            return self._header(await self._renewed_early(self._token))
        return self._header(self._token)

    async def _renewed_early(self, current: str) -> str:
        """Return a new token, or the current one while that still lives and no new one can be had."""
        try:
            return await self._renewed(None)
        except (UpstreamUnavailable, Nonsense):
            self._renew_at = self._clock() + _AGAIN_SECONDS
            return current

    async def renew(self, refused: str) -> str:
        """Return a header other than the `refused` one, renewing unless somebody already did."""
        unwanted = refused.removeprefix(self._grant.scheme)
        if self._token in {None, unwanted}:
            token = await self._renewed(unwanted)
            if token == unwanted:  # a renewal that did not know of the refusal was under way
                token = await self._renewed(unwanted)
            return self._header(token)
        return self._header(self._token)

    def _header(self, token: str) -> str:
        return f"{self._grant.scheme}{token}"

    async def _renewed(self, unwanted: str | None) -> str:
        """Return a new token; all who wait share one renewal, which outlives any of them."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renewal_of(unwanted))
            self._renewal.add_done_callback(_seen)
        return await asyncio.shield(self._renewal)

    async def _renewal_of(self, unwanted: str | None) -> str:
        lease = await (self._shared.renewed(self._new, unwanted) if self._shared else self._new())
        now = self._clock()
        self._token, self._renew_at = lease.value, now + lease.due
        self._dies_at = float("inf") if lease.dies is None else now + lease.dies
        return lease.value

    async def _new(self) -> Lease:
        """Return a token that is obtained now; its age counts from when it was asked for."""
        asked = self._clock()
        if self._refusal is not None and asked < self._refused_until:
            raise self._refusal.with_traceback(None)
        try:
            token = await with_retries(self._grant.obtain)
        except UpstreamAuth as refusal:
            self._refusal, self._refused_until = refusal, self._clock() + HOLD_OFF_SECONDS
            raise
        self._obtained()
        age = self._clock() - asked
        return Lease(token.value, self._good_for(token.life) - age, token.life and token.life - age)

    def _good_for(self, life: float | None) -> float:
        if life is None:
            return self._refresh_seconds
        return min(self._refresh_seconds, life - _SAFETY if life >= _SHORT_LIFE else life / 2)


def _seen(renewal: asyncio.Task[str]) -> None:
    """Take note of a failure that nobody waits for any more."""
    if not renewal.cancelled():
        renewal.exception()


async def _sent(
    http: httpx2.AsyncClient, request: httpx2.Request, auth: httpx2.BasicAuth | None = None
) -> httpx2.Response:
    try:
        async with asyncio.timeout(_TOKEN_SECONDS):
            response = await http.send(request, auth=auth)
    except TimeoutError as failure:
        raise UpstreamUnavailable(f"The token endpoint did not answer within {_TOKEN_SECONDS:g} s") from failure
    except httpx2.DecodingError as failure:
        raise Nonsense("The token endpoint", "a broken encoding") from failure
    except httpx2.TransportError as failure:
        raise UpstreamUnavailable(f"The token endpoint cannot be reached ({type(failure).__name__})") from failure
    if response.status_code == _THROTTLED:
        raise Throttled("The token endpoint asks for fewer requests", None)
    if response.status_code >= _SERVER_ERROR:
        raise UpstreamUnavailable(f"The token endpoint answers HTTP {response.status_code}")
    return response


def _json(response: httpx2.Response) -> dict[str, object]:
    if not response.is_success:
        raise UpstreamAuth(f"The token endpoint answers HTTP {response.status_code}: check its address")
    try:
        return msgspec.json.decode(response.content, type=dict[str, object])
    except msgspec.MsgspecError:
        raise Nonsense("The token endpoint", "no JSON object") from None


def _oauth_error(response: httpx2.Response) -> str:
    """Return the OAuth error code of a refusal; descriptions may repeat what was sent and are left out."""
    try:
        code = msgspec.json.decode(response.content, type=dict[str, object]).get("error")
    except msgspec.MsgspecError:
        return ""
    return code if isinstance(code, str) and _OAUTH_CODE.match(code) else ""


def _seconds(life: object) -> float:
    try:
        seconds = float(str(life))
    except ValueError:
        return _UNSAID_LIFE
    return seconds if 0 < seconds < float("inf") else _UNSAID_LIFE
