"""The public keys of an OAuth issuer: fetched when needed, kept for an hour, fetched anew when they rotate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from kai_erp.config import Settings, check_upstream_url
from kai_erp.core.types import Clock
from kai_erp.errors import UpstreamUnavailable

_KEPT_SECONDS = 3_600.0
_AGAIN_SECONDS = 30.0
_OLDEST_SECONDS = 86_400.0
_LARGEST = 1_000_000
_TIMEOUT = httpx2.Timeout(5.0)
_METADATA = ("openid-configuration", "oauth-authorization-server")
log = structlog.get_logger(__name__)


class KeySource:
    """The keys of an issuer, for any number of requests at once.

    An unknown name lets them be fetched anew, at most twice a minute. While the issuer is out of reach the keys
    that it had stay good for a day.

    Args:
        http: an open client that follows no redirects.
        issuer: the address that names its metadata.
        url: where the keys are; found in the metadata when not given.
        clock: growing seconds.
    """

    def __init__(self, http: httpx2.AsyncClient, issuer: str, url: str | None, clock: Clock) -> None:
        self._http, self._issuer, self._url, self._clock = http, issuer, url, clock
        self._keys: tuple[Key, ...] = ()
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def named(self, kid: str | None) -> tuple[Key, ...]:
        """Return the keys of a name, or all for None. Raises UpstreamUnavailable when none can be had."""
        if self._age() > _KEPT_SECONDS or not self._matching(kid):
            await self._refresh(kid)
        if self._age() > _OLDEST_SECONDS:
            raise UpstreamUnavailable("The keys of OAUTH_ISSUER cannot be fetched", retry_after=_AGAIN_SECONDS)
        return self._matching(kid)

    def _matching(self, kid: str | None) -> tuple[Key, ...]:
        return tuple(key for key in self._keys if kid is None or key.kid == kid)

    def _age(self) -> float:
        return self._clock() - self._fetched

    async def _refresh(self, kid: str | None) -> None:
        """Fetch the keys, once for all who wait, unless that was tried a moment ago."""
        async with self._fetching:
            fresh = self._age() <= _KEPT_SECONDS and bool(self._matching(kid))
            if fresh or self._clock() - self._tried < _AGAIN_SECONDS:
                return
            self._tried = self._clock()
            try:
                self._keys = await self._fetch()
                self._fetched = self._clock()
            except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.MsgspecError, JoseError, ValueError) as failure:
                log.warning(
                    "the keys of the issuer cannot be fetched", reason=f"{type(failure).__name__}: {failure}"
                )

    async def _fetch(self) -> tuple[Key, ...]:
        document = await self._json(self._url or await self._discovered())
        found = document.get("keys")
        return tuple(_usable(found if isinstance(found, list) else []))

    async def _discovered(self) -> str:
        """Return where the metadata of the issuer say that its keys are."""
        for name in _METADATA:
            try:
                said = await self._json(f"{self._issuer}/.well-known/{name}")
            except httpx2.HTTPStatusError:
                continue
            if str(said.get("issuer", "")).rstrip("/") != self._issuer:
                raise ValueError("the metadata are of another issuer")
            return check_upstream_url(str(said.get("jwks_uri", "")))
        raise ValueError("the issuer has no metadata; set OAUTH_JWKS_URL")

    async def _json(self, url: str) -> dict[str, Any]:
        async with self._http.stream("GET", url, headers={"Accept": "application/json"}) as response:
            response.raise_for_status()
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LARGEST:
                    raise ValueError("the answer is too large")
        return msgspec.json.decode(body, type=dict[str, Any])


def _usable(found: list[Any]) -> list[Key]:
    """Return the keys that can be read; an issuer may publish kinds that nobody here knows."""
    keys: list[Key] = []
    for one in found:
        try:
            keys += KeySet.import_key_set({"keys": [one]}).keys
        except (JoseError, ValueError, TypeError, KeyError):
            log.info("a key of the issuer is left out")
    return keys


@asynccontextmanager
async def open_issuer_keys(settings: Settings, clock: Clock) -> AsyncIterator[KeySource]:
    """Open what fetches the keys of the settings' issuer, and close it again."""
    async with httpx2.AsyncClient(follow_redirects=False, timeout=_TIMEOUT) as http:
        yield KeySource(http, str(settings.oauth_issuer).rstrip("/"), settings.oauth_jwks_url, clock)
