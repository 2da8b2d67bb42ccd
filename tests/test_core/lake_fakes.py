"""A Compass of a few lines, which misbehaves as it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import ZoneInfo

import httpx2

from kai_erp.core import compass
from kai_erp.core.compass_client import CompassClient, CompassEndpoint
from kai_erp.core.lake_engine import DataLakeEngine
from kai_erp.core.lake_sql import LakeTables
from kai_erp.core.types import Property, PropertyType
from tests.passages import passage_of
from tests.test_core.fakes import NumberedTokens, now

URL = "https://lake.example/T/DATAFABRIC/compass/v2"
ZONE = ZoneInfo("America/Chicago")
NUMBER = (Property("number", PropertyType.INTEGER), Property("text"))
TOO_LARGE = {"messageCode": "760", "message": "The page is too large to process"}

Operation = Literal["submit", "status", "result", "cancel"]
Trouble = httpx2.Response | Exception
Handler = Callable[[httpx2.Request], object]


@dataclass
class Result:
    """What a query gives: CSV lines below a header, and how the job ends."""

    lines: Sequence[str]
    header: str = "Number,TEXT,extra"
    end: str = "FINISHED"
    says: object = "row count"
    message: httpx2.Response | None = None

    def status(self) -> dict[str, object]:
        count = {"rowCount": len(self.lines)} if self.says == "row count" else {"rowCount": self.says}
        return {"status": self.end, "columns": ["Number"], **({} if self.says is None else count)}


def numbers(rows: int, **how: object) -> Result:
    """Return the result with rows 0, 1, 2 and so on."""
    return Result([f"{number},row {number},x" for number in range(rows)], **how)  # type: ignore[arg-type]


@dataclass
class Lake:
    """Answers as Compass does; `troubles` of an operation come first, once each.

    `running` polls find a job running, held as long as asked for, or not at all by one that `answers_at_once`.
    """

    result: Callable[[str], Result]
    running: int = 0
    answers_at_once: bool = False
    largest_page: int | None = None
    most_given: int | None = None
    page_seconds: float = 0.0
    troubles: dict[Operation, list[Trouble]] = field(default_factory=dict)
    asked: list[tuple[Operation, httpx2.Request]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    jobs: dict[str, Result] = field(default_factory=dict)
    polls: dict[str, int] = field(default_factory=dict)
    reading: int = 0
    most_reading: int = 0
    submitted: int = 0

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        operation: Operation = "submit" if request.method == "POST" else _operation(request)
        self.asked.append((operation, request))
        self.at.append(asyncio.get_running_loop().time())
        if troubles := self.troubles.get(operation):
            trouble = troubles.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        if operation == "submit":
            return self._submit(request)
        query_id = request.url.path.split("/")[-3]
        if query_id not in self.jobs:
            return httpx2.Response(404)
        answer = {"status": self._status, "result": self._page, "cancel": self._cancel}[operation]
        return await answer(query_id, request)

    def count(self, operation: Operation) -> int:
        return sum(one == operation for one, _ in self.asked)

    def limits(self) -> list[tuple[int, int]]:
        """Return offset and limit of each page asked for."""
        pages = [request.url.params for operation, request in self.asked if operation == "result"]
        return [(int(page["offset"]), int(page["limit"])) for page in pages]

    def _submit(self, request: httpx2.Request) -> httpx2.Response:
        query_id = f"q{self.submitted}"
        self.submitted += 1
        self.jobs[query_id] = self.result(request.content.decode())
        return httpx2.Response(202, json={"queryId": query_id, "status": "RUNNING", "location": "no/where"})

    async def _status(self, query_id: str, request: httpx2.Request) -> httpx2.Response:
        self.polls[query_id] = self.polls.get(query_id, 0) + 1
        if self.polls[query_id] > self.running:
            return httpx2.Response(201, json=self.jobs[query_id].status())
        if not self.answers_at_once:
            await asyncio.sleep(float(request.url.params["timeout"]))
        return httpx2.Response(202, json={"status": "RUNNING", "queryId": query_id})

    async def _page(self, query_id: str, request: httpx2.Request) -> httpx2.Response:
        result = self.jobs[query_id]
        if result.message is not None:
            return result.message
        offset, limit = (int(request.url.params[name]) for name in ("offset", "limit"))
        if self.largest_page is not None and limit > self.largest_page:
            return httpx2.Response(400, json=TOO_LARGE)
        self.reading += 1
        self.most_reading = max(self.most_reading, self.reading)
        try:
            await asyncio.sleep(self.page_seconds)
        finally:
            self.reading -= 1
        lines = result.lines[offset : offset + min(limit, self.most_given or limit)]
        return csv(result.header, *lines)

    async def _cancel(self, query_id: str, _: httpx2.Request) -> httpx2.Response:
        self.jobs[query_id].end = "CANCELED"
        return httpx2.Response(200)


def _operation(request: httpx2.Request) -> Operation:
    operations: tuple[Operation, ...] = ("status", "result", "cancel")
    return next(one for one in operations if request.url.path.endswith(f"/{one}/"))


def lake_of(result: Result) -> Lake:
    """Return a lake in which every query gives the same."""
    return Lake(lambda _: result)


def csv(*lines: str) -> httpx2.Response:
    return httpx2.Response(200, content="".join(f"{line}\n" for line in lines).encode())


def refusal(code: str, message: str, status: int = 200) -> httpx2.Response:
    """Return message records as they come instead of rows."""
    return httpx2.Response(status, content=json.dumps([{"messageCode": code, "message": message}]).encode())


@asynccontextmanager
async def client_of(
    handler: Handler, grant: NumberedTokens | None = None, url: str = URL
) -> AsyncIterator[CompassClient]:
    clock = asyncio.get_running_loop().time
    passage = passage_of(grant or NumberedTokens(), clock, 8, "lake")
    transport = httpx2.MockTransport(handler)  # type: ignore[arg-type]  # it takes coroutine functions too
    async with httpx2.AsyncClient(transport=transport) as http:
        yield CompassClient(http, CompassEndpoint(url, timeout_seconds=30.0), passage, now)


@asynccontextmanager
async def engine_of(
    handler: Handler,
    *,
    page_rows: int = 1_000,
    timeout_seconds: float = 3_600.0,
    in_flight: int = 4,
    timestamps: compass.Convention = "utc",
    tables: LakeTables | None = None,
) -> AsyncIterator[DataLakeEngine]:
    async with client_of(handler) as client:
        yield DataLakeEngine(
            client,
            tables=tables or LakeTables(),
            zone=ZONE,
            page_rows=page_rows,
            timeout_seconds=timeout_seconds,
            timestamps=timestamps,
            clock=asyncio.get_running_loop().time,
            now=now,
            in_flight=in_flight,
        )
