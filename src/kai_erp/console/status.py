"""Status: how the ERP, the server and its latest questions stand, for who operates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from kai_erp.api.problems import Problem, problem_of
from kai_erp.api.requests import while_connected
from kai_erp.api.security import caller_of
from kai_erp.app import utc_now
from kai_erp.callers import OPERATE
from kai_erp.catalogue import CollectionEntry
from kai_erp.checkups import KEPT_FOR, Checkup
from kai_erp.console.pages import app_of, refusal_page, render
from kai_erp.console.standing import length, replica_of, upstreams_of
from kai_erp.errors import Forbidden, KaiErpError
from kai_erp.preflight import CollectionCheck, rights_to_ask_for

router = APIRouter(include_in_schema=False)
STATUS = "/console/status"
_SEE_OTHER = 303
_TONES = {"granted": "ok", "empty": "warn", "denied": "bad", "missing": "bad", "failing": "bad"}
_WELL = frozenset({"answered", "page"})


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection of a connector, as the last check found it."""

    name: str
    needed: bool
    grant: str
    tone: str
    ms: float
    remark: str


@router.get(STATUS)
async def status(request: Request) -> Response:
    """Show how everything stands; with `check`, check the tenant first."""
    try:
        caller_of(request).check(OPERATE)
    except Forbidden as error:
        return refusal_page(request, error)
    app = app_of(request)
    if "check" in request.query_params:
        await while_connected(request, app.checkups.renew())
        return RedirectResponse(f"{STATUS}#tenant", _SEE_OTHER)
    unready, replicas = await _unready(request), await app.roll.replicas() if app.roll else []
    reading = app.metrics.read()
    return render(
        request,
        "status.html",
        at=utc_now(),
        length=length,
        unready=unready,
        upstreams=upstreams_of(reading),
        replica=replica_of(reading, app.settings),
        replicas=replicas,
        recent=[_asked(line) for line in app.recent()],
        **_tenant(request, app.checkups.last()),
    )


async def _unready(request: Request) -> Problem | None:
    """Return why the ERP cannot be asked now; None when it can."""
    try:
        await while_connected(request, app_of(request).check_ready())
    except KaiErpError as error:
        return problem_of(request, error)
    return None


def _tenant(request: Request, checkup: Checkup | None) -> dict[str, Any]:
    """Return what the page shows of a check."""
    connectors = checkup.connectors if checkup else ()
    return {
        "checkup": checkup,
        "check_kept": length(KEPT_FOR.total_seconds()),
        "check_problem": problem_of(request, checkup.failure) if checkup and checkup.failure else None,
        "checks": [(check, [_collection(*found) for found in check.collections]) for check in connectors],
        "rights": rights_to_ask_for(connectors),
        "lake_told": _lake_told(checkup),
    }


def _collection(entry: CollectionEntry, found: CollectionCheck) -> Collection:
    tone = "warn" if found.missing and found.readable else _TONES[found.grant]
    return Collection(entry.name, entry.required, found.grant, tone, found.ms, _remark(entry, found))


def _remark(entry: CollectionEntry, found: CollectionCheck) -> str:
    """Return what to know about a collection, and whom to ask for what."""
    if found.missing:
        return f"The tenant lacks its properties {', '.join(found.missing)}."
    if found.readable:
        return "" if found.grant == "granted" else "It has no rows yet."
    lost = "No answer without it." if entry.required else "Its fields come from elsewhere, or are null."
    if found.grant == "denied":
        return f"{lost} Ask the ERP administrator for Read privilege on the IDO {found.name}."
    return f"{lost} {found.said}"


def _lake_told(checkup: Checkup | None) -> str:
    """Return how the lake stands, in words."""
    lake = checkup.lake if checkup else None
    if lake is None:
        return "Not enabled: large questions are refused."
    if lake.said:
        return f"It fails: {lake.said}"
    age = (
        f"its newest row came {length(lake.age.total_seconds())} ago" if lake.age is not None else "it has no rows"
    )
    lag = f", {length(lake.lag.total_seconds())} after the ERP changed it" if lake.lag is not None else ""
    return f"It answers: {age}{lag}. {lake.advice}".strip()


def _asked(line: Mapping[str, object]) -> dict[str, object]:
    """Return a question as the page lists it: a line of the audit log, with its moment and its tone."""
    tone = "ok" if line["outcome"] in _WELL else "dim" if line["outcome"] == "cancelled" else "bad"
    return {**line, "at": datetime.fromisoformat(str(line["at"])), "tone": tone}
