"""Errors as `application/problem+json` (RFC 9457): one table from our codes to a status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import Scope

from kai_erp.access.metadata import challenge
from kai_erp.errors import AccessError, InvalidParameter, KaiErpError, Overloaded, RateLimited, UpstreamUnavailable
from kai_erp.mcp.http import PATH as MCP_PATH

PROBLEM_JSON = "application/problem+json"
log = structlog.get_logger(__name__)


class Fault(BaseModel):
    """One parameter that is wrong."""

    parameter: str
    message: str


class Problem(BaseModel):
    """What went wrong, and what to do next."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable; what a program branches on.")
    suggestion: str
    request_id: str
    errors: list[Fault] | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    title: str


_KINDS = {
    "invalid_parameter": _Kind(422, "A parameter is wrong"),
    "volume_exceeded": _Kind(400, "The answer is too large"),
    "auth_required": _Kind(401, "A key or token is needed"),
    "forbidden": _Kind(403, "The key does not allow this"),
    "not_found": _Kind(404, "There is nothing here"),
    "method_not_allowed": _Kind(405, "This method is not allowed here"),
    "not_acceptable": _Kind(406, "None of the accepted formats can be given"),
    "cursor_expired": _Kind(410, "The cursor has lapsed"),
    "too_large": _Kind(413, "The request is too large"),
    "wrong_host": _Kind(421, "This host name is not served"),
    "rate_limited": _Kind(429, "Too many requests"),
    "internal_error": _Kind(500, "Something went wrong here"),
    "upstream_auth": _Kind(502, "The ERP refuses our credentials"),
    "upstream_denied": _Kind(502, "The ERP denies a collection"),
    "upstream_error": _Kind(502, "The ERP reports a fault"),
    "not_configured": _Kind(503, "No ERP is configured"),
    "overloaded": _Kind(503, "Too much is being asked"),
    "upstream_unavailable": _Kind(503, "The ERP does not answer"),
}
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 406: "not_acceptable", 413: "too_large"}
_SUGGESTIONS = {
    "wrong_host": "The operator lists further host names in ALLOWED_HOSTS.",
    "not_found": "GET /connectors lists what can be asked.",
    "method_not_allowed": "Everything here is read with GET.",
    "not_acceptable": "Accept application/json, application/jsonl, text/csv, application/vnd.apache.arrow.stream "
    "or application/vnd.apache.parquet.",
}


def problem(request: Request, code: str, detail: str, suggestion: str, **more: object) -> JSONResponse:
    """Return the response for an error code; `errors` and `headers` may be given beside."""
    errors, headers = more.get("errors"), more.get("headers")
    body = _problem(request, code, detail, suggestion, errors if isinstance(errors, list) else None)
    return told(body, dict(headers) if isinstance(headers, Mapping) else None)


def told(body: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem as RFC 9457 has it."""
    return JSONResponse(body.model_dump(exclude_none=True), body.status, headers=headers, media_type=PROBLEM_JSON)


def _problem(request: Request, code: str, detail: str, suggestion: str, errors: list[Fault] | None) -> Problem:
    kind = _KINDS[code]
    return Problem(
        title=kind.title,
        status=kind.status,
        detail=detail,
        code=code,
        suggestion=suggestion,
        request_id=request.state.request_id,
        errors=errors,
    )


def problem_of(request: Request, error: KaiErpError) -> Problem:
    """Return what to tell of a failure; what the ERP said stands in its text, without credentials."""
    event = "request refused" if isinstance(error, AccessError) else "question failed"
    log.warning(event, code=error.code, reason=str(error))
    faults = (
        [Fault(parameter=error.parameter, message=error.problem)] if isinstance(error, InvalidParameter) else None
    )
    return _problem(request, error.code, str(error), error.suggestion, faults)


def answer_to(request: Request, error: KaiErpError) -> JSONResponse:
    """Return the answer to a request that fails."""
    return told(problem_of(request, error), headers_of(request, error))


def headers_of(request: Request, error: KaiErpError) -> dict[str, str]:
    """Return when to come again, or how to come in."""
    headers = {}
    if isinstance(error, UpstreamUnavailable | Overloaded | RateLimited):
        headers["Retry-After"] = str(ceil(error.retry_after))
    path = MCP_PATH if request.scope["path"] == MCP_PATH else ""
    ask = challenge(request.app.state.settings, error, path=path, sent=has_credential(request.scope))
    return headers | ({"WWW-Authenticate": ask} if ask else {})


def has_credential(scope: Scope) -> bool:
    """Tell whether a request carries a key or token, good or not."""
    return any(name in {b"authorization", b"x-api-key"} for name, _ in scope["headers"])


async def _on_own(request: Request, error: KaiErpError) -> JSONResponse:
    """Answer an error of ours."""
    return answer_to(request, error)


async def _on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer a request whose parameters do not validate."""
    faults = [_fault(entry) for entry in error.errors()]
    detail = "; ".join(f"{fault.parameter}: {fault.message}" for fault in faults)
    allowed = "GET /connectors lists each connector's parameters and what they may be."
    return problem(request, "invalid_parameter", detail, allowed, errors=faults)


def _fault(entry: Mapping[str, object]) -> Fault:
    where = entry.get("loc")
    parts = [str(part) for part in where] if isinstance(where, Sequence) else []
    message = str(entry.get("msg")).removeprefix("Value error, ")
    unknown = entry.get("type") == "extra_forbidden"
    return Fault(parameter=parts[-1] if parts else "query", message="unknown parameter" if unknown else message)


async def _on_http(request: Request, error: HTTPException) -> JSONResponse:
    """Answer what the framework refuses, keeping its headers, such as Allow."""
    code = _HTTP_CODES.get(error.status_code, "invalid_parameter")
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return problem(request, code, detail, _SUGGESTIONS.get(code, "Change the request."), headers=error.headers)


def defect(request: Request, error: Exception) -> Problem:
    """Return what to tell of a defect of ours, without anything of it; the log has the whole."""
    log.error("defect", exc_info=error)
    detail = "The request could not be answered because of a defect in kai-erp."
    return _problem(request, "internal_error", detail, "Report it with the request id.", None)


def too_large(request: Request, most: int) -> JSONResponse:
    """Return the answer to a request whose body is larger than this server takes."""
    detail = f"The body is larger than {most:,} bytes"
    return problem(request, "too_large", detail, "Send less: questions are asked in the address.")


def wrong_host(request: Request, host: str) -> JSONResponse:
    """Return the answer to a request under a host name that is not served."""
    return problem(request, "wrong_host", f"{host[:100]!r} is not served here", _SUGGESTIONS["wrong_host"])


def add_handlers(api: FastAPI) -> None:
    """Answer every error of an application as a problem."""
    api.add_exception_handler(KaiErpError, _on_own)  # type: ignore[arg-type]  # each is handed its own kind only
    api.add_exception_handler(RequestValidationError, _on_invalid)  # type: ignore[arg-type]  # likewise
    api.add_exception_handler(HTTPException, _on_http)  # type: ignore[arg-type]  # likewise
