"""How the server stands, for its operator: what it counts, arranged by what is asked about."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass

from kai_erp import __version__
from kai_erp.config import Settings
from kai_erp.core.watching import Upstream
from kai_erp.metrics import Reading

_MEGABYTE = 1024 * 1024
_NAMES: Mapping[Upstream, str] = {"erp": "The ERP", "lake": "The data lake"}
_BREAKER = {0: "closed", 1: "half open", 2: "open"}


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """How an upstream stands: `started` of `limit` requests in the last minute; `token_age` in seconds."""

    name: str
    breaker: str
    started: int
    limit: int
    waiting: int
    token_age: float | None
    calls: Mapping[str, float]
    retries: int


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """How this process stands; `uptime` in seconds, `memory` None where the system does not tell."""

    version: str
    host: str
    process: int
    uptime: float | None
    memory: float | None
    store: str
    answers: int
    answers_mb: float
    questions: Mapping[str, float]
    shed: int


def upstreams_of(reading: Reading) -> list[UpstreamState]:
    """Return the state of each upstream that can be asked."""
    return [_upstream(reading, upstream) for upstream in _NAMES if _number(reading, "budget_limit", upstream)]


def _upstream(reading: Reading, upstream: Upstream) -> UpstreamState:
    age = reading.of("kai_erp_token_age_seconds", upstream=upstream)
    return UpstreamState(
        name=_NAMES[upstream],
        breaker=_BREAKER[_number(reading, "breaker_state", upstream)],
        started=_number(reading, "budget_started", upstream),
        limit=_number(reading, "budget_limit", upstream),
        waiting=_number(reading, "budget_waiting", upstream),
        token_age=None if age is None or math.isnan(age) else age,
        calls=reading.by("outcome", "kai_erp_upstream_calls_total", upstream=upstream),
        retries=_number(reading, "upstream_retries_total", upstream),
    )


def replica_of(reading: Reading, settings: Settings) -> ReplicaState:
    """Return the state of this process."""
    began, memory = reading.of("process_start_time_seconds"), reading.of("process_resident_memory_bytes")
    lost = reading.of("kai_erp_shared_store_lost")
    return ReplicaState(
        version=__version__,
        host=platform.node(),
        process=os.getpid(),
        uptime=time.time() - began if began else None,
        memory=memory / _MEGABYTE if memory else None,
        store="none" if settings.redis_url is None else "lost" if lost else "in reach",
        answers=int(reading.of("kai_erp_kept_answers") or 0),
        answers_mb=(reading.of("kai_erp_kept_answers_bytes") or 0) / _MEGABYTE,
        questions=reading.by("outcome", "kai_erp_questions_total"),
        shed=int(reading.of("kai_erp_shed_total") or 0),
    )


def _number(reading: Reading, name: str, upstream: Upstream) -> int:
    return int(reading.of(f"kai_erp_{name}", upstream=upstream) or 0)


def length(seconds: float) -> str:
    """Return a length of time in the unit that suits it: `45 s`, `12 min`, `3.5 h`, `2.0 d`."""
    for unit, size, most, digits in (("s", 1, 90, 0), ("min", 60, 7200, 0), ("h", 3600, 172_800, 1)):
        if abs(seconds) < most:
            return f"{seconds / size:,.{digits}f} {unit}"
    return f"{seconds / 86_400:,.1f} d"
