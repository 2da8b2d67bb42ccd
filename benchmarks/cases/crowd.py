"""Many questions at once: the same one two hundred times, and fifty different ones."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median, quantiles

import httpx2

from benchmarks.bars import Bar
from benchmarks.cases.schedule import Setting, setting
from benchmarks.mock_rows import SIZES, Plant, center
from benchmarks.turns import WrongAnswer
from kai_erp.app import App, Asked, open_app
from kai_erp.config import load_settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.logs import configure_logs

BURST, DIFFERENT = 200, 50
_LARGEST = 10_000_000
_OPERATIONS = SIZES["M"]


def burst(rounds: int) -> Sequence[Bar]:
    """Measure two hundred identical questions at once at S, beside one alone."""
    with setting("S") as mock:
        return asyncio.run(_with_app(mock, lambda app: _burst(app, mock, rounds)))


def different(rounds: int) -> Sequence[Bar]:
    """Measure fifty questions about different work centers at once at M, beside one after the other."""
    with setting("M") as mock:
        return asyncio.run(_with_app(mock, lambda app: _different(app, rounds)))


async def _with_app(mock: Setting, measure: Callable[[App], Awaitable[Sequence[Bar]]]) -> Sequence[Bar]:
    settings = load_settings({**mock.settings, "sl10_page_size": 1000})
    configure_logs(settings, quiet=True)
    async with open_app(settings) as app:
        return await measure(app)


async def _burst(app: App, mock: Setting, rounds: int) -> Sequence[Bar]:
    everything, single, worst, ratios = ScheduleQuery(), list[float](), list[float](), list[float]()
    for turn in range(rounds + 1):
        await _loads(mock)
        alone = await _timed(app, everything, mock.expected.rows)
        one = await _loads(mock)
        together = await asyncio.gather(*[_timed(app, everything, mock.expected.rows) for _ in range(BURST)])
        if turn:
            single.append(alone)
            worst.append(quantiles(together, n=100)[-1])
            ratios.append(await _loads(mock) / one)
    return [
        Bar(f"burst of {BURST} identical questions: requests / those of one", 1.0, max(ratios)),
        Bar(
            f"burst of {BURST} identical questions: p99 / single",
            1.3,
            median(worst) / median(single),
            ms=(median(worst), median(single)),
        ),
    ]


async def _different(app: App, rounds: int) -> Sequence[Bar]:
    centers = Plant(_OPERATIONS).centers
    questions = [ScheduleQuery(work_center=center(index)) for index in range(DIFFERENT)]
    rows, single, together = _OPERATIONS // centers, list[float](), list[float]()
    for turn in range(rounds + 1):
        alone = [await _timed(app, question, rows) for question in questions[:5]]
        started = time.perf_counter()
        await asyncio.gather(*[_timed(app, question, rows) for question in questions])
        if turn:
            single.append(median(alone))
            together.append((time.perf_counter() - started) * 1000)
    ratio = DIFFERENT * median(single) / median(together)
    name = f"{DIFFERENT} different questions at once: throughput / one at a time"
    return [Bar(name, 3.0, ratio, at_least=True, ms=(median(together), median(single)))]


async def _timed(app: App, query: ScheduleQuery, rows: int) -> float:
    """Return the milliseconds of an answer, which must have so many rows."""
    started = time.perf_counter()
    answer = await app.ask(Asked("production_schedule", query, limit=_LARGEST))
    ms = (time.perf_counter() - started) * 1000
    if answer.records.num_rows != rows:
        raise WrongAnswer(f"{answer.records.num_rows} records in place of {rows}")
    return ms


async def _loads(mock: Setting) -> int:
    """Return how many loads the mock was asked for since this was last asked."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        counted: dict[str, int] = json.loads((await http.get(f"{mock.gateway}/loads")).content)
    return sum(counted.values())
