"""The console's part of a server: its routes, its assets, and the pages of its refusals."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from kai_erp.console import customers, downloads, events, floor, inventory, missing, orders, signing, status, tools
from kai_erp.console.pages import STATIC, failure_page
from kai_erp.console.signing import refusal

__all__ = ["add_console", "failure_page", "refusal"]


def add_console(api: FastAPI) -> None:
    """Add the console to a server."""
    api.state.streams = events.Streams()
    for room in (signing, floor, orders, inventory, customers, status, tools, downloads, events, missing):
        api.include_router(room.router)
    api.mount("/static/console", StaticFiles(directory=STATIC), name="console")
