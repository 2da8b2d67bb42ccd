"""Compass, version 2, behind the gateway: submit a query, wait for its job, fetch the rows."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kai_erp.simulator.answers import json, unauthorized
from kai_erp.simulator.deliveries import spoil
from kai_erp.simulator.faults import COMPASS, Abort, Answer, Delay, Drip, Truncate
from kai_erp.simulator.lake import LakeRequest
from kai_erp.simulator.lake_jobs import FINISHED, RUNNING, LakeJob
from kai_erp.simulator.lake_messages import (
    BAD_REQUEST,
    PAGE_TOO_LARGE,
    UNKNOWN_OBJECT,
    LakeRefusal,
    message_record,
)
from kai_erp.simulator.lake_results import CSV, JSON, choose_format, compress, plain, write_records, write_rows
from kai_erp.simulator.state import SimulatorState

_BASE = "/DATAFABRIC/compass/v2"
_LONGEST_WAIT = 25
_MOST_ROWS = 100_000
_A_MOMENT = 0.01
_DELIVERED = (Answer, Delay, Drip, Truncate, Abort)

Answering = Callable[[Request, LakeRequest], Awaitable[Response]]


def lake_routes(state: SimulatorState) -> list[Route]:
    """Return the routes of Compass, each with and without a slash at its end."""
    compass, base = _Compass(state), f"/{state.options.tenant}{_BASE}"
    routes = (
        ("/ping", "GET", compass.ping),
        ("/jobs", "POST", compass.submit),
        ("/jobs/{job}/status", "GET", compass.status),
        ("/jobs/{job}/result", "GET", compass.result),
        ("/jobs/{job}/cancel", "PUT", compass.cancel),
    )
    return [
        Route(f"{base}{path}{slash}", compass.endpoint(answer), methods=[method])
        for path, method, answer in routes
        for slash in ("", "/")
    ]


class _Compass:
    """The endpoints over one simulator's lake."""

    def __init__(self, state: SimulatorState) -> None:
        self._state, self._lake = state, state.lake

    def endpoint(self, answer: Answering) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint that records its requests and lets faults have their way."""

        async def recorded(request: Request) -> Response:
            clock = self._state.clock
            record = LakeRequest(answer.__name__, request.url.path, dict(request.query_params), clock.seconds())
            record.job = request.path_params.get("job")
            self._lake.record(record)
            response = await self._faulted(request, record, answer)
            record.ended, record.status = clock.seconds(), response.status_code
            return response

        return recorded

    async def _faulted(self, request: Request, record: LakeRequest, answer: Answering) -> Response:
        if record.operation == "submit":
            record.sql = (await request.body()).decode(errors="replace")
        action = self._state.faults.match(f"{COMPASS}.{record.operation}", _page(request))
        record.fault = action = action if isinstance(action, _DELIVERED) else None
        if isinstance(action, Delay):
            await asyncio.sleep(action.seconds)
        response = Response() if isinstance(action, Answer) else await self._answer(request, record, answer)
        return spoil(response, action, None)

    async def _answer(self, request: Request, record: LakeRequest, answer: Answering) -> Response:
        """Answer as the gateway does: it lets in who has a token and does not call too often."""
        options = self._state.options
        if not self._state.tokens.accepts(request.headers.get("authorization", "")):
            return unauthorized(options.unauthorized_body)
        limits = {
            "submit": options.lake_submits_per_minute,
            "status": options.lake_statuses_per_minute,
            "result": options.lake_results_per_minute,
        }
        wait = self._lake.wait(record.operation, limits.get(record.operation))
        if wait is not None:
            headers = {"Retry-After": str(wait)} if options.lake_retry_after else None
            return Response("Too Many Requests", 429, headers, "text/plain")
        try:
            return await answer(request, record)
        except LakeRefusal as refusal:
            status = 404 if refusal.code == UNKNOWN_OBJECT else 400
            return json(self._record(refusal, record.job), status)

    def _record(self, refusal: LakeRefusal, job: str | None) -> dict[str, object]:
        now = self._lake.time.now(self._state.options)
        return message_record(refusal, str(plain(now)), job)

    async def ping(self, _: Request, __: LakeRequest) -> Response:
        """Answer that Compass is there."""
        return PlainTextResponse("pong")

    async def submit(self, request: Request, record: LakeRequest) -> Response:
        """Start a job for the query in the body."""
        if not request.headers.get("content-type", "").lower().startswith("text/plain"):
            return json({"message": "The content type must be text/plain."}, 415)
        job = self._lake.submit(record.sql or "", _number(request, "records"))
        record.job = job.id
        return json({"queryId": job.id, "status": RUNNING, "location": f"jobs/{job.id}/status"}, 202)

    async def status(self, request: Request, _: LakeRequest) -> Response:
        """Tell what has become of a job, after a while when it runs and the client waits."""
        job, wait = self._job(request), _number(request, "timeout", _LONGEST_WAIT)
        until = time.monotonic() + wait
        while job.status == RUNNING and time.monotonic() < until:  # noqa: ASYNC110 - the clock may be moved
            await asyncio.sleep(_A_MOMENT)
        said: dict[str, object] = {"queryId": job.id, "status": job.status, "location": f"jobs/{job.id}/status"}
        if said["status"] == FINISHED:
            columns = zip(job.result.names, job.result.types, strict=True)
            said["location"] = f"jobs/{job.id}/result"
            said["rowCount"] = len(job.result.rows)
            said["columns"] = [{"name": name, "datatype": kind} for name, kind in columns]
        return json(said, 202 if said["status"] == RUNNING else 201)

    async def result(self, request: Request, _: LakeRequest) -> Response:
        """Return a page of a result, or why there is none."""
        job = self._job(request)
        offset, limit = _number(request, "offset"), _number(request, "limit", _MOST_ROWS)
        default = CSV if self._state.options.lake_default_format == "csv" else JSON
        media_type = choose_format(request.headers.get("accept", ""), default)
        refusal = job.refusal
        if refusal is not None:
            body = write_records([self._record(refusal, job.id)], media_type)
        elif job.status == FINISHED:
            body = await asyncio.to_thread(
                self._page, job, slice(offset, offset + limit if limit else None), media_type
            )
        else:
            raise LakeRefusal(BAD_REQUEST, f"The query {job.id} has no result: it is {job.status}.")
        body, encoding = compress(body, request.headers.get("accept-encoding", ""))
        headers = {"Content-Encoding": encoding} if encoding else None
        return Response(body, 200, headers, media_type)

    def _page(self, job: LakeJob, rows: slice, media_type: str) -> bytes:
        body = write_rows(job.result.names, job.result.rows[rows], media_type)
        if len(body) > self._state.options.lake_page_bytes:
            raise LakeRefusal(PAGE_TOO_LARGE, "The result is too large to process: ask for fewer rows.")
        return body

    async def cancel(self, request: Request, _: LakeRequest) -> Response:
        """Stop a job; one that has ended stays as it is."""
        job = self._job(request)
        self._lake.cancel(job)
        return json({"queryId": job.id, "status": job.status})

    def _job(self, request: Request) -> LakeJob:
        job_id = request.path_params["job"]
        job = self._lake.find(job_id)
        if job is None:
            raise LakeRefusal(UNKNOWN_OBJECT, f"The query {job_id} is not known.")
        return job


def _number(request: Request, name: str, most: int | None = None) -> int:
    """Return a number of the query string, 0 when it is missing, or raise LakeRefusal."""
    text = request.query_params.get(name, "0")
    if not text.isdecimal() or (most is not None and int(text) > most):
        bound = "" if most is None else f" up to {most}"
        raise LakeRefusal(BAD_REQUEST, f"{name} must be a whole number from 0{bound}.")
    return int(text)


def _page(request: Request) -> int:
    """Return which page of a result a request asks for, the first being 1."""
    offset, limit = (request.query_params.get(name, "0") for name in ("offset", "limit"))
    return int(offset) // int(limit) + 1 if offset.isdecimal() and limit.isdecimal() and int(limit) else 1
