"""Shop floor: the production schedule as a board and as a list of what to do next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from kai_erp.app import Answer
from kai_erp.console.asking import Failed, failed, filled, look, part_asked, renewal, seen
from kai_erp.console.board import WEEKS, Window, fill, lanes_of, window_of
from kai_erp.console.pages import app_of, render
from kai_erp.console.tables import Order, column, number_of, ordered, row, rows_of
from kai_erp.console.texts import query

router = APIRouter(include_in_schema=False)
SCHEDULE = "production_schedule"
_FIELDS = ("work_center", "job", "include_completed", "weeks", "from", "sort")
_LANES_AT_ONCE = 8
_MOST, _MOST_LANES = 1_000_000, 200
_PER_CENT = 100
_URGENCY = "urgency"
_STATUSES = ("behind", "on_track", "unknown", "complete")
_URGENT: Order = ((_URGENCY, "ascending"), ("sched_start", "ascending"), ("job", "ascending"))
ORDERS: Mapping[str, tuple[str, Order]] = {
    "": ("Behind first", _URGENT),
    "start": ("Scheduled start", (("sched_start", "ascending"),)),
    "due": ("Job due", (("job_due", "ascending"), ("sched_start", "ascending"))),
    "priority": ("Priority", (("priority", "ascending"), ("sched_start", "ascending"))),
    "hours": ("Most hours first", (("hours_remaining", "descending"),)),
    "job": ("Job", (("job", "ascending"), ("suffix", "ascending"), ("operation_num", "ascending"))),
}


@router.get("/")
async def shop_floor(request: Request) -> HTMLResponse:
    """Show the board, and the list beside it."""
    found = await look(request, SCHEDULE)
    values = _form(request)
    if isinstance(found, Failed):
        return failed(request, found, "floor.html", **values)
    return await asyncio.to_thread(_floor, request, found, values)


def _floor(request: Request, found: Answer, values: dict[str, Any]) -> HTMLResponse:
    count = number_of(request.query_params.get("lanes"), _LANES_AT_ONCE, _MOST_LANES)
    return render(
        request,
        "floor.html",
        problem=None,
        meta=found.meta,
        totals=row(found.summary),
        renew=renewal(request, found.meta),
        **values,
        **_board(request, found, 0, count),
        **_list(request, found),
    )


@router.get("/console/lanes")
async def more_lanes(request: Request) -> HTMLResponse:
    """Show further lanes of a board that is being looked at."""
    found = await look(request, SCHEDULE)
    if isinstance(found, Failed):
        return _failed(request, found)
    skip = number_of(request.query_params.get("skip"), 0, _MOST)
    return await _drawn(request, "floor-lanes.html", found, lambda: _board(request, found, skip, _LANES_AT_ONCE))


@router.get("/console/operations")
async def more_operations(request: Request) -> HTMLResponse:
    """Show further rows of a list that is being looked at."""
    found = await look(request, SCHEDULE)
    if isinstance(found, Failed):
        return _failed(request, found)
    return await _drawn(request, "floor-rows.html", found, lambda: _list(request, found))


@router.get("/console/operation")
async def one_operation(request: Request) -> HTMLResponse:
    """Show all that is known of one operation."""
    found = await look(request, SCHEDULE)
    if isinstance(found, Failed):
        return _failed(request, found)
    table, wanted = found.records, request.query_params
    mask = pc.and_(
        pc.equal(column(table, "job", pa.string()), wanted.get("of", "")),
        pc.and_(
            pc.equal(column(table, "suffix", pa.int64()), number_of(wanted.get("suffix"), 0, _MOST)),
            pc.equal(column(table, "operation_num", pa.int64()), number_of(wanted.get("op"), 0, _MOST)),
        ),
    )
    operations = rows_of(table.filter(mask))
    return render(request, "floor-operation.html", meta=found.meta, operation=next(iter(operations), None))


async def _drawn(
    request: Request, template: str, found: Answer, values: Callable[[], dict[str, Any]]
) -> HTMLResponse:
    """Return a part of the page, drawn off the event loop."""
    form = _form(request)
    return await asyncio.to_thread(lambda: render(request, template, meta=found.meta, **form, **values()))


def _failed(request: Request, found: Failed) -> HTMLResponse:
    return failed(request, found, again=f"/?{query(_form(request)['values'])}")


def _form(request: Request) -> dict[str, Any]:
    """Return what the form holds, for it to be shown again and for addresses to go on from."""
    return {
        "values": filled(request, _FIELDS),
        "orders": ORDERS,
        "weeks": WEEKS,
        "centers": seen(request, SCHEDULE, "work_center"),
    }


def _board(request: Request, found: Answer, skip: int, count: int) -> dict[str, Any]:
    window = _window(request)
    lanes = lanes_of(found.records)
    shown = lanes[skip : skip + count]
    fill(shown, found.records, window)
    now = window.place(_now(request))
    return {
        "window": window,
        "now": round(now, 2) if 0 <= now <= _PER_CENT else None,
        "lanes": shown,
        "lanes_total": len(lanes),
        "lanes_stop": skip + len(shown),
        "lanes_at_once": _LANES_AT_ONCE,
    }


def sorted_operations(table: pa.Table, sort: str) -> pa.Table:
    """Return operations in the order that an address names; else those behind first."""
    order = ORDERS.get(sort, ORDERS[""])[1]
    ranks = pc.index_in(column(table, "status", pa.string()), value_set=pa.array(_STATUSES))
    return ordered(table.append_column(_URGENCY, ranks), order).drop_columns([_URGENCY])


def _list(request: Request, found: Answer) -> dict[str, Any]:
    table = sorted_operations(found.records, request.query_params.get("sort", ""))
    return {"part": part_asked(request, table)}


def _window(request: Request) -> Window:
    given, zone = request.query_params, app_of(request).settings.zone
    return window_of(given.get("from"), number_of(given.get("weeks"), 4, 8), _now(request).date(), zone)


def _now(request: Request) -> datetime:
    return datetime.now(app_of(request).settings.zone)
