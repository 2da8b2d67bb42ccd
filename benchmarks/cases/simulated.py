"""The schedule of the simulated medium plant, beside six whole collections walked at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from benchmarks.bars import Bar
from benchmarks.cases.schedule import LATENCY_MS, PRODUCT, WIRE
from benchmarks.plant import bare_client, plant
from benchmarks.rivals.joined import COLLECTIONS, params
from benchmarks.rivals.serving import digest
from benchmarks.turns import Contender, Expected, in_turns
from kai_erp.config import Settings
from kai_erp.demo import ZONE, plant_now
from kai_erp.ionapi import read_ionapi
from kai_erp.simulator import build_plant
from tests.oracles.production_schedule import expected_schedule

_PAGE = 1000
_GIVEN = (
    "sl10_ionapi_file",
    "sl10_config_name",
    "sl10_timezone",
    "sl10_max_concurrency",
    "sl10_requests_per_minute",
)


def simulated(rounds: int) -> Sequence[Bar]:
    """Measure the unfiltered question beside the walks with bodies dropped, in turns."""
    name = "simulator medium, page 1000: the schedule / six whole walks at once"
    now = plant_now()
    with plant(now, latency_ms=LATENCY_MS) as settings:
        task = {
            "what": "ask",
            "settings": {**{field: str(getattr(settings, field)) for field in _GIVEN}, "sl10_page_size": _PAGE},
        }
        product = Contender(PRODUCT, None, "benchmarks.product", (json.dumps(task),))
        taken = in_turns([product, asyncio.run(_walks(settings))], rounds, _expected(now))
    answer, walks = taken[PRODUCT], taken[WIRE]
    return [Bar(name, 0.30, answer.ms / walks.ms, ms=(answer.ms, walks.ms))]


async def _walks(settings: Settings) -> Contender:
    """Return the six walks, with a token of their own."""
    async with bare_client(settings) as http:
        headers = {name: http.headers[name] for name in ("Authorization", "X-Infor-MongooseConfig")}
    base = (
        read_ionapi(settings.sl10_ionapi_file).service_url(settings.sl10_suite)
        if settings.sl10_ionapi_file
        else ""
    )
    walks = [(name, params(name, _PAGE)) for name in COLLECTIONS]
    asked = {"base": base, "walks": walks, "wire_only": True, "headers": headers}
    return Contender(WIRE, "rivals", "benchmarks.floor", (json.dumps(asked),), checked=False)


def _expected(now: datetime) -> Expected:
    """Return what the rows of the plant lead to, worked out row by row."""
    zone, medium = ZoneInfo(ZONE), build_plant("medium", 1, now)
    rows = {name: medium.rows(name) for name in COLLECTIONS}
    truth = expected_schedule(rows, now=now.replace(tzinfo=zone).astimezone(UTC), zone=zone)
    records = [{**record, "sched_finish": _local(record["sched_finish"], zone)} for record in truth.records]
    return Expected(len(records), digest(records))


def _local(moment: object, zone: ZoneInfo) -> str | None:
    return moment.astimezone(zone).isoformat() if isinstance(moment, datetime) else None
