"""One page of one collection, over HTTP: the thin shell around the wire rules of `core.ido`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import httpx2
import structlog

from kai_erp.core import ido
from kai_erp.core.passage import Passage
from kai_erp.core.retries import LONGEST_WAIT, Throttled, asked_rest
from kai_erp.core.types import Now
from kai_erp.core.walking import Ahead
from kai_erp.errors import (
    Nonsense,
    PageTimedOut,
    RequestRefused,
    TokenRejected,
    UpstreamAuth,
    UpstreamError,
    UpstreamFault,
    UpstreamUnavailable,
)

_UNSAID_REST = 2.0

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IdoEndpoint:
    """Where the service is: `url` up to and including `/IDORequestService/ido`, and the site to ask for.

    A `direct` service hands out tokens that may not stand parallel calls.
    """

    url: str
    configuration: str | None = None
    timeout_seconds: float = 30.0
    direct: bool = False

    def headers(self) -> Mapping[str, str]:
        """Return the headers of every request; the site is chosen per call."""
        site = {"X-Infor-MongooseConfig": self.configuration} if self.configuration else {}
        return {"Accept": "application/json", **site}


@dataclass(frozen=True, slots=True)
class _Question:
    """A request to be made: what it is about, where it goes, and whether a walk waits for it.

    `glimpse` is shown the body of an answer before that is decoded.
    """

    collection: str
    url: str
    urgent: bool = False
    divisible: bool = False
    glimpse: Callable[[bytes], None] | None = None


class IdoClient:
    """Reads pages within the budget, with a token that is renewed when refused, and tried again when it pays.

    Args:
        http: an open client that follows no redirects.
        endpoint: where the service is.
        passage: what every request passes: token, budget, breaker.
        now: the present moment, for a `Retry-After` that names a date.
    """

    def __init__(self, http: httpx2.AsyncClient, endpoint: IdoEndpoint, passage: Passage, now: Now) -> None:
        self._http, self._endpoint, self._passage = http, endpoint, passage
        self._tokens, self._budget, self._now = passage.tokens, passage.budget, now
        self._headers = dict(endpoint.headers())
        self._turns: asyncio.Lock | None = None
        self._in_flight = 0
        self._decoding = asyncio.Lock()

    async def page(self, request: ido.LoadRequest, ahead: Ahead | None = None) -> ido.Page:
        """Return one page; `ahead` is told of the likely next request as soon as the answer has come.

        Raises what the fault means, after the retries that may help: UpstreamAuth, UpstreamDenied, UpstreamFault
        and its kinds, PageTimedOut when a smaller page may come, UpstreamUnavailable.
        """

        def glimpse(body: bytes) -> None:
            if ahead is not None and (following := ido.glimpsed_request(request, body)) is not None:
                ahead(following)

        def decode(body: bytes) -> ido.Page:
            return ido.decode_page(body, request.collection, request.properties)

        question = _Question(
            collection=request.collection,
            url=f"{self._endpoint.url}/{ido.path(request)}?{ido.query_string(request)}",
            urgent=request.bookmark is not None,
            divisible=request.record_cap == 0 or request.record_cap > ido.SMALLEST_PAGE,
            glimpse=glimpse,
        )
        return await self._passage.through(lambda: self._with_token(question, decode))

    async def log_on(self) -> None:
        """Return when there is a token. Raises UpstreamAuth or UpstreamUnavailable when none is to be had."""
        await self._tokens.authorization()

    async def property_names(self, collection: str) -> frozenset[str]:
        """Return the properties that a collection has, case-folded; none when the service does not tell."""
        question = _Question(collection, f"{self._endpoint.url}/{ido.info_path(collection)}")
        try:
            return await self._passage.through(lambda: self._with_token(question, ido.decode_property_names))
        except UpstreamError:
            return frozenset()

    async def _with_token(self, question: _Question, decode: Callable[[bytes], T]) -> T:
        """Return the decoded answer; a token that is refused is renewed, once for all who use it."""
        authorization = await self._tokens.authorization()
        for _ in range(2 if self._endpoint.direct else self._tokens.renewals):
            try:
                return await self._once(question, authorization, decode)
            except UpstreamError as failure:
                if not self._may_be_the_token(failure):
                    raise
                self._take_turns()
                authorization = await self._tokens.renew(refused=authorization)
        try:
            return await self._once(question, authorization, decode)
        except TokenRejected as refusal:
            raise UpstreamAuth(f"A renewed token is refused as well: {refusal}") from refusal

    def _may_be_the_token(self, failure: UpstreamError) -> bool:
        """Tell whether a new token may help; a direct session may be lost in a language that we do not know."""
        return isinstance(failure, TokenRejected) or (self._endpoint.direct and type(failure) is UpstreamFault)

    def _take_turns(self) -> None:
        """From now on make one call at a time, when a direct token has been lost while several were made."""
        if self._endpoint.direct and self._in_flight and self._turns is None:
            log.warning("the direct token does not stand parallel calls; from now on one call at a time")
            self._turns = asyncio.Lock()

    async def _once(self, question: _Question, authorization: str, decode: Callable[[bytes], T]) -> T:
        if self._budget.resting() > LONGEST_WAIT:
            raise Throttled("The gateway asked to be left alone", self._budget.resting())
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._place(question))
            with self._passage.call(question.collection):
                body = await self._body(question, authorization)
                if not self._endpoint.direct:  # whose lost tokens are told by who else is under way
                    await stack.aclose()
                if question.glimpse is not None:
                    question.glimpse(body)
                return await self._decoded(body, decode)

    async def _decoded(self, body: bytes, decode: Callable[[bytes], T]) -> T:
        """Return a decoded body, one in each turn of the loop: what it led to is sent first."""
        async with self._decoding:
            await asyncio.sleep(0)
            return decode(body)

    @asynccontextmanager
    async def _place(self, question: _Question) -> AsyncIterator[None]:
        async with self._turns or nullcontext(), self._budget.slot(urgent=question.urgent):
            self._in_flight += 1
            try:
                yield
            finally:
                self._in_flight -= 1

    async def _body(self, question: _Question, authorization: str) -> bytes:
        try:
            async with asyncio.timeout(self._endpoint.timeout_seconds):
                return await self._read(question, authorization)
        except (TimeoutError, httpx2.TimeoutException) as failure:
            seconds = self._endpoint.timeout_seconds
            raise _too_slow(question, f"{question.collection} did not come within {seconds:g} s") from failure
        except httpx2.DecodingError as failure:
            raise Nonsense(question.collection, "a broken encoding") from failure
        except httpx2.TransportError as failure:
            raise UpstreamUnavailable(f"The ERP cannot be reached ({type(failure).__name__})") from failure

    async def _read(self, question: _Question, authorization: str) -> bytes:
        headers = {**self._headers, "Authorization": authorization}
        async with self._http.stream("GET", question.url, headers=headers) as response:
            try:
                body = await response.aread()
            except httpx2.RemoteProtocolError as failure:
                raise Nonsense(question.collection, "a body that is cut off") from failure
        body = ido.without_secret(body, authorization)
        if response.status_code != HTTPStatus.OK:
            raise self._refusal(response, question, body)
        return body

    def _refusal(self, response: httpx2.Response, question: _Question, body: bytes) -> UpstreamError:
        """Return what a status other than 200 means; bodies of gateways have no known format."""
        status = response.status_code
        said = f"{question.collection}: HTTP {status} {ido.excerpt(body)}".strip()
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return TokenRejected(f"The ERP refuses the token ({said})")
            case HTTPStatus.FORBIDDEN:
                return UpstreamAuth(f"The gateway refuses our app ({said})")
            case HTTPStatus.TOO_MANY_REQUESTS:
                asked = asked_rest(response.headers.get("Retry-After", ""), self._now)
                self._budget.hold(asked if asked is not None else _UNSAID_REST)
                return Throttled(f"The gateway asks for fewer requests ({question.collection})", asked)
            case HTTPStatus.GATEWAY_TIMEOUT:
                return _too_slow(question, f"The gateway gave up waiting ({said})")
            case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return UpstreamUnavailable(f"The ERP or its gateway fails ({said})")
            case _:
                return RequestRefused(f"The gateway does not take the request ({said})")


def _too_slow(question: _Question, message: str) -> UpstreamUnavailable:
    return PageTimedOut(message) if question.divisible else UpstreamUnavailable(message)
