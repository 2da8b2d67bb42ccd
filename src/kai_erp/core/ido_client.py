"""One page of one collection, over HTTP: the thin shell around the wire rules of `core.ido`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2

from kai_erp.core import ido
from kai_erp.core.auth import TokenManager
from kai_erp.core.budget import RequestBudget
from kai_erp.core.retries import LONGEST_WAIT, Throttled, with_retries
from kai_erp.core.types import Now
from kai_erp.errors import (
    Nonsense,
    TokenRejected,
    UpstreamAuth,
    UpstreamError,
    UpstreamFault,
    UpstreamUnavailable,
)

_UNSAID_REST = 2.0


@dataclass(frozen=True, slots=True)
class IdoEndpoint:
    """Where the service is: `url` up to and including `/IDORequestService/ido`, and the site to ask for."""

    url: str
    configuration: str | None = None
    timeout_seconds: float = 30.0

    def headers(self) -> Mapping[str, str]:
        """Return the headers of every request; the site is chosen per call."""
        site = {"X-Infor-MongooseConfig": self.configuration} if self.configuration else {}
        return {"Accept": "application/json", **site}


class IdoClient:
    """Reads pages within the budget, with a token that is renewed when refused, and tried again when it pays.

    Args:
        http: an open client that follows no redirects.
        endpoint: where the service is.
        tokens: the way in.
        budget: what may be asked of the upstream.
        now: the present moment, for a `Retry-After` that names a date.
    """

    def __init__(
        self,
        http: httpx2.AsyncClient,
        endpoint: IdoEndpoint,
        tokens: TokenManager,
        budget: RequestBudget,
        now: Now,
    ) -> None:
        self._http, self._endpoint, self._tokens = http, endpoint, tokens
        self._budget, self._now = budget, now
        self._headers = dict(endpoint.headers())

    async def page(self, request: ido.LoadRequest) -> ido.Page:
        """Return one page.

        Raises what the fault means, after the retries that may help: UpstreamAuth, UpstreamDenied, UpstreamFault
        and its kinds, UpstreamUnavailable.
        """
        url = f"{self._endpoint.url}/{ido.path(request)}?{ido.query_string(request)}"
        return await with_retries(lambda: self._with_token(url, request))

    async def _with_token(self, url: str, request: ido.LoadRequest) -> ido.Page:
        authorization = await self._tokens.authorization()
        try:
            return await self._once(url, request, authorization)
        except TokenRejected:
            renewed = await self._tokens.renew(refused=authorization)
        try:
            return await self._once(url, request, renewed)
        except TokenRejected as refusal:
            raise UpstreamAuth(f"A renewed token is refused as well: {refusal}") from refusal

    async def _once(self, url: str, request: ido.LoadRequest, authorization: str) -> ido.Page:
        async with self._budget.slot(urgent=request.bookmark is not None):
            body = await self._body(url, request.collection, authorization)
        return ido.decode_page(body, request.collection, request.properties)

    async def _body(self, url: str, collection: str, authorization: str) -> bytes:
        try:
            async with asyncio.timeout(self._endpoint.timeout_seconds):
                return await self._read(url, collection, authorization)
        except (TimeoutError, httpx2.TimeoutException) as failure:
            seconds = self._endpoint.timeout_seconds
            raise UpstreamUnavailable(f"{collection} did not come within {seconds:g} s") from failure
        except httpx2.DecodingError as failure:
            raise Nonsense(collection, "a broken encoding") from failure
        except httpx2.TransportError as failure:
            raise UpstreamUnavailable(f"The ERP cannot be reached ({type(failure).__name__})") from failure

    async def _read(self, url: str, collection: str, authorization: str) -> bytes:
        headers = {**self._headers, "Authorization": authorization}
        async with self._http.stream("GET", url, headers=headers) as response:
            try:
                body = await response.aread()
            except httpx2.RemoteProtocolError as failure:
                raise Nonsense(collection, "a body that is cut off") from failure
        if response.status_code != HTTPStatus.OK:
            raise self._refusal(response, collection, body)
        return body

    def _refusal(self, response: httpx2.Response, collection: str, body: bytes) -> UpstreamError:
        """Return what a status other than 200 means; bodies of gateways have no known format."""
        status = response.status_code
        said = f"{collection}: HTTP {status} {ido.excerpt(body)}".strip()
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return TokenRejected(f"The ERP refuses the token ({said})")
            case HTTPStatus.FORBIDDEN:
                return UpstreamAuth(f"The gateway refuses our app ({said})")
            case HTTPStatus.TOO_MANY_REQUESTS:
                asked = self._retry_after(response)
                self._budget.hold(min(asked if asked is not None else _UNSAID_REST, LONGEST_WAIT))
                return Throttled(f"The gateway asks for fewer requests ({collection})", asked)
            case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return UpstreamUnavailable(f"The ERP or its gateway fails ({said})")
            case _:
                return UpstreamFault(f"The gateway does not take the request ({said})")

    def _retry_after(self, response: httpx2.Response) -> float | None:
        """Return the seconds of `Retry-After`, which may be a number or a date."""
        text = response.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return float(text)
        try:
            return max(0.0, (parsedate_to_datetime(text) - self._now()).total_seconds())
        except (TypeError, ValueError):
            return None
