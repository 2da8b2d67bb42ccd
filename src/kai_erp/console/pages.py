"""Pages: templates of this package, filled in, with the policy that a browser holds them to."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from kai_erp import __version__
from kai_erp.api.problems import Problem, headers_of, problem_of
from kai_erp.api.rooms import key_in
from kai_erp.app import App
from kai_erp.callers import OPERATE, Caller
from kai_erp.console.texts import FILTERS
from kai_erp.errors import KaiErpError

STATIC = str(files("kai_erp.console") / "static")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# With no referrer at all, browsers send a form of ours with the origin "null", as if it were a stranger's.
_POLICY_HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}

templates = Environment(
    loader=PackageLoader("kai_erp.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.filters.update(FILTERS)
templates.globals["version"] = __version__


@dataclass(frozen=True, slots=True)
class Room:
    """A page that the navigation leads to; `scope` is what its visitors must be allowed, if anything."""

    title: str
    path: str
    scope: str | None


ROOMS = (
    Room("Shop floor", "/", "schedule:read"),
    Room("Orders", "/console/orders", "orders:read"),
    Room("Inventory", "/console/inventory", "inventory:read"),
    Room("Customers", "/console/customers", "customers:read"),
    Room("Status", "/console/status", OPERATE),
    Room("Try the tools", "/console/tools", None),
)


def app_of(request: Request) -> App:
    """Return the app that a page is filled from."""
    app: App = request.app.state.kai_erp
    return app


def render(
    request: Request, template: str, *, status: int = 200, headers: dict[str, str] | None = None, **values: object
) -> HTMLResponse:
    """Return a page: a template, filled with values and with what every page shows."""
    text = templates.get_template(template).render(_common(request) | values)
    return HTMLResponse(text, status, headers={**_POLICY_HEADERS, **(headers or {})})


def refusal_page(request: Request, error: KaiErpError) -> HTMLResponse:
    """Return the page that tells why a visitor gets no other."""
    return failure_page(request, problem_of(request, error), headers_of(request, error))


def failure_page(request: Request, problem: Problem, headers: dict[str, str] | None = None) -> HTMLResponse:
    """Return the page of a failure that leaves nothing else to show."""
    return render(request, "failure.html", status=problem.status, headers=headers, problem=problem)


def leaving_token(request: Request) -> str | None:
    """Return what the form to sign out carries, which only pages of ours know; None to who has not signed in."""
    key = key_in(request.headers.get("cookie", ""))
    return hmac.new(key.encode(), b"sign out of kai-erp", sha256).hexdigest() if key else None


def _common(request: Request) -> dict[str, object]:
    caller: Caller | None = getattr(request.state, "caller", None)
    app: App | None = getattr(request.app.state, "kai_erp", None)
    return {
        "caller": caller,
        "nav": [room for room in ROOMS if caller and (room.scope is None or caller.may(room.scope))],
        "path": request.url.path,
        "simulated": app is not None and app.simulated,
        "zone": app.settings.sl10_timezone if app is not None else None,
        "leaving_token": leaving_token(request),
    }
