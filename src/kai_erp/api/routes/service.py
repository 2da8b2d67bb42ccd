"""What the service says about itself."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from kai_erp import __version__
from kai_erp.access.metadata import METADATA_PATH, resource_metadata
from kai_erp.api.problems import problem
from kai_erp.api.requests import while_connected
from kai_erp.api.security import caller_of
from kai_erp.app import App
from kai_erp.callers import OPERATE
from kai_erp.catalogue import ConnectorEntry, catalogue
from kai_erp.errors import KaiErpError
from kai_erp.metrics import CONTENT_TYPE

STATIC = str(files("kai_erp.api") / "static")


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"
    version: str = __version__


class Ready(BaseModel):
    """The ERP lets us in and answers."""

    status: Literal["ready"] = "ready"


def _app(request: Request) -> App:
    app: App = request.app.state.kai_erp
    return app


OpenedApp = Annotated[App, Depends(_app)]
router = APIRouter(tags=["Service"])
_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
_NOT_FOUND, _KEPT_SECONDS = 404, "30"
log = structlog.get_logger(__name__)


@router.get("/health")
async def health() -> Health:
    """Tell that the process is alive; touches nothing else."""
    return Health()


@router.get("/ready", response_model=Ready)
async def ready(request: Request, app: OpenedApp) -> Ready | Response:
    """Tell that a token and one small read of the ERP succeed; kept 30 s. With access on, not why not."""
    try:
        await while_connected(request, app.check_ready())
    except KaiErpError as failure:
        if request.app.state.guarded.doorkeeper.mode == "none":
            raise
        log.warning("not ready", code=failure.code, reason=str(failure))
        later = {"Retry-After": _KEPT_SECONDS}
        why = "The operator's log says why."
        return problem(request, failure.code, "The ERP cannot be asked now", why, headers=later)
    return Ready()


@router.get("/connectors")
async def connectors(app: OpenedApp) -> list[ConnectorEntry]:
    """List what can be asked: parameters, record fields and collections of each connector."""
    return catalogue(app.connectors.values())


@router.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE: {}}}})
async def metrics(request: Request, app: OpenedApp) -> Response:
    """Show what is counted and timed, for Prometheus."""
    caller_of(request).check(OPERATE)
    return Response(app.metrics.exposed(), media_type=CONTENT_TYPE)


@router.get(METADATA_PATH, include_in_schema=False)
@router.get(f"{METADATA_PATH}/{{path:path}}", include_in_schema=False)
async def protected_resource(app: OpenedApp, path: str = "") -> JSONResponse:
    """Tell OAuth clients whose tokens are taken here (RFC 9728)."""
    scopes = {connector.scope for connector in app.connectors.values()} | {OPERATE}
    metadata = resource_metadata(app.settings, scopes, f"/{path}" if path else "")
    if metadata is None:
        raise HTTPException(_NOT_FOUND, "no tokens are asked for here")
    return JSONResponse(metadata)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show the API with what is vendored here, so that it works offline."""
    static = "/static/swagger-ui"
    api: Any = request.app
    page = get_swagger_ui_html(
        openapi_url=api.openapi_url,
        title=api.title,
        swagger_js_url=f"{static}/swagger-ui-bundle.js",
        swagger_css_url=f"{static}/swagger-ui.css",
        swagger_favicon_url=f"{static}/favicon-32x32.png",
        swagger_ui_parameters={"validatorUrl": None},
    )
    page.headers["Content-Security-Policy"] = _policy_of(bytes(page.body))
    return page


def _policy_of(page: bytes) -> str:
    """Return what a page of Swagger's may load and run: what is served here, and the scripts within it."""
    hashes = " ".join(
        f"'sha256-{b64encode(sha256(script).digest()).decode()}'" for script in _INLINE.findall(page)
    )
    return (
        f"default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
