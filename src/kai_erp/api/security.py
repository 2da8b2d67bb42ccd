"""The door: nothing but a few open paths is answered before it is known who asks, and how much they may."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kai_erp.access.doorkeeping import Doorkeeper
from kai_erp.access.limits import InboundLimits
from kai_erp.access.metadata import METADATA_PATH
from kai_erp.api.problems import answer_to, has_credential, too_large
from kai_erp.api.rooms import SIGN_IN, is_page, is_stream, with_cookie
from kai_erp.callers import Caller
from kai_erp.config import Settings, is_loopback
from kai_erp.errors import AuthRequired, KaiErpError, Overloaded

_OPEN = frozenset({"/health", "/ready", SIGN_IN, METADATA_PATH})
_OPEN_BELOW = ("/static/", f"{METADATA_PATH}/")
_LIMITS = frozenset({"inbound_per_minute", "inbound_concurrency"})


@dataclass(frozen=True, slots=True)
class Keeping:
    """What the door is kept with while the server runs."""

    doorkeeper: Doorkeeper
    limits: InboundLimits


class Door:
    """ASGI middleware: lets callers in by key or token, within their limits, with bodies that are not too large.

    Whoever has no key is told apart by address. On this machine that is everybody, perhaps behind a proxy, so that
    there only limits hold that were set, not the defaults.

    Args:
        app: what is behind the door.
        settings: which ways in there are.
        guarded: gives what the door is kept with; None before the server has started.
        page_of: makes a page for people of a refusal.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        guarded: Callable[[], Keeping | None],
        page_of: Callable[[Request, KaiErpError], Response],
    ) -> None:
        self._app, self._settings, self._guarded, self._page_of = app, settings, guarded, page_of
        self._spares_this_machine = _LIMITS.isdisjoint(settings.model_fields_set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        body = _Body(self._settings.max_body_bytes, receive, send)
        try:
            if not body.is_declared_too_large(scope):
                await self._let_in(scope, body.receive, body.send)
        except KaiErpError as refusal:
            answer = self._page_of if is_page(scope) else answer_to
            await answer(Request(scope), refusal)(scope, receive, send)
        except Exception:  # whoever reads a body that ends early may fail in any way
            if not body.too_large:
                raise
        if body.too_large:
            await too_large(Request(scope), body.most)(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        guarded, path = self._guarded(), scope["path"]
        if _is_open(path):
            await self._app(scope, receive, send)
            return
        if guarded is None:
            raise Overloaded("The server is starting, or has stopped")
        self._check_exposed(scope, guarded)
        caller = await _admitted(with_cookie(scope), guarded)
        scope["state"]["caller"] = caller
        name = caller.name or f"at:{_address(scope)}"
        if not caller.name and self._spares_this_machine and is_loopback(_address(scope)):
            await self._app(scope, receive, send)
            return
        await guarded.limits.count(name)
        with nullcontext() if is_stream(scope) else guarded.limits.working(name):
            await self._app(scope, receive, send)

    def _check_exposed(self, scope: Scope, guarded: Keeping) -> None:
        """Raise AuthRequired when a server that asks nobody for a key was reached from beyond this machine."""
        server = scope.get("server")
        own = server is None or is_loopback(server[0]) or server[1] is None
        if guarded.doorkeeper.mode == "none" and not self._settings.allow_anonymous and not own:
            raise AuthRequired("This server asks nobody for a key, so only its own machine may ask")


class _Body:
    """A request's body, which ends when it grows too large; whatever its reader then says is not sent."""

    def __init__(self, most: int, receive: Receive, send: Send) -> None:
        self.most, self.too_large = most, False
        self._taken, self._started = 0, False
        self._receive, self._send = receive, send

    def is_declared_too_large(self, scope: Scope) -> bool:
        """Tell whether the headers say that the body will be too large."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        self.too_large = length.isdigit() and int(length) > self.most
        return self.too_large

    async def receive(self) -> Message:
        """Return the next part."""
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > self.most and not self._started:
            self.too_large = True
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Pass on what is answered."""
        if not self.too_large:
            self._started = True
            await self._send(message)


async def _admitted(scope: Scope, guarded: Keeping) -> Caller:
    """Return who asks. Raises AuthRequired, and RateLimited once an address has guessed too often."""
    try:
        return await guarded.doorkeeper.admit(scope["headers"])
    except AuthRequired:
        if has_credential(scope):
            await guarded.limits.refused(_address(scope))
        raise


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def caller_of(request: Request) -> Caller:
    """Return who sent a request that has come through the door."""
    caller: Caller = request.state.caller
    return caller
