"""The load: questions of every kind at a steady pace, each answer held against the truth."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from tests.chaos.disturbances import Disturbances
from tests.chaos.questions import TOOLS, Lost, Question, Truth, differences, steady

_LOST = {"collection_unavailable", "collection_denied"}
_GONE = {"unavailable", "denied"}
_PAGE = 7
_PATIENCE = 100.0
_MINDED = 20


@dataclass
class Tally:
    """What came of the questions."""

    outcomes: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def percentiles(self) -> tuple[float, float]:
        """Return the median and the 99th percentile of the time to answer, in seconds."""
        cuts = quantiles(self.seconds, n=100)
        return cuts[49], cuts[98]


@dataclass
class Load:
    """Asks until its time is over."""

    urls: list[str]
    asked: list[Question]
    truth: Truth
    disturbances: Disturbances
    chance: random.Random
    tally: Tally = field(default_factory=Tally)

    async def run(self, seconds: float, per_second: float) -> None:
        """Start questions at a steady pace, and return when the last is answered."""
        limits = httpx2.Limits(max_connections=500, max_keepalive_connections=50)
        begun = time.monotonic()
        async with httpx2.AsyncClient(timeout=_PATIENCE, limits=limits) as http, asyncio.TaskGroup() as tasks:
            number = 0
            while (due := begun + number / per_second) < begun + seconds:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.create_task(self._one(http))
                number += 1

    async def _one(self, http: httpx2.AsyncClient) -> None:
        question, begun = self.chance.choice(self.asked), time.monotonic()
        ways = (self._whole, self._walked, self._left, self._by_tool)
        (way,) = self.chance.choices(ways, (75, 12, 5, 8))
        try:
            outcome = await way(http, question)
        except (httpx2.HTTPError, TimeoutError) as failure:
            outcome = type(failure).__name__
        self.tally.seconds.append(time.monotonic() - begun)
        self.tally.outcomes[outcome] += 1
        good = outcome in {"answered", "degraded", "left"}
        if not good and not self.disturbances.explains(begun):
            self.tally.unexplained.append(f"{outcome}: {question}")

    async def _whole(self, http: httpx2.AsyncClient, question: Question) -> str:
        """Ask for a whole answer over HTTP."""
        response = await http.get(self._at(question), params=self._parameters(question, limit=10_000))
        return self._judged(question, response)

    async def _walked(self, http: httpx2.AsyncClient, question: Question) -> str:
        """Ask for page after page, each of another replica, and hold all of them together against the truth."""
        response = await http.get(self._at(question), params=self._parameters(question, limit=_PAGE))
        if response.status_code != httpx2.codes.OK:
            return self._judged(question, response)
        envelope = response.json()
        records = envelope["data"]
        while (cursor := envelope["meta"]["next_cursor"]) is not None and len(records) < 10 * _PAGE:
            response = await http.get(self._at(question), params={"cursor": cursor, "limit": 10 * _PAGE})
            if response.status_code != httpx2.codes.OK:
                return f"walk: {response.json()['code']}"
            envelope = response.json()
            records += envelope["data"]
        return self._compared(question, records, envelope["meta"], whole=envelope["meta"]["next_cursor"] is None)

    async def _left(self, http: httpx2.AsyncClient, question: Question) -> str:
        """Ask, and go away before the answer."""
        try:
            async with asyncio.timeout(self.chance.uniform(0.01, 0.2)):
                return await self._whole(http, question)
        except TimeoutError:
            return "left"

    async def _by_tool(self, _: httpx2.AsyncClient, question: Question) -> str:
        """Ask over MCP."""
        url = f"{self.chance.choice(self.urls)}/mcp"
        try:
            async with (
                httpx2.AsyncClient(timeout=_PATIENCE) as own,
                Client(streamable_http_client(url, http_client=own)) as client,
            ):
                arguments = {**question.parameters, "limit": 500}
                answer = await client.call_tool(TOOLS[question.path], arguments, read_timeout_seconds=_PATIENCE)
        except (httpx2.HTTPError, OSError, MCPError, ExceptionGroup) as failure:
            return f"mcp: {type(failure).__name__}"
        content: Any = answer.content[0]
        if answer.is_error or answer.structured_content is None:
            return f"mcp: {content.text.partition(':')[0]}"
        body = answer.structured_content
        return self._compared(question, body["data"], body["meta"], whole=not body["meta"]["truncated"])

    def _judged(self, question: Question, response: httpx2.Response) -> str:
        if not response.headers.get("content-type", "").endswith("json"):
            self.tally.wrong.append(f"{question}: HTTP {response.status_code} {response.text[:200]!r}")
            return "no JSON"
        body = response.json()
        if response.status_code != httpx2.codes.OK:
            return str(body["code"])
        return self._compared(question, body["data"], body["meta"], whole=True)

    def _compared(
        self, question: Question, records: list[dict[str, Any]], meta: Mapping[str, Any], *, whole: bool
    ) -> str:
        """Compare with what the oracle says, without the collections that the answer says are missing."""
        self.tally.warnings.update(caution["code"] for caution in meta["warnings"])
        missing = frozenset(c["collection"] for c in meta["warnings"] if c["code"] in _LOST)
        for_good = frozenset(read["collection"] for read in meta["upstream"] if read["status"] in _GONE)
        expected = self.truth.records(question, Lost(missing, for_good))
        if not whole:
            expected = expected[: len(records)]
        found = next(differences("", [steady(record) for record in records], expected), None)
        if found and len(self.tally.wrong) < _MINDED:
            self.tally.wrong.append(f"{question} without {set(missing) or 'nothing'}: {found}")
        if found:
            return "wrong"
        return "degraded" if missing else "answered"

    def _at(self, question: Question) -> str:
        return self.chance.choice(self.urls) + question.path

    def _parameters(self, question: Question, limit: int) -> dict[str, str]:
        freshness = self.chance.choice(("realtime", "near_realtime", "near_realtime"))
        given = {
            name: str(value).lower() if value is True else str(value)
            for name, value in question.parameters.items()
        }
        return {**given, "limit": str(limit), "freshness": freshness}
