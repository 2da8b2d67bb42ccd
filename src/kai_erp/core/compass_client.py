"""One call to the Compass service, over HTTP: the thin shell around the wire rules of `core.compass`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal, TypeVar

import httpx2
import structlog

from kai_erp.core import compass
from kai_erp.core.ido.responses import excerpt
from kai_erp.core.ido.texts import shown, without_secret
from kai_erp.core.passage import Passage
from kai_erp.core.retries import LONGEST_WAIT, Throttled, asked_rest
from kai_erp.core.types import Now
from kai_erp.errors import (
    JobLost,
    Nonsense,
    PageTooLarge,
    QueryFailed,
    RequestRefused,
    TokenRejected,
    UpstreamAuth,
    UpstreamError,
    UpstreamUnavailable,
)

CANCEL_SECONDS = 5.0
_CONNECT_SECONDS = 10.0
_POLL_MARGIN = 10.0  # a client at work gives a poll of 25 s a socket of 35
_UNSAID_REST = 2.0
_MESSAGES = 100
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_ACCEPTED = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
_LOST = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_GRANT = "The operator checks that the backend app of LAKE_IONAPI_FILE may use the Data Fabric API."

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CompassEndpoint:
    """Where the service is: `url` up to and including `/compass/v2`, and how long one answer may take."""

    url: str
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A call to be made: `what` for people, `rows` where it asks for a page."""

    method: Literal["GET", "POST", "PUT"]
    path: str
    what: str
    seconds: float
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    rows: int = 0


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes


class CompassClient:
    """Makes calls within the budget, with a token that is renewed when refused, and tried again when it pays.

    Args:
        http: an open client.
        endpoint: where the service is.
        passage: what every call passes: token, budget, breaker; a status request holds its place in the budget for
            as long as it is held.
        now: the present moment, for a `Retry-After` that names a date.
    """

    def __init__(self, http: httpx2.AsyncClient, endpoint: CompassEndpoint, passage: Passage, now: Now) -> None:
        self._http, self._passage, self._now = http, passage, now
        self._tokens, self._budget = passage.tokens, passage.budget
        self._base, self._seconds = endpoint.url.rstrip("/"), endpoint.timeout_seconds

    async def submit(self, sql: str) -> str:
        """Return the id of a new job.

        It is sent again only when it certainly was not accepted, since each job costs compute time. Raises
        QueryFailed or RequestRefused when the query is not taken, UpstreamUnavailable when nobody knows whether it
        was, besides what any call may raise.
        """
        call = _Call(
            "POST",
            compass.SUBMIT_PATH,
            "a query",
            self._seconds,
            {"Content-Type": "text/plain; charset=utf-8", "Accept": "application/json"},
            sql.encode("utf-8", "replace"),
        )
        return await self._passage.through(lambda: self._with_token(call, _query_id))

    async def status(self, query_id: str, wait_seconds: float) -> compass.JobStatus:
        """Return where a job stands, at the latest when the wait is over. Raises JobLost for an unknown job."""
        call = _Call(
            "GET",
            compass.status_path(query_id, wait_seconds),
            "the status of a query",
            max(self._seconds, wait_seconds + _POLL_MARGIN),
            {"Accept": "application/json"},
        )
        return await self._passage.through(lambda: self._with_token(call, _job_status))

    async def messages(self, query_id: str) -> tuple[compass.Message, ...]:
        """Return what the result of a failed job says: the status tells nothing reliably."""
        call = _result_call(query_id, 0, _MESSAGES, self._seconds)
        return await self._passage.through(
            lambda: self._with_token(call, lambda reply: compass.decode_messages(reply.body))
        )

    async def page(self, query_id: str, offset: int, limit: int) -> bytes:
        """Return a slice of a job's rows as CSV.

        Raises PageTooLarge when fewer rows may come, JobLost when the result is no longer there.
        """
        call = _result_call(query_id, offset, limit, self._seconds)
        return await self._passage.through(lambda: self._with_token(call, _page))

    async def cancel(self, query_id: str) -> None:
        """Ask the service to stop a job, and return within 5 s whether it did or not."""
        call = _Call("PUT", compass.cancel_path(query_id), "the end of a query", CANCEL_SECONDS)
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                await self._passage.through(lambda: self._with_token(call, lambda _: None))
        except (UpstreamError, TimeoutError) as failure:
            log.info("a job of the data lake could not be cancelled", query_id=query_id, reason=str(failure))

    async def _with_token(self, call: _Call, decode: Callable[[_Reply], T]) -> T:
        """Return the decoded answer; a token that is refused is renewed, once for all who use it.

        The gateway refuses a token before the service is asked, so that a submit may be repeated too.
        """
        authorization = await self._tokens.authorization()
        for _ in range(self._tokens.renewals):
            try:
                return await self._once(call, authorization, decode)
            except TokenRejected:
                authorization = await self._tokens.renew(refused=authorization)
        try:
            return await self._once(call, authorization, decode)
        except TokenRejected as refusal:
            raise UpstreamAuth(f"A renewed token is refused as well: {refusal}", suggestion=_GRANT) from refusal

    async def _once(self, call: _Call, authorization: str, decode: Callable[[_Reply], T]) -> T:
        if self._budget.resting() > LONGEST_WAIT:
            raise Throttled("The gateway asked to be left alone", self._budget.resting())
        async with self._budget.slot(urgent=call.rows > 0 or call.method == "PUT"):
            with self._passage.call(call.what):
                reply = await self._reply(call, authorization)
        try:
            return decode(reply)
        except Nonsense as failure:
            raise _unsure(call, failure) from None

    async def _reply(self, call: _Call, authorization: str) -> _Reply:
        """Return what the service answers to a call that it takes, whatever goes wrong named once."""
        try:
            async with asyncio.timeout(call.seconds):
                return await self._read(call, authorization)
        except _NOT_SENT as failure:
            raise UpstreamUnavailable(f"The data lake cannot be reached ({type(failure).__name__})") from failure
        except (TimeoutError, httpx2.TimeoutException) as failure:
            late = UpstreamUnavailable(f"The data lake did not answer {call.what} within {call.seconds:g} s")
            raise _unsure(call, late) from failure
        except httpx2.DecodingError as failure:
            raise _unsure(call, Nonsense("The data lake", "a broken encoding")) from failure
        except httpx2.TransportError as failure:
            broken = UpstreamUnavailable(f"The connection to the data lake broke ({type(failure).__name__})")
            raise _unsure(call, broken) from failure

    async def _read(self, call: _Call, authorization: str) -> _Reply:
        async with self._http.stream(
            call.method,
            f"{self._base}/{call.path}",
            headers={**call.headers, "Authorization": authorization},
            content=call.content,
            timeout=httpx2.Timeout(call.seconds, connect=min(call.seconds, _CONNECT_SECONDS)),
            follow_redirects=False,
        ) as response:
            body = without_secret(await response.aread(), authorization)
        if not response.is_success:
            raise self._refusal(response, call, body)
        return _Reply(response.status_code, body)

    def _refusal(self, response: httpx2.Response, call: _Call, body: bytes) -> UpstreamError:
        """Return what a status other than 2xx means."""
        status = response.status_code
        said = f"{call.what}: HTTP {status} {excerpt(body)}".strip()
        match status:
            case HTTPStatus.UNAUTHORIZED:
                return TokenRejected(f"The gateway refuses the token ({said})")
            case HTTPStatus.FORBIDDEN:
                return UpstreamAuth(f"The gateway refuses our app ({said})", suggestion=_GRANT)
            case HTTPStatus.TOO_MANY_REQUESTS:
                asked = asked_rest(response.headers.get("Retry-After", ""), self._now)
                self._budget.hold(asked if asked is not None else _UNSAID_REST)
                return Throttled("The gateway of the data lake asks for fewer requests", asked)
            case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                return _unsure(call, UpstreamUnavailable(f"The data lake or its gateway fails ({said})"))
            case _:
                return _not_taken(call, status, body, said)


def _result_call(query_id: str, offset: int, limit: int, seconds: float) -> _Call:
    """Return the call for a slice; `Accept` is always sent, since sources differ about the default format."""
    path = compass.result_path(query_id, offset, limit)
    return _Call("GET", path, "the rows of a query", seconds, {"Accept": "text/csv"}, rows=limit)


def _query_id(reply: _Reply) -> str:
    if reply.status not in _ACCEPTED:
        raise Nonsense("The data lake", f"HTTP {reply.status} to a query")
    return compass.decode_query_id(reply.body)


def _job_status(reply: _Reply) -> compass.JobStatus:
    return compass.decode_status(reply.status, reply.body)


def _page(reply: _Reply) -> bytes:
    if reply.status != HTTPStatus.OK:
        raise Nonsense("The rows of a query", f"HTTP {reply.status} {excerpt(reply.body)}")
    return reply.body


def _unsure(call: _Call, failure: UpstreamUnavailable | Nonsense) -> UpstreamError:
    """Return a failure that may be tried again; of a submit, one that may not, since the job may be running."""
    if call.method != "POST":
        return failure
    unknown = UpstreamUnavailable(f"{failure}; a job that nobody waits for may be running there")
    unknown.tried_out = True
    return unknown


def _not_taken(call: _Call, status: int, body: bytes, said: str) -> UpstreamError:
    """Return what a refusal for good means: a page too large, a job unknown, a query or a request wrong."""
    if call.rows and status == HTTPStatus.BAD_REQUEST and compass.is_too_large(body):
        return PageTooLarge(call.rows)
    if call.method != "POST" and status in _LOST:
        return JobLost(f"The data lake does not know the job ({said})")
    messages = compass.decode_messages(body)
    if call.method == "POST" and status == HTTPStatus.BAD_REQUEST and messages:
        return QueryFailed(shown(compass.told(messages)))
    return RequestRefused(f"The data lake does not take the request ({said})")
