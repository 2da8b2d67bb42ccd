"""What pages ask: a form's fields become a question, and its answer one that all viewers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
from fastapi import Request
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from kai_erp.api.problems import Problem, headers_of, problem_of
from kai_erp.api.requests import while_connected
from kai_erp.api.rooms import EVENTS_PATH
from kai_erp.api.security import caller_of
from kai_erp.app import Answer, Asked
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.console.pages import app_of, render
from kai_erp.console.tables import MOST_ROWS, PAGE_ROWS, Part, Row, number_of, part_of, row
from kai_erp.core.types import DataSource
from kai_erp.errors import InvalidParameter, KaiErpError
from kai_erp.models.result import Meta
from kai_erp.questions import Look

SHARED_SECONDS = 60.0
_RENEWED_SECONDS = 2.0  # two who press "refresh" at once share a reading


@dataclass(frozen=True, slots=True)
class Failed:
    """A question that got no answer, and the headers that go with telling so."""

    problem: Problem
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Renewal:
    """How a page is renewed: its address in parts, and where it hears that somebody has renewed it."""

    path: str
    fields: dict[str, str]
    events: str


async def look(request: Request, connector: str) -> Answer | Failed:
    """Return the answer that a page is made from: the parameters in its address are the question's.

    `at` asks for more of the answer as of that moment, `renew` for one that is read now.
    """
    return await ask(request, connector, request.query_params)


async def ask(request: Request, connector: str, values: Mapping[str, str]) -> Answer | Failed:
    """Return the answer to the question that some fields make."""
    try:
        query, how = query_of(request, connector, values), _look(request.query_params)
        asked = Asked(connector, query, caller=caller_of(request), look=how)
        return await while_connected(request, app_of(request).ask(asked))
    except KaiErpError as error:
        return Failed(problem_of(request, error), headers_of(request, error))


async def listing(
    request: Request,
    connector: str,
    template: str,
    fields: Sequence[str],
    arrange: Callable[[pa.Table], pa.Table],
    **values: Any,  # noqa: ANN401  # what a template may be filled with
) -> HTMLResponse:
    """Return a page with a form of some fields, and part of a list: the answer's rows as `arrange` orders them."""
    found = await look(request, connector)
    values["values"] = filled(request, fields)
    if isinstance(found, Failed):
        return failed(request, found, template, **values)
    values |= {
        "meta": found.meta,
        "totals": row(found.summary),
        "problem": None,
        "renew": renewal(request, found.meta),
    }
    return await asyncio.to_thread(
        lambda: render(request, template, part=part_asked(request, arrange(found.records)), **values)
    )


def failed(request: Request, found: Failed, template: str = "failure.html", **values: Any) -> HTMLResponse:  # noqa: ANN401  # likewise
    """Return a page that tells of a failure, with what else of it can be shown."""
    problem = found.problem
    return render(request, template, status=problem.status, headers=found.headers, problem=problem, **values)


def renewal(request: Request, meta: Meta) -> Renewal:
    """Return how a page is renewed that shows an answer; that of the lake does not say when it was read."""
    passing = {"renew", "at", "skip", "every"}
    asked = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in meta.filters_applied.items()
    }
    fields = {name: text for name, text in request.query_params.items() if name not in passing and text.strip()}
    read_at = {"at": meta.as_of.isoformat()} if meta.source is DataSource.REST else {}
    events = f"{EVENTS_PATH}?{urlencode({**asked, **read_at, 'connector': meta.connector})}"
    return Renewal(request.url.path, fields, events)


def seen(request: Request, connector: str, parameter: str) -> tuple[str, ...]:
    """Return values to choose from that answers have shown; none to who may not see those answers."""
    app = app_of(request)
    allowed = caller_of(request).may(app.connectors[connector].scope)
    return app.seen(connector, parameter) if allowed else ()


def part_asked(request: Request, table: pa.Table) -> Part:
    """Return the part of a list that an address asks for: `rows` of them, after `skip` others."""
    given = request.query_params
    skip = number_of(given.get("skip"), 0, table.num_rows)
    return part_of(table, skip, number_of(given.get("rows"), PAGE_ROWS, MOST_ROWS))


def filled(request: Request, fields: Iterable[str]) -> Row:
    """Return those fields of a form that are filled in; the others read as null."""
    given = request.query_params
    return Row({name: given[name] for name in fields if given.get(name, "").strip()})


def query_of(request: Request, connector: str, values: Mapping[str, str]) -> ConnectorQuery:
    """Return the question that filled-in fields make. Raises InvalidParameter when one is wrong."""
    model = app_of(request).connectors[connector].query
    given = {name: text for name, text in values.items() if name in model.model_fields and text.strip()}
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "query"
        raise InvalidParameter(name, str(first["msg"]).removeprefix("Value error, ")) from None


def _look(values: Mapping[str, str]) -> Look:
    """Return how new an answer must be. Raises InvalidParameter when `at` is no moment."""
    if "renew" in values:
        return Look(_RENEWED_SECONDS)
    at = values.get("at")
    try:
        return Look(SHARED_SECONDS, datetime.fromisoformat(at) if at else None)
    except ValueError:
        raise InvalidParameter("at", "must be the moment that a page was as of") from None
