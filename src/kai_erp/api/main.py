"""The REST server."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.routing import Route

from kai_erp import __version__
from kai_erp.access import HostGuard, check_supported
from kai_erp.api.problems import PROBLEM_JSON, Problem, add_handlers
from kai_erp.api.requests import Gate
from kai_erp.api.routes import service
from kai_erp.api.routes.questions import describe_required, question_router
from kai_erp.app import open_app
from kai_erp.config import Settings, load_settings
from kai_erp.mcp.http import PATH as MCP_PATH
from kai_erp.mcp.http import McpEndpoint
from kai_erp.plugins import all_connectors, shown_connectors

__all__ = ["app", "create_app"]

app: FastAPI  # made by __getattr__ below

_DESCRIPTION = """Ask an Infor SyteLine / CloudSuite Industrial ERP one question in place of six API calls.
Read-only. Every answer says where it comes from, as of when, and what was missing."""


def create_app(settings: Settings, *, simulated: bool = False) -> FastAPI:
    """Return the server for some settings; it opens the ERP when it starts, and closes it when it stops."""
    assistants = McpEndpoint(settings)

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        opening = open_app(settings, simulated=simulated, audit_stream=sys.stdout)
        async with opening as opened, assistants.serving(opened):
            api.state.kai_erp = opened
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
    check_supported(settings)
    add_handlers(api)
    api.add_middleware(Gate, guard=HostGuard(settings))
    for connector in shown_connectors(settings):
        api.include_router(question_router(connector))
    api.include_router(service.router)
    api.router.routes.append(Route(MCP_PATH, assistants, include_in_schema=False))
    api.mount("/static", StaticFiles(directory=service.STATIC), name="static")
    api.openapi = lambda: _described(api)  # type: ignore[method-assign]  # how FastAPI lets it be extended
    return api


def _described(api: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, made once."""
    if api.openapi_schema is None:
        describe_required(FastAPI.openapi(api), all_connectors())
    return FastAPI.openapi(api)


def __getattr__(name: str) -> FastAPI:
    """Make `app` from the environment when a server first asks for it; importing this module reads nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = create_app(load_settings())
    globals()["app"] = made
    return made
