"""The console's rooms: which requests are for pages, and how their visitors show who they are."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.types import Scope

from kai_erp.api.problems import has_credential

CONSOLE = "/console/"
EVENTS_PATH = "/console/events"
KEY_COOKIE = "kai-erp-key"
SECURE_KEY_COOKIE = "__Host-kai-erp-key"


def is_room(path: str) -> bool:
    """Tell whether a path is the console's: the only ones where a cookie lets anybody in."""
    return path == "/" or path.startswith(CONSOLE) or path == "/sign-out"


def is_page(scope: Scope) -> bool:
    """Tell whether a request is for a page of the console, by a browser."""
    return is_room(scope["path"]) and "text/html" in Headers(scope=scope).get("accept", "")


def key_in(cookies: str) -> str | None:
    """Return the key or token that a visitor signed in with."""
    try:
        jar = SimpleCookie(cookies)
    except CookieError:
        return None
    found = jar.get(SECURE_KEY_COOKIE) or jar.get(KEY_COOKIE)
    return found.value if found else None


def with_cookie(scope: Scope) -> Scope:
    """Return a request for the console with the key in its cookie where a program would have put it."""
    key = key_in(Headers(scope=scope).get("cookie", "")) if is_room(scope["path"]) else None
    if key is None or has_credential(scope):
        return scope
    return {
        **scope,
        "headers": [*scope["headers"], (b"authorization", b"Bearer " + key.encode("latin-1", "replace"))],
    }
