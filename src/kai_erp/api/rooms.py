"""The console's rooms: which requests are for pages, and how their visitors show who they are."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from kai_erp.api.problems import has_credential
from kai_erp.mcp.http import PATH as MCP_PATH

CONSOLE = "/console/"
SIGN_IN = "/sign-in"
EVENTS_PATH = "/console/events"
_STREAMS = frozenset({MCP_PATH, EVENTS_PATH})
KEY_COOKIE = "kai-erp-key"
SECURE_KEY_COOKIE = "__Host-kai-erp-key"


def is_room(path: str) -> bool:
    """Tell whether a path is the console's: the only ones where a cookie lets anybody in."""
    return path == "/" or path.startswith(CONSOLE) or path == "/sign-out"


def is_stream(scope: Scope) -> bool:
    """Tell whether a request waits for what may come, and does no work meanwhile."""
    return scope["method"] == "GET" and scope["path"] in _STREAMS


def is_page(scope: Scope) -> bool:
    """Tell whether a request is for a page of the console, by a browser."""
    return is_room(scope["path"]) and "text/html" in Headers(scope=scope).get("accept", "")


def head_as_get(scope: Scope) -> Scope:
    """Return a request for the head of a page as one for the page, whose body the server then leaves out."""
    path = scope["path"]
    has_head = (is_room(path) or path == SIGN_IN) and path != EVENTS_PATH
    return {**scope, "method": "GET"} if scope["method"] == "HEAD" and has_head else scope


def key_in(cookies: str) -> str | None:
    """Return the key or token that a visitor signed in with."""
    jar = cookie_parser(cookies)
    return jar.get(SECURE_KEY_COOKIE) or jar.get(KEY_COOKIE) or None


def with_cookie(scope: Scope) -> Scope:
    """Return a request for the console with the key in its cookie where a program would have put it."""
    key = key_in(Headers(scope=scope).get("cookie", "")) if is_room(scope["path"]) else None
    if key is None or has_credential(scope):
        return scope
    return {
        **scope,
        "headers": [*scope["headers"], (b"authorization", b"Bearer " + key.encode("latin-1", "replace"))],
    }
