"""The joined schedule over the mock ERP, beside the floor and beside the naive way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from benchmarks.bars import Bar
from benchmarks.mock_rows import SIZES, Plant, job_number
from benchmarks.rivals.serving import digest
from benchmarks.turns import ZONE, Contender, Expected, Taken, in_turns, leading_to, mock_erp
from kai_erp.connectors import BedrockOpsScheduler, Moment, ScheduleQuery
from kai_erp.core import ido

SERVICE = "MOCK/CSI/IDORequestService/ido"
LATENCY_MS = 50.0
UNLIMITED = 0
_AT_L = 5  # rounds at most
PRODUCT, FLOOR, WIRE = "product", "F", "wire"
_NAIVE = "naive, one shared client"
_NAMING = "naive, one shared client, properties named"


@dataclass(frozen=True, slots=True)
class Setting:
    """A mock of one size, and settings that lead to it."""

    size: str
    gateway: str
    settings: Mapping[str, object]
    expected: Expected

    @property
    def base(self) -> str:
        """The address of the service."""
        return f"{self.gateway}/{SERVICE}"

    def product(self, what: str = "ask", **settings: object) -> Contender:
        """Return the product as a contender."""
        task = {"what": what, "settings": {**self.settings, **settings}}
        return Contender(PRODUCT, None, "benchmarks.product", (json.dumps(task),), checked=what != "engine")

    def floor(self, page_size: int, ranges: int = 1) -> Contender:
        """Return the floor F, with the pages and the ranges that the product may use."""
        cuts = _cuts(SIZES[self.size], ranges)
        walks = [("SLJobRoutes", _first_page(page_size, condition)) for condition in cuts]
        asked = {"base": self.base, "walks": walks, "threads": 2 if self.size == "L" else 1}
        return Contender(FLOOR, "rivals", "benchmarks.floor", (json.dumps(asked),))

    def wire(self, walks: Sequence[tuple[str, Mapping[str, str]]]) -> Contender:
        """Return the bare fetch of some walks at the same time, bodies dropped."""
        asked = {"base": self.base, "walks": walks, "wire_only": True}
        return Contender(WIRE, "rivals", "benchmarks.floor", (json.dumps(asked),), checked=False)

    def naive(self, page_size: int, *options: str, name: str = _NAIVE) -> Contender:
        """Return the naive way."""
        arguments = (self.base, "--page-size", str(page_size), *options)
        return Contender(name, "rivals", "benchmarks.rivals.naive", arguments)


@contextmanager
def setting(size: str, latency_ms: float = LATENCY_MS) -> Iterator[Setting]:
    """Run a mock of a size."""
    records = list(Plant(SIZES[size]).expected())
    expected = Expected(len(records), digest(records))
    with mock_erp(SIZES[size], latency_ms) as gateway, leading_to(gateway) as settings:
        yield Setting(size, gateway, settings, expected)


def paged(rounds: int) -> Sequence[Bar]:
    """Measure M with pages of a thousand, and with eight ranges."""
    with setting("M") as mock:
        taken = _taken(mock, 1000, 1, rounds)
        ranged = _taken(mock, 1000, 8, rounds)
    return [
        _beside(taken, "M, 50 ms, page 1000 / F", 1.15),
        _beside(ranged, "M, 50 ms, page 1000, 8 ranges / F", 1.45),
    ]


def unlimited(rounds: int) -> Sequence[Bar]:
    """Measure M and S with unlimited pages, beside the floor in time and beside the naive way in CPU."""
    bars: list[Bar] = []
    cpu: list[Bar] = []
    for size, limit in (("M", 1.8), ("S", 1.5)):
        with setting(size) as mock:
            taken = in_turns([mock.floor(UNLIMITED), _unlimited(mock), *_naive(mock)], rounds, mock.expected)
        bars.append(_beside(taken, f"{size}, 50 ms, unlimited pages / F", limit))
        cpu.append(_cpu(taken, _NAIVE, f"CPU / naive with one shared client, {size}", 0.25))
        cpu.append(_cpu(taken, _NAMING, f"CPU / the same, properties named, {size}", None))
    return [*bars, *cpu]


def large(rounds: int) -> Sequence[Bar]:
    """Measure L beside the floor, and how memory grows beside the naive way, each in a process of its own."""
    with setting("L") as mock:
        product = mock.product(sl10_page_size=5000, sl10_key_ranges=8, sl10_query_timeout_seconds=600)
        taken = in_turns([mock.floor(5000, 8), product], min(rounds, _AT_L), mock.expected)
        # One turn each: after it the checking of the answer has taken memory as well.
        fresh = in_turns([product, mock.naive(5000, "--shared", "--whole-rows")], 1, mock.expected, warm=0)
    grown, naive = fresh[PRODUCT].grown_mb, fresh[_NAIVE].grown_mb
    return [
        _beside(taken, "L, 50 ms, page 5000, 8 ranges / F", 2.2),
        Bar("peak memory growth at L / naive", 0.45, grown / naive, note=f"{grown:,.0f} / {naive:,.0f} MB"),
    ]


def _taken(mock: Setting, page_size: int, ranges: int, rounds: int) -> dict[str, Taken]:
    product = mock.product(sl10_page_size=page_size, sl10_key_ranges=ranges)
    return in_turns([mock.floor(page_size, ranges), product], rounds, mock.expected)


def _unlimited(mock: Setting) -> Contender:
    return mock.product(sl10_page_size=100_000)


def _naive(mock: Setting) -> list[Contender]:
    return [
        mock.naive(UNLIMITED, "--shared", "--whole-rows"),
        mock.naive(UNLIMITED, "--shared", name=_NAMING),
    ]


def _beside(taken: Mapping[str, Taken], name: str, limit: float) -> Bar:
    product, floor = taken[PRODUCT], taken[FLOOR]
    parts = {part: round(floor.part(part), 1) for part in ("wire", "decode", "join", "encode")}
    return Bar(name, limit, product.ms / floor.ms, ms=(product.ms, floor.ms), parts=parts)


def _cpu(taken: Mapping[str, Taken], rival: str, name: str, limit: float | None) -> Bar:
    product, naive = taken[PRODUCT], taken[rival]
    return Bar(name, limit, product.cpu_ms / naive.cpu_ms, ms=(product.cpu_ms, naive.cpu_ms))


def _first_page(page_size: int, condition: str) -> dict[str, str]:
    """Return the parameters with which the product asks for the largest collection that it needs whole."""
    moment = Moment(datetime.now(UTC), ZoneInfo(ZONE))
    driving = BedrockOpsScheduler().get_rest_spec(ScheduleQuery(), moment).collections[0]
    text = ido.render(driving.filter) if driving.filter else ""
    return {
        "properties": ",".join(prop.wire for prop in driving.properties),
        "filter": f"({text}) AND ({condition})" if condition else text,
        "orderBy": ",".join(driving.key),
        "recordCap": str(page_size),
        "readOnly": "true",
    }


def _cuts(operations: int, ranges: int) -> list[str]:
    """Return the conditions of ranges of keys that have as many rows each."""
    jobs = Plant(operations).jobs
    ends = [job_number(jobs * part // ranges) for part in range(1, ranges)]
    if not ends:
        return [""]
    inner = [f"Job >= '{low}' AND Job < '{high}'" for low, high in pairwise(ends)]
    return [f"Job < '{ends[0]}'", *inner, f"Job >= '{ends[-1]}'"]
