"""What every request passes through: an id, a line in the log, a watch on whether the caller is still there."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

import structlog
from fastapi import Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kai_erp.access import HostGuard
from kai_erp.api.problems import Problem, defect, told, wrong_host
from kai_erp.api.rooms import head_as_get, is_page, is_stream
from kai_erp.app import App
from kai_erp.config import Settings

T = TypeVar("T")
_ID = re.compile(r"[\w.\-]{1,128}\Z", re.ASCII)
_HEADER = b"x-request-id"
_NOT_SUPPORTED = 1003
_SHIELDS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"cache-control", b"no-store"),
)
_REVALIDATED = b"no-cache"  # kept by browsers, and used again once the server says that it is the same
_HSTS = (b"strict-transport-security", b"max-age=31536000")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
log = structlog.get_logger(__name__)


class CallerGone(Exception):
    """The caller has closed the connection."""


class Gate:
    """ASGI middleware: turns away foreign host names, takes or makes `X-Request-ID`, logs each request with it.

    Every answer tells browsers to keep it to themselves; over a public address of https, to use no other.

    Args:
        app: what answers.
        settings: under which names, and whether over https.
        page_of: makes a page for people of a defect.
    """

    def __init__(self, app: ASGIApp, settings: Settings, page_of: Callable[[Request, Problem], Response]) -> None:
        self._app, self._guard, self._page_of = app, HostGuard(settings), page_of
        secure = (settings.public_url or "").startswith("https://")
        self._everywhere = (*_SHIELDS, *((_HSTS,) if secure else ()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks over a web socket
            await send({"type": "websocket.close", "code": _NOT_SUPPORTED})
            return
        given = dict(scope["headers"]).get(_HEADER, b"").decode("latin-1")
        request_id = given if _ID.match(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._answer(scope, receive, send, request_id)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                given = message.get("headers", ())
                message["headers"] = [*given, (_HEADER, request_id.encode()), *self._shields(scope, given)]
            await send(message)

        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        try:
            if self._guard.serves(host):
                await self._app(head_as_get(scope), receive, send_with_id)
            else:
                await wrong_host(Request(scope), host)(scope, receive, send_with_id)
        except CallerGone:
            log.info("caller gone", path=scope["path"])
        except Exception as error:  # the outermost handler of a request
            if status:
                raise
            request = Request(scope)
            problem = defect(request, error)
            answer = self._page_of(request, problem) if is_page(scope) else told(problem)
            await answer(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            log.info(
                "request", method=scope["method"], path=scope["path"], status=status, ms=round(seconds * 1000, 1)
            )
            _count(scope, status, seconds)

    def _shields(self, scope: Scope, given: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        """Yield the security headers that an answer does not set itself."""
        names = {name.lower() for name, _ in given}
        for name, value in self._everywhere:
            asset = name == b"cache-control" and scope["path"].startswith("/static/")
            if name not in names:
                yield name, _REVALIDATED if asset else value


def _count(scope: Scope, status: int, seconds: float) -> None:
    """Count a request under the route that answered it, streams apart: what is no route of ours is no label."""
    opened: App | None = getattr(scope["app"].state, "kai_erp", None) if "app" in scope else None
    if opened is not None and not is_stream(scope):
        route = getattr(scope.get("route"), "path", None) or ("/mcp" if scope["path"] == "/mcp" else "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        opened.metrics.requested(route, method, status, seconds)


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """Return what `work` gives; when the caller goes away first, cancel it and raise CallerGone."""
    task = asyncio.ensure_future(work)
    watch = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise CallerGone
    finally:
        for pending in (task, watch):
            pending.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
