"""Signing in: a key or token goes from a form into a cookie that scripts cannot read."""

from __future__ import annotations

import hmac
import re
import secrets
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from kai_erp.api.problems import headers_of
from kai_erp.api.rooms import CONSOLE, KEY_COOKIE, SECURE_KEY_COOKIE, SIGN_IN
from kai_erp.api.security import Keeping
from kai_erp.console.pages import leaving_token, refusal_page, render
from kai_erp.errors import AccessError, AuthRequired, KaiErpError, RateLimited

router = APIRouter(include_in_schema=False)
_FORM_COOKIE = "kai-erp-form"
_FORM_SECONDS = 3600
_KEY = re.compile(r"[\w.~+/=\-]{1,4000}", re.ASCII)
_OK, _SEE_OTHER, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 200, 303, 401, 403, 429


@router.get(SIGN_IN)
async def sign_in_form(request: Request, next: str = "/") -> Response:  # noqa: A002  # what the address calls it
    """Show the form."""
    return _form(request, next)


@router.post(SIGN_IN)
async def sign_in(
    request: Request,
    key: Annotated[str, Form()] = "",
    token: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Let a visitor in whose key is good; the form must be one that this server gave to the same browser."""
    key = key.strip()
    if not _is_own(request) or not _same(token, request.cookies.get(_FORM_COOKIE, "")):
        return _form(request, next, "This form had lapsed. Please try again.", _FORBIDDEN)
    try:
        await _check(request, key)
    except AccessError as refusal:
        status = _TOO_MANY if isinstance(refusal, RateLimited) else _FORBIDDEN
        return _form(request, next, str(refusal), status)
    response = RedirectResponse(_inside(next), _SEE_OTHER)
    secure = _is_secure(request)
    response.set_cookie(_cookie(secure), key, path="/", secure=secure, httponly=True, samesite="lax")
    response.delete_cookie(_FORM_COOKIE, path=SIGN_IN)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, token: Annotated[str, Form()] = "") -> Response:
    """Forget a visitor's key."""
    if not _is_own(request) or not _same(token, leaving_token(request)):
        return RedirectResponse("/", _SEE_OTHER)
    response = RedirectResponse(SIGN_IN, _SEE_OTHER)
    for name, secure in ((KEY_COOKIE, False), (SECURE_KEY_COOKIE, True)):
        response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")
    return response


def refusal(request: Request, error: KaiErpError) -> Response:
    """Return where to sign in, to a visitor who must; else the page that tells why there is no other."""
    if not isinstance(error, AuthRequired) or _mode(request) == "none":
        return refusal_page(request, error)
    within = request.headers.get("hx-request") is not None
    place = urlsplit(request.headers.get("hx-current-url", "")) if within else request.url.components
    address = place.path + (f"?{place.query}" if place.query else "")
    target = f"{SIGN_IN}?{urlencode({'next': _inside(address)})}"
    if within:
        return Response(status_code=_UNAUTHORIZED, headers=headers_of(request, error) | {"HX-Redirect": target})
    return RedirectResponse(target, _SEE_OTHER)


def _form(request: Request, target: str, failure: str | None = None, status: int = _OK) -> Response:
    token = secrets.token_urlsafe(24)
    mode = _mode(request)
    response = render(
        request, "sign-in.html", status=status, mode=mode, token=token, next=_inside(target), failure=failure
    )
    response.set_cookie(
        _FORM_COOKIE,
        token,
        max_age=_FORM_SECONDS,
        path=SIGN_IN,
        secure=_is_secure(request),
        httponly=True,
        samesite="strict",
    )
    return response


async def _check(request: Request, key: str) -> None:
    """Return when a key is good. Raises AuthRequired, and RateLimited once an address has guessed too often."""
    guarded: Keeping = request.app.state.guarded
    if not _KEY.fullmatch(key):
        raise AuthRequired("That is no key")
    try:
        await guarded.doorkeeper.admit([(b"authorization", f"Bearer {key}".encode())])
    except AuthRequired:
        await guarded.limits.refused(request.client.host if request.client else "unknown")
        raise


def _mode(request: Request) -> str:
    guarded: Keeping | None = getattr(request.app.state, "guarded", None)
    return guarded.doorkeeper.mode if guarded else "none"


def _is_own(request: Request) -> bool:
    """Tell whether a form was sent from a page of this server, as far as the browser says."""
    origin = request.headers.get("origin")
    public = urlsplit(request.app.state.settings.public_url or "").netloc
    return origin is None or urlsplit(origin).netloc in {request.headers.get("host"), public or None}


def _is_secure(request: Request) -> bool:
    public = request.app.state.settings.public_url or ""
    return request.url.scheme == "https" or public.startswith("https://")


def _inside(target: str) -> str:
    """Return an address within the console, whatever the form was told."""
    return target if target == "/" or target.startswith((CONSOLE, "/?")) else "/"


def _cookie(secure: bool) -> str:  # what set_cookie calls it
    return SECURE_KEY_COOKIE if secure else KEY_COOKIE


def _same(given: str, expected: str | None) -> bool:
    return expected is not None and bool(expected) and hmac.compare_digest(given.encode(), expected.encode())
