"""What is counted and timed, for Prometheus. No label is data: connectors, collections, outcomes, states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from typing_extensions import override

from kai_erp import __version__
from kai_erp.core.types import Clock
from kai_erp.core.watching import BreakerState, Upstream, Watch

__all__ = ["CONTENT_TYPE", "Metrics", "Reading"]

CONTENT_TYPE = CONTENT_TYPE_LATEST
_STATES: dict[BreakerState, int] = {"closed": 0, "half_open": 1, "open": 2}
_UPSTREAMS: tuple[Upstream, ...] = ("erp", "lake")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """All numbers at one moment: name, labels and value of each."""

    samples: Sequence[tuple[str, Mapping[str, str], float]]

    def of(self, name: str, **labels: str) -> float | None:
        """Return a number; the sum of those that have these labels; None when there is none."""
        values = [
            value for known, having, value in self.samples if known == name and labels.items() <= having.items()
        ]
        return sum(values) if values else None

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """Return a number for each value of a label that has any, the largest first."""
        kinds = {having[label] for known, having, _ in self.samples if known == name and label in having}
        found = {kind: self.of(name, **{label: kind}, **labels) for kind in kinds}
        return dict(sorted(((kind, value) for kind, value in found.items() if value), key=lambda one: -one[1]))


class Metrics(Watch):
    """Counts what it is told, in a registry of its own: apps in one process do not share it.

    Args:
        clock: growing seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._token_at: dict[Upstream, float] = {}
        self.registry = registry = CollectorRegistry()
        Info("kai_erp", "The program.", registry=registry).info({"version": __version__})
        self._count_service(registry)
        self._count_upstream(registry)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

    def _count_service(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "kai_erp_http_requests", "HTTP requests.", ("route", "method", "status"), registry=registry
        )
        self._request_seconds = Histogram(
            "kai_erp_http_request_seconds", "Time to answer.", ("route",), buckets=_SECONDS, registry=registry
        )
        self._questions = Counter(
            "kai_erp_questions",
            "Questions; outcome is answered, page for one of a kept answer, or an error code.",
            ("connector", "source", "outcome"),
            registry=registry,
        )
        self._question_seconds = Histogram(
            "kai_erp_question_seconds", "Time to answer.", ("connector",), buckets=_SECONDS, registry=registry
        )
        self._lookups = Counter(
            "kai_erp_lookups",
            "Answers and collections looked for among those kept or under way.",
            ("cache", "result"),
            registry=registry,
        )
        self._shed = Counter("kai_erp_shed", "Questions turned away to keep the process alive.", registry=registry)
        self._store_lost = Gauge(
            "kai_erp_shared_store_lost", "1 while Redis is set but out of reach.", registry=registry
        )

    def _count_upstream(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "kai_erp_upstream_calls",
            "Requests to the ERP and the lake; outcome is ok or an error code.",
            ("upstream", "collection", "outcome"),
            registry=registry,
        )
        self._call_seconds = Histogram(
            "kai_erp_upstream_seconds", "Time of those.", ("upstream",), buckets=_SECONDS, registry=registry
        )
        self._retries = Counter("kai_erp_upstream_retries", "Requests repeated.", ("upstream",), registry=registry)
        self._breaker = Gauge(
            "kai_erp_breaker_state", "0 closed, 1 half open, 2 open.", ("upstream",), registry=registry
        )
        renewals = Counter("kai_erp_token_renewals", "Tokens obtained.", ("upstream",), registry=registry)
        age = Gauge(
            "kai_erp_token_age_seconds", "Age of the token; NaN before one.", ("upstream",), registry=registry
        )
        for upstream in _UPSTREAMS:
            self._breaker.labels(upstream)
            age.labels(upstream).set_function(partial(self.token_age, upstream))
        self._renewals = renewals
        self._started = Gauge(
            "kai_erp_budget_started",
            "Requests this process began in the last minute.",
            ("upstream",),
            registry=registry,
        )
        self._waiting = Gauge(
            "kai_erp_budget_waiting", "Requests that wait for a slot.", ("upstream",), registry=registry
        )
        self._limit = Gauge(
            "kai_erp_budget_limit",
            "Requests that all replicas may begin in a minute.",
            ("upstream",),
            registry=registry,
        )

    def read(self) -> Reading:
        """Return every number as it is now."""
        samples = (sample for metric in self.registry.collect() for sample in metric.samples)
        return Reading([(sample.name, sample.labels, sample.value) for sample in samples])

    def gauge(self, name: str, meaning: str, value: Callable[[], float]) -> None:
        """Show a number that is asked for at each scrape."""
        Gauge(name, meaning, registry=self.registry).set_function(value)

    def token_age(self, upstream: Upstream) -> float:
        """Return how many seconds ago a token was obtained; NaN when none was."""
        at = self._token_at.get(upstream)
        return float("nan") if at is None else self._clock() - at

    def exposed(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self.registry)

    def requested(self, route: str, method: str, status: int, seconds: float) -> None:
        """Take note of an HTTP request; `route` is a path of ours, never what was asked for beyond them."""
        self._requests.labels(route, method, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def asked(self, connector: str, source: str, outcome: str, seconds: float) -> None:
        """Take note of a question."""
        self._questions.labels(connector, source, outcome).inc()
        self._question_seconds.labels(connector).observe(seconds)

    @override
    def called(self, upstream: Upstream, what: str, outcome: str, seconds: float) -> None:
        self._calls.labels(upstream, what, outcome).inc()
        self._call_seconds.labels(upstream).observe(seconds)

    @override
    def tried_again(self, upstream: Upstream) -> None:
        self._retries.labels(upstream).inc()

    @override
    def breaker(self, upstream: Upstream, state: BreakerState) -> None:
        self._breaker.labels(upstream).set(_STATES[state])

    @override
    def token_renewed(self, upstream: Upstream) -> None:
        self._token_at[upstream] = self._clock()
        self._renewals.labels(upstream).inc()

    @override
    def looked_up(self, cache: Literal["answer", "flight", "reference", "shown"], *, hit: bool) -> None:
        self._lookups.labels(cache, "hit" if hit else "miss").inc()

    @override
    def budgeted(
        self, upstream: Upstream, limit: int, started: Callable[[], int], waiting: Callable[[], int]
    ) -> None:
        self._limit.labels(upstream).set(limit)
        self._started.labels(upstream).set_function(started)
        self._waiting.labels(upstream).set_function(waiting)

    @override
    def shed(self) -> None:
        self._shed.inc()

    @override
    def store(self, *, lost: bool) -> None:
        self._store_lost.set(lost)
