"""Try the tools: every question with a form for its parameters, its answer, and how it is put from elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from kai_erp.api.answers import envelope
from kai_erp.api.problems import headers_of, problem_of
from kai_erp.api.requests import while_connected
from kai_erp.api.security import Keeping, caller_of
from kai_erp.app import Answer, Asked
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.console.asking import Failed
from kai_erp.console.cells import Grid, grid_of
from kai_erp.console.forms import SENT, Filled, filled
from kai_erp.console.pages import app_of, refusal_page, render
from kai_erp.console.recipes import Place, recipes
from kai_erp.console.tables import rows_of
from kai_erp.errors import Forbidden, KaiErpError

router = APIRouter(include_in_schema=False)
ROWS_SHOWN, RECORDS_SHOWN = 100, 5
_OK, _NOT_FOUND, _INVALID = 200, 404, 422
Connector = BaseConnector[ConnectorQuery]


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer as the page shows it: some of its rows, some of its JSON, and how long it took in milliseconds."""

    answer: Answer
    grid: Grid
    json: str
    ms: float

    @property
    def rows(self) -> int:
        """How many rows are shown."""
        return len(self.grid.rows)

    @property
    def records(self) -> int:
        """How many records of the JSON are shown."""
        return min(RECORDS_SHOWN, self.answer.meta.record_count)


@router.get("/console/tools")
async def tools(request: Request) -> HTMLResponse:
    """List the questions that the visitor may ask."""
    caller, connectors = caller_of(request), app_of(request).connectors.values()
    allowed = [connector for connector in connectors if caller.may(connector.scope)]
    others = [connector.scope for connector in connectors if not caller.may(connector.scope)]
    return render(request, "tools.html", connectors=allowed, others=others)


@router.get("/console/tools/{name}")
async def tool(request: Request, name: str) -> HTMLResponse:
    """Show the form of a question and, once it was sent, the answer."""
    connector = app_of(request).connectors.get(name)
    if connector is None:
        return render(request, "missing.html", status=_NOT_FOUND)
    if not caller_of(request).may(connector.scope):
        return refusal_page(request, Forbidden(connector.scope))
    form = filled(request, connector)
    if SENT not in request.query_params and "cursor" not in request.query_params:
        return _page(request, form, {}, status=_OK)
    asked = form.asked(request)
    if asked is None:
        return _page(request, form, form.errors, status=_INVALID)
    return await _answered(request, form, asked)


async def _answered(request: Request, form: Filled, asked: Asked) -> HTMLResponse:
    found = await _found(request, asked, form.connector)
    how = recipes(asked, form.connector, _place(request))
    if isinstance(found, Shown):
        return _page(request, form, {}, status=_OK, shown=found, recipes=how, further=_further(form, found))
    problem = found.problem
    errors = {fault.parameter: fault.message for fault in problem.errors or ()}
    page = _page(request, form, errors, status=problem.status, problem=problem, recipes=how)
    page.headers.update(found.headers)
    return page


async def _found(request: Request, asked: Asked, connector: Connector) -> Shown | Failed:
    started = time.perf_counter()
    try:
        answer = await while_connected(request, app_of(request).ask(asked))
    except KaiErpError as error:
        return Failed(problem_of(request, error), headers_of(request, error))
    ms = (time.perf_counter() - started) * 1000
    records = answer.records
    grid = grid_of(records.column_names, rows_of(records.slice(0, ROWS_SHOWN)))
    return Shown(answer, grid, _json(request, answer, connector), ms)


def _page(
    request: Request, form: Filled, errors: Mapping[str, str], *, status: int, **values: object
) -> HTMLResponse:
    nothing: dict[str, Any] = {"shown": None, "problem": None, "recipes": (), "further": None}
    anew = {name: text for name, text in form.values.items() if name != "cursor"} | {SENT: "1"}
    known = {"connector": form.connector, "entries": form.entries(errors), "errors": errors, "again": anew}
    return render(request, "tools-form.html", status=status, **nothing | known | values)


def _further(form: Filled, shown: Shown) -> dict[str, str] | None:
    """Return what the address of the next page holds; None on the last one."""
    cursor = shown.answer.meta.next_cursor
    return {**form.values, "cursor": cursor, SENT: "1"} if cursor else None


def _place(request: Request) -> Place:
    guarded: Keeping = request.app.state.guarded
    return Place(str(request.base_url), guarded.doorkeeper.mode, app_of(request).simulated)


def _json(request: Request, answer: Answer, connector: Connector) -> str:
    """Return the envelope with its first records, indented."""
    part = replace(answer, records=answer.records.slice(0, RECORDS_SHOWN))
    return indented(b"".join(envelope(part, connector.summary, app_of(request).settings.zone)))


def indented(text: bytes) -> str:
    """Return a JSON document with a line for each value; numbers keep all their digits."""
    document = json.loads(text, parse_float=_verbatim, parse_int=_verbatim)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def _verbatim(digits: str) -> orjson.Fragment:
    return orjson.Fragment(digits)
