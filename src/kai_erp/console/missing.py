"""The page for addresses within the console that lead nowhere."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from kai_erp.console.pages import render

router = APIRouter(include_in_schema=False)
_NOT_FOUND = 404


@router.get("/console/{path:path}")
async def missing(request: Request, path: str) -> HTMLResponse:  # noqa: ARG001  # what the address holds
    """Tell that there is no such page."""
    return render(request, "missing.html", status=_NOT_FOUND)
