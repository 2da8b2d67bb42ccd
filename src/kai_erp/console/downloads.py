"""Downloads of what a page shows, in the order in which it shows it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from kai_erp.api.answers import CSV, PARQUET, response
from kai_erp.console.asking import Failed, look
from kai_erp.console.floor import SCHEDULE, sorted_operations
from kai_erp.console.inventory import INVENTORY, short_first
from kai_erp.console.orders import ORDERS, in_view
from kai_erp.console.pages import app_of, failure_page
from kai_erp.questions import Answer

router = APIRouter(include_in_schema=False)
_TYPES = {"csv": CSV, "parquet": PARQUET}
_NOT_FOUND = 404


@router.get("/console/download/{name}.{kind}")
async def download(request: Request, name: str, kind: str) -> Response:
    """Return an answer as a file."""
    app = app_of(request)
    if name not in app.connectors or kind not in _TYPES:
        raise HTTPException(_NOT_FOUND, "there is no such download")
    found = await look(request, name)
    if isinstance(found, Failed):
        return failure_page(request, found.problem, found.headers)
    file = await asyncio.to_thread(_file, request, name, kind, found)
    moment = found.meta.as_of.astimezone(app.settings.zone).strftime("%Y-%m-%d-%H%M")
    file.headers["Content-Disposition"] = f'attachment; filename="{name}-{moment}.{kind}"'
    return file


def _file(request: Request, name: str, kind: str, found: Answer) -> Response:
    app = app_of(request)
    arranged = replace(found, records=_arranged(request, name, found.records))
    return response(arranged, _TYPES[kind], app.connectors[name], app.settings.zone)


def _arranged(request: Request, name: str, table: pa.Table) -> pa.Table:
    """Return the rows in the order in which their page shows them."""
    if name == SCHEDULE:
        return sorted_operations(table, request.query_params.get("sort", ""))
    if name == ORDERS:
        return in_view(request, table)
    return short_first(table) if name == INVENTORY else table
