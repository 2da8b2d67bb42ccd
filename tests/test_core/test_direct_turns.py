"""A direct token that does not stand parallel calls: from its first loss on, one call at a time."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx2
import pytest
from structlog.testing import capture_logs

from kai_erp.core import ido
from kai_erp.core.auth import TokenManager
from kai_erp.core.ido_client import IdoClient, IdoEndpoint
from kai_erp.errors import UpstreamAuth
from tests.passages import passage_of
from tests.test_core.fakes import NumberedTokens, now

REQUEST = ido.LoadRequest("SLWcs", ("Wc",), order_by=("Wc",), record_cap=100)
DIRECT = IdoEndpoint("https://erp.example/IDORequestService/ido", "SITE_A", direct=True)
WARNING = "the direct token does not stand parallel calls; from now on one call at a time"
SECONDS = 0.03


@dataclass
class Jealous:
    """A server that ends a token when two requests come with it at once, unless it is `tolerant`.

    A `slow` one answers both at the same moment, and refuses both. It notes for each request when it began and
    ended, by the loop's time.
    """

    tolerant: bool = False
    slow: bool = False
    busy: dict[str, int] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    spans: list[tuple[float, float]] = field(default_factory=list)

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        token, began = request.headers["Authorization"], asyncio.get_running_loop().time()
        together = self.busy.get(token, 0) > 0 and not self.tolerant
        self.busy[token] = self.busy.get(token, 0) + 1
        try:
            refused = together or token in self.dead
            if together:
                self.dead.add(token)
            if self.slow or not together:
                await asyncio.sleep(SECONDS)
            refused = refused or (self.slow and token in self.dead)
        finally:
            self.busy[token] -= 1
            self.spans.append((began, asyncio.get_running_loop().time()))
        return _refusal() if refused else _page()

    def most_at_once(self, since: float = 0.0) -> int:
        """Return how many requests were answered at once at most, of those that began after a moment."""
        spans = [span for span in self.spans if span[0] >= since]
        changes = sorted(itertools.chain.from_iterable(((end, -1), (begin, 1)) for begin, end in spans))
        return max(itertools.accumulate(change for _, change in changes))


def _page() -> httpx2.Response:
    answer = {"Items": [{"Wc": "A"}], "Bookmark": None, "MoreRowsExist": False, "Success": True, "Message": None}
    return httpx2.Response(200, json=answer)


def _refusal() -> httpx2.Response:
    return httpx2.Response(200, json={"Items": None, "Success": False, "Message": "The session was deleted."})


@asynccontextmanager
async def client_of(
    server: Jealous, grant: NumberedTokens, endpoint: IdoEndpoint = DIRECT, concurrency: int = 6
) -> AsyncIterator[IdoClient]:
    clock = asyncio.get_running_loop().time
    tokens = TokenManager(grant, clock)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(server)) as http:
        yield IdoClient(http, endpoint, passage_of(tokens, clock, concurrency), now)


def direct_tokens() -> NumberedTokens:
    return NumberedTokens(life=None, scheme="")


async def together(calls: list[Coroutine[None, None, ido.Page]]) -> list[int]:
    async with asyncio.timeout(60):
        return [page.rows for page in await asyncio.gather(*calls)]


@pytest.mark.parametrize("calls", [2, 6])
async def test_calls_that_lose_their_token_to_each_other_are_all_answered_one_at_a_time(calls: int) -> None:
    server, grant = Jealous(), direct_tokens()
    with capture_logs() as logs:
        async with client_of(server, grant) as client:
            assert await together([client.page(REQUEST) for _ in range(calls)]) == [1] * calls
            taught = asyncio.get_running_loop().time()
            assert await together([client.page(REQUEST) for _ in range(calls)]) == [1] * calls
    assert server.most_at_once(since=taught) == 1
    assert grant.asked == 2
    assert [(line["event"], line["log_level"]) for line in logs] == [(WARNING, "warning")]


@pytest.mark.parametrize("calls", [2, 3, 6])
async def test_calls_that_lose_their_token_at_the_same_moment_are_answered_too(calls: int) -> None:
    server, grant = Jealous(slow=True), direct_tokens()
    with capture_logs() as logs:
        async with client_of(server, grant) as client:
            assert await together([client.page(REQUEST) for _ in range(calls)]) == [1] * calls
    assert (len(server.spans), grant.asked) == (2 * calls, 2)
    assert [line["event"] for line in logs] == [WARNING]


async def test_calls_that_waited_for_a_place_are_answered_too() -> None:
    server, grant = Jealous(), direct_tokens()
    async with client_of(server, grant) as client:
        assert await together([client.page(REQUEST) for _ in range(60)]) == [1] * 60


@pytest.mark.parametrize("calls", [7, 60])
async def test_calls_that_waited_for_a_place_take_turns_as_well(calls: int) -> None:
    server, grant = Jealous(), direct_tokens()
    async with client_of(server, grant) as client:
        await together([client.page(REQUEST) for _ in range(calls)])
    warm_up = server.spans[0][0] + 2 * SECONDS
    assert server.most_at_once(since=warm_up) == 1
    assert grant.asked == 2


async def test_a_token_that_stands_parallel_calls_is_used_in_parallel() -> None:
    server = Jealous(tolerant=True)
    with capture_logs() as logs:
        async with client_of(server, direct_tokens()) as client:
            await together([client.page(REQUEST) for _ in range(12)])
    assert server.most_at_once() == 6
    assert logs == []


async def test_a_token_that_is_refused_while_used_alone_brings_no_turns() -> None:
    server, grant = Jealous(tolerant=True, dead={"t1"}), direct_tokens()
    with capture_logs() as logs:
        async with client_of(server, grant) as client:
            assert await together([client.page(REQUEST)]) == [1]
            await together([client.page(REQUEST) for _ in range(6)])
    assert (grant.asked, logs) == (2, [])
    assert server.most_at_once() == 6


async def test_through_a_gateway_nobody_takes_turns() -> None:
    server = Jealous(tolerant=True, dead={"Bearer t1"})
    endpoint = replace(DIRECT, direct=False)
    with capture_logs() as logs:
        async with client_of(server, NumberedTokens(), endpoint) as client:
            await together([client.page(REQUEST) for _ in range(12)])
    assert server.most_at_once() == 6
    assert logs == []


async def test_a_server_that_refuses_every_token_is_believed_after_the_third() -> None:
    class Closed(Jealous):
        async def __call__(self, request: httpx2.Request) -> httpx2.Response:
            await super().__call__(request)
            return _refusal()

    server, grant = Closed(tolerant=True), direct_tokens()
    async with client_of(server, grant) as client:
        with pytest.raises(UpstreamAuth, match="renewed token is refused as well"):
            await client.page(REQUEST)
    assert len(server.spans) == 3


async def test_a_call_that_is_cancelled_leaves_its_turn_to_the_next() -> None:
    server = Jealous()
    async with client_of(server, direct_tokens()) as client:
        await together([client.page(REQUEST) for _ in range(2)])
        calls = [asyncio.create_task(client.page(REQUEST)) for _ in range(3)]
        await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert await together([client.page(REQUEST)]) == [1]
