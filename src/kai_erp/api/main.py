"""The REST server."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

from kai_erp import __version__
from kai_erp.access import check_supported
from kai_erp.access.doorkeeping import open_doorkeeper
from kai_erp.access.limits import InboundLimits
from kai_erp.api.answers import META_HEADERS
from kai_erp.api.problems import PROBLEM_JSON, Problem, add_handlers
from kai_erp.api.requests import Gate
from kai_erp.api.routes import service
from kai_erp.api.routes.questions import describe_required, question_router
from kai_erp.api.security import Door, Keeping
from kai_erp.app import open_app, utc_now
from kai_erp.config import Settings, load_settings
from kai_erp.console.serving import add_console, failure_page, refusal
from kai_erp.logs import configure_logs
from kai_erp.mcp.http import HEADERS as MCP_HEADERS
from kai_erp.mcp.http import PATH as MCP_PATH
from kai_erp.mcp.http import McpEndpoint
from kai_erp.plugins import all_connectors, shown_connectors

__all__ = ["app", "create_app"]

app: FastAPI  # made by __getattr__ below

_DESCRIPTION = """Ask an Infor SyteLine / CloudSuite Industrial ERP one question in place of six API calls.
Read-only. Every answer says where it comes from, as of when, and what was missing."""


_SENT_HEADERS = ("Accept", "Authorization", "Content-Type", "X-API-Key", "X-Request-ID", *MCP_HEADERS)
_SHOWN_HEADERS = ("Retry-After", "X-Request-ID", "WWW-Authenticate", *META_HEADERS, *MCP_HEADERS)


def create_app(settings: Settings, *, simulated: bool = False) -> FastAPI:
    """Return the server for some settings; it opens the ERP when it starts, and closes it when it stops."""
    check_supported(settings)
    assistants = McpEndpoint(settings)

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        opening = open_app(settings, simulated=simulated, audit_stream=sys.stdout)
        keeping = open_doorkeeper(settings, time.monotonic, utc_now)
        async with opening as opened, keeping as doorkeeper, assistants.serving(opened):
            api.state.kai_erp = opened
            limits = InboundLimits(settings.inbound_per_minute, settings.inbound_concurrency, opened.rates)
            api.state.guarded = Keeping(doorkeeper, limits)
            yield

    api = FastAPI(
        title="kai-erp",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": Problem, "description": "A problem.", "content": {PROBLEM_JSON: {}}}},
    )
    api.state.settings, api.state.assistants = settings, assistants
    api.state.stop_streams = lambda: _stop_streams(api)
    add_handlers(api)
    _guard(api, settings)
    for connector in shown_connectors(settings):
        api.include_router(question_router(connector))
    api.include_router(service.router)
    api.router.routes.append(Route(MCP_PATH, assistants, include_in_schema=False))
    add_console(api)
    api.mount("/static", StaticFiles(directory=service.STATIC), name="static")
    api.openapi = lambda: _described(api)  # type: ignore[method-assign]  # how FastAPI lets it be extended
    return api


def _stop_streams(api: FastAPI) -> None:
    """End what would go on for ever when the server is to stop."""
    api.state.assistants.stop_streams()
    api.state.streams.stop()


def _guard(api: FastAPI, settings: Settings) -> None:
    """Put the door before everything, and before the door what every request passes."""
    api.add_middleware(
        Door, settings=settings, guarded=lambda: getattr(api.state, "guarded", None), page_of=refusal
    )
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),  # DELETE ends an MCP session
            allow_headers=_SENT_HEADERS,
            expose_headers=_SHOWN_HEADERS,
        )
    api.add_middleware(Gate, settings=settings, page_of=failure_page)


def _described(api: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made once."""
    if api.openapi_schema is None:
        describe_required(FastAPI.openapi(api), all_connectors())
    return FastAPI.openapi(api)


def __getattr__(name: str) -> FastAPI:
    """Make `app` from the environment when a server first asks for it; importing this module reads nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    settings = load_settings()
    configure_logs(settings)
    made = create_app(settings)
    globals()["app"] = made
    return made
