"""`/mcp`: the MCP server over streamable HTTP, within the process and the lifetime of the REST server."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kai_erp.app import App
from kai_erp.callers import Caller
from kai_erp.config import Settings, is_loopback

PATH = "/mcp"
HEADERS = ("Last-Event-ID", "Mcp-Method", "Mcp-Name", "Mcp-Protocol-Version", "Mcp-Session-Id")
"""What clients and server send beside the usual headers."""
_MOST_SESSIONS = 1_000
_MOST_OWNERS = 10 * _MOST_SESSIONS
_SESSION = "mcp-session-id"
_FORBIDDEN, _NOT_FOUND, _NOT_SERVED = 403, 404, 503


class McpEndpoint:
    """ASGI app of `/mcp`; it answers while `serving`.

    Which host names are served has been checked before. A page that a browser shows may call when it comes from
    here, from this machine, or from CORS_ORIGINS.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._served: ASGIApp | None = None
        self._sessions = _Sessions()
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def serving(self, app: App) -> AsyncIterator[None]:
        """Answer from an open app, until the context ends."""
        # The SDK takes a second to import, which those who do not serve should not wait for.
        from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415

        from kai_erp.mcp.server import KaiErpMcpServer  # noqa: PLC0415

        server = KaiErpMcpServer(app=app)
        served = server.streamable_http_app(
            streamable_http_path=PATH,
            max_request_body_size=self._settings.max_body_bytes,
            max_sessions=_MOST_SESSIONS,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        async with _held_open(server.session_manager.run()):
            self._served = served
            try:
                yield
            finally:
                self._served = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = Headers(scope=scope)
        if not self._welcomes(headers.get("origin"), headers.get("host", "")):
            await PlainTextResponse("This origin may not call.", _FORBIDDEN)(scope, receive, send)
        elif self._served is None:
            await PlainTextResponse("Not started, or stopping.", _NOT_SERVED)(scope, receive, send)
        elif not self._sessions.belongs(headers.get(_SESSION), _caller_name(scope)):
            await PlainTextResponse("There is no such session.", _NOT_FOUND)(scope, receive, send)
        else:
            trimmed = [(name, value.strip(b" \t")) for name, value in scope["headers"]]  # not all parsers do
            heard = self._until_stopped(receive) if scope["method"] == "GET" else receive
            await self._served({**scope, "headers": trimmed}, heard, self._sessions.noting(scope, send))

    def stop_streams(self) -> None:
        """End the streams by which clients listen, which would go on for ever; calls under way are answered."""
        self._stopping.set()

    def _until_stopped(self, receive: Receive) -> Receive:
        """Return what a stream hears its client by; once streams are to end, that the client has gone."""

        async def heard() -> Message:
            hearing, stopping = asyncio.ensure_future(receive()), asyncio.create_task(self._stopping.wait())
            try:
                await asyncio.wait({hearing, stopping}, return_when=asyncio.FIRST_COMPLETED)
                return hearing.result() if hearing.done() else {"type": "http.disconnect"}
            finally:
                hearing.cancel()
                stopping.cancel()

        return heard

    def _welcomes(self, origin: str | None, host: str) -> bool:
        if origin is None or origin in self._settings.cors_origins:
            return True
        try:
            parts = urlsplit(origin)
            return parts.netloc.casefold() == host.casefold() or is_loopback(parts.hostname)
        except ValueError:
            return False


class _Sessions:
    """Whose session it is: another caller's request does not enter it, even one that knows its id."""

    def __init__(self) -> None:
        self._owners: OrderedDict[str, str] = OrderedDict()

    def belongs(self, session: str | None, caller: str) -> bool:
        """Tell whether a caller may enter a session; one that nobody knows is left to the SDK to refuse."""
        return session is None or self._owners.get(session, caller) == caller

    def noting(self, scope: Scope, send: Send) -> Send:
        """Return what sends an answer, and takes note of the session that it opens."""

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                opened = Headers(raw=list(message.get("headers", ()))).get(_SESSION)
                if opened is not None:
                    self._owners.setdefault(opened, _caller_name(scope))
                    while len(self._owners) > _MOST_OWNERS:
                        self._owners.popitem(last=False)
            await send(message)

        return noted


def _caller_name(scope: Scope) -> str:
    caller = scope.get("state", {}).get("caller")
    return caller.name if isinstance(caller, Caller) else ""


@asynccontextmanager
async def _held_open(context: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
    """Hold a context open by a task of its own: a task group may be left only by the task that entered it."""
    opened, closing = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with context:
            opened.set()
            await closing.wait()

    holding = asyncio.create_task(hold())
    waiting = asyncio.create_task(opened.wait())
    await asyncio.wait({holding, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        yield
    finally:
        closing.set()
        await holding
