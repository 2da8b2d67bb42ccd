"""What the service says about itself."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from kai_erp import __version__
from kai_erp.api.requests import while_connected
from kai_erp.app import App
from kai_erp.catalogue import ConnectorEntry, catalogue
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


@router.get("/health")
async def health() -> Health:
    """Tell that the process is alive; touches nothing else."""
    return Health()


@router.get("/ready")
async def ready(request: Request, app: OpenedApp) -> Ready:
    """Tell that a token and one small read of the ERP succeed; a success is kept 30 s."""
    await while_connected(request, app.check_ready())
    return Ready()


@router.get("/connectors")
async def connectors(app: OpenedApp) -> list[ConnectorEntry]:
    """List what can be asked: parameters, record fields and collections of each connector."""
    return catalogue(app.connectors.values())


@router.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE: {}}}})
async def metrics(app: OpenedApp) -> Response:
    """Show what is counted and timed, for Prometheus."""
    return Response(app.metrics.exposed(), media_type=CONTENT_TYPE)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> HTMLResponse:
    """Show the API with what is vendored here, so that it works offline."""
    static = "/static/swagger-ui"
    api: Any = request.app
    return get_swagger_ui_html(
        openapi_url=api.openapi_url,
        title=api.title,
        swagger_js_url=f"{static}/swagger-ui-bundle.js",
        swagger_css_url=f"{static}/swagger-ui.css",
        swagger_favicon_url=f"{static}/favicon-32x32.png",
        swagger_ui_parameters={"validatorUrl": None},
    )
