import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.utils import format_datetime

import httpx2
import pytest

from kai_erp.core import ido
from kai_erp.core.auth import IonGrant, Token, TokenManager
from kai_erp.core.expressions import Like
from kai_erp.core.ido_client import IdoClient, IdoEndpoint
from kai_erp.core.retries import ATTEMPTS
from kai_erp.errors import (
    KaiErpError,
    Nonsense,
    QueryTooLong,
    RequestRefused,
    TokenRejected,
    UpstreamAuth,
    UpstreamDenied,
    UpstreamUnavailable,
)
from kai_erp.simulator import Abort, Answer, Fault, RunningSimulator, Truncate
from kai_erp.simulator import run_simulator as run
from tests.passages import passage_of
from tests.test_core.fakes import MOMENT, NumberedTokens, Pieces, now, small_plant

ENDPOINT = IdoEndpoint("https://erp.example/T/CSI/IDORequestService/ido", "SITE_A", timeout_seconds=30.0)
REQUEST = ido.LoadRequest("SLWcs", ("Wc", "Description"), order_by=("Wc",), record_cap=2)
Handler = Callable[[httpx2.Request], Coroutine[None, None, httpx2.Response]]


def page(*keys: str, **members: object) -> httpx2.Response:
    items = [{"Wc": key, "Description": f"Centre {key}"} for key in keys]
    envelope = {"Items": items, "Bookmark": "<B/>", "MoreRowsExist": False, "Success": True, "Message": None}
    return httpx2.Response(200, json=envelope | members)


def fault(message: str) -> httpx2.Response:
    return httpx2.Response(200, json={"Items": None, "Success": False, "Message": message})


@dataclass
class Upstream:
    """Answers from a list, the last answer again and again; notes what was asked, and when."""

    answers: list[httpx2.Response | Exception]
    asked: list[httpx2.Request] = field(default_factory=list)
    at: list[float] = field(default_factory=list)

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        self.at.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer.stream, Pieces):
            return httpx2.Response(answer.status_code, headers=answer.headers, stream=answer.stream)
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def authorizations(self) -> list[str]:
        return [request.headers["Authorization"] for request in self.asked]


@asynccontextmanager
async def client_of(
    handler: Handler, grant: NumberedTokens | None = None, concurrency: int = 6
) -> AsyncIterator[IdoClient]:
    clock = asyncio.get_running_loop().time
    tokens = TokenManager(grant or NumberedTokens(), clock)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as http:
        yield IdoClient(http, ENDPOINT, passage_of(tokens, clock, concurrency), now)


async def page_from(upstream: Upstream, request: ido.LoadRequest = REQUEST) -> ido.Page:
    async with client_of(upstream) as client:
        return await client.page(request)


async def failure_from(upstream: Upstream) -> KaiErpError:
    with pytest.raises(KaiErpError) as raised:
        await page_from(upstream)
    return raised.value


# A page


async def test_a_page_has_the_rows_that_the_server_gave() -> None:
    got = await page_from(Upstream([page("A", "B", MoreRowsExist=True)]))
    assert got == ido.Page({"Wc": ["A", "B"], "Description": ["Centre A", "Centre B"]}, 2, "<B/>", more_rows=True)


@pytest.mark.parametrize("more", [True, False])
async def test_the_next_request_is_told_before_the_rows_are_there(more: bool) -> None:
    told: list[ido.LoadRequest] = []
    async with client_of(Upstream([page("A", MoreRowsExist=more)])) as client:
        asking = asyncio.create_task(client.page(REQUEST, told.append))
        while not told and not asking.done():  # noqa: ASYNC110  # the very turn matters
            await asyncio.sleep(0)
        assert asking.done() is not more
        await asking
    assert told == ([replace(REQUEST, bookmark="<B/>", load_type="NEXT")] if more else [])


async def test_the_place_of_a_page_is_free_for_the_next_one_before_the_rows_are_there() -> None:
    upstream = Upstream([page("A", MoreRowsExist=True), page("B", Bookmark="<C/>")])
    async with client_of(upstream, concurrency=1) as client:
        coming: list[asyncio.Task[ido.Page]] = []
        await client.page(REQUEST, lambda following: coming.append(asyncio.create_task(client.page(following))))
        assert len(upstream.asked) == 2
        assert (await coming[0]).columns["Wc"] == ["B"]


async def test_a_request_carries_token_site_and_query_as_they_must_be() -> None:
    upstream = Upstream([page()])
    await page_from(upstream, replace(REQUEST, filter="Wc LIKE '%a+b ü%'"))
    (request,) = upstream.asked
    assert request.method == "GET"
    assert request.url.path == "/T/CSI/IDORequestService/ido/load/SLWcs"
    assert request.headers["Authorization"] == "Bearer t1"
    assert request.headers["X-Infor-MongooseConfig"] == "SITE_A"
    assert request.headers["Accept"] == "application/json"


async def test_the_query_leaves_encoded_exactly_as_the_wire_rules_say() -> None:
    upstream = Upstream([page()])
    asked = replace(REQUEST, filter="Wc = N'50% a+b ü' OR Wc IS NULL", bookmark="<B><P/></B>")
    await page_from(upstream, asked)
    assert upstream.asked[0].url.query.decode() == ido.query_string(asked)


async def test_without_a_site_no_site_is_sent() -> None:
    assert "X-Infor-MongooseConfig" not in IdoEndpoint("https://erp.example").headers()


async def test_a_request_that_is_too_long_is_not_sent() -> None:
    upstream = Upstream([page()])
    with pytest.raises(QueryTooLong):
        await page_from(upstream, replace(REQUEST, filter="x" * 2_000))
    assert upstream.asked == []


# Tokens


REFUSALS = [
    httpx2.Response(401, json={"error": "invalid_token"}),
    httpx2.Response(401),
    fault("Your session was deleted"),
    fault("Invalid token"),
    httpx2.Response(200, text="Invalid token"),
]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_token_that_is_refused_once_is_renewed_and_the_request_repeated(refusal: httpx2.Response) -> None:
    upstream = Upstream([refusal, page("A")])
    assert (await page_from(upstream)).rows == 1
    assert upstream.authorizations == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_token_that_is_refused_twice_is_our_credentials_being_refused(refusal: httpx2.Response) -> None:
    upstream = Upstream([refusal])
    failure = await failure_from(upstream)
    assert isinstance(failure, UpstreamAuth)
    assert not isinstance(failure, TokenRejected)
    assert upstream.authorizations == ["Bearer t1", "Bearer t2"]


async def test_twenty_requests_with_one_lapsed_token_cause_one_renewal() -> None:
    async def answer(request: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(0.1)
        return page("A") if request.headers["Authorization"] == "Bearer t2" else httpx2.Response(401)

    grant = NumberedTokens()
    async with client_of(answer, grant) as client:
        pages = await asyncio.gather(*(client.page(REQUEST) for _ in range(20)))
    assert [got.rows for got in pages] == [1] * 20
    assert grant.asked == 2


async def test_a_token_endpoint_that_is_down_is_not_tried_again_by_the_page_that_needs_it() -> None:
    class Down(NumberedTokens):
        async def obtain(self) -> Token:
            self.asked += 1
            raise UpstreamUnavailable("down")

    upstream, grant = Upstream([page("A")]), Down()
    async with client_of(upstream, grant) as client:
        with pytest.raises(UpstreamUnavailable):
            await client.page(REQUEST)
    assert grant.asked == ATTEMPTS
    assert upstream.asked == []


async def test_an_app_that_the_gateway_refuses_is_neither_renewed_nor_retried() -> None:
    upstream = Upstream([httpx2.Response(403, text="not authorised for this API")])
    failure = await failure_from(upstream)
    assert type(failure) is UpstreamAuth
    assert "not authorised for this API" in str(failure)
    assert len(upstream.asked) == 1


# Refusals that stay


@pytest.mark.parametrize("status", [204, 301, 302, 307, 400, 404, 405, 410, 414, 422])
async def test_another_status_is_a_fault_that_is_not_retried_nor_followed(status: int) -> None:
    headers = {"Location": "https://elsewhere.example/"}
    upstream = Upstream([httpx2.Response(status, headers=headers, text="<h2>why</h2>"), page("A")])
    failure = await failure_from(upstream)
    assert type(failure) is RequestRefused
    assert f"HTTP {status} <h2>why</h2>" in str(failure)
    assert [request.url.host for request in upstream.asked] == ["erp.example"]


async def test_a_denial_has_its_meaning_and_is_not_retried() -> None:
    upstream = Upstream([fault("User requires [Read] privilege for SLWcs"), page("A")])
    assert isinstance(await failure_from(upstream), UpstreamDenied)
    assert len(upstream.asked) == 1


# Failures that may pass


def dripping(*pieces: bytes | Exception, seconds: float = 0.0, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(200, headers=named, stream=Pieces(*pieces, seconds=seconds))


PASSING: list[tuple[httpx2.Response | Exception, type[KaiErpError]]] = [
    (httpx2.Response(500), UpstreamUnavailable),
    (httpx2.Response(502, text="<html>"), UpstreamUnavailable),
    (httpx2.Response(503), UpstreamUnavailable),
    (httpx2.Response(504), UpstreamUnavailable),
    (httpx2.ConnectError("no"), UpstreamUnavailable),
    (httpx2.ReadError("reset"), UpstreamUnavailable),
    (httpx2.ReadTimeout("slow"), UpstreamUnavailable),
    (httpx2.ConnectTimeout("slow"), UpstreamUnavailable),
    (httpx2.RemoteProtocolError("gone"), UpstreamUnavailable),
    (dripping(b'{"Items":[', httpx2.RemoteProtocolError("cut")), Nonsense),
    (dripping(b'{"Items":[', httpx2.ReadError("reset")), UpstreamUnavailable),
    (dripping(b"not gzip", Content_Encoding="gzip"), Nonsense),
    (httpx2.Response(200, text="<html><body>Maintenance</body></html>"), Nonsense),
    (httpx2.Response(200, content=page("A").content[:-5]), Nonsense),
    (httpx2.Response(200), Nonsense),
]


@pytest.mark.parametrize(("answer", "kind"), PASSING, ids=repr)
async def test_a_failure_that_may_pass_is_retried_and_then_raised(
    answer: httpx2.Response | Exception, kind: type[KaiErpError]
) -> None:
    upstream = Upstream([answer])
    assert type(await failure_from(upstream)) is kind
    assert len(upstream.asked) == ATTEMPTS


@pytest.mark.parametrize(("answer", "kind"), PASSING, ids=repr)
async def test_a_failure_that_passes_goes_unnoticed(
    answer: httpx2.Response | Exception, kind: type[KaiErpError]
) -> None:
    del kind
    upstream = Upstream([answer, answer, page("A")])
    assert (await page_from(upstream)).rows == 1


async def test_a_body_that_only_drips_is_given_up_after_the_timeout() -> None:
    slow = dripping(*[b" "] * 100, seconds=1.0)
    upstream = Upstream([slow])
    failure = await failure_from(upstream)
    assert type(failure) is UpstreamUnavailable
    assert "SLWcs did not come within 30 s" in str(failure)
    waits = [later - earlier for earlier, later in zip(upstream.at, upstream.at[1:], strict=False)]
    assert waits == pytest.approx([30.0] * (ATTEMPTS - 1))


async def test_waiting_for_a_place_does_not_count_towards_the_timeout() -> None:
    async def slow(_: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(25.0)
        return page("A")

    async with client_of(slow) as client:
        pages = await asyncio.gather(*(client.page(REQUEST) for _ in range(18)))
    assert len(pages) == 18


# Throttling


@pytest.mark.parametrize(
    ("retry_after", "rest"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (format_datetime(MOMENT + timedelta(seconds=9), usegmt=True), 9.0),
        (format_datetime(MOMENT - timedelta(seconds=9), usegmt=True), 0.0),
        (None, 2.0),
        ("soon", 2.0),
        ("-5", 2.0),
        ("٣", 2.0),
        ("Tue, 24 Nov 2026 10:00:09 -0000", 2.0),
    ],
)
async def test_after_a_429_the_next_request_starts_when_the_gateway_allows(
    retry_after: str | None, rest: float
) -> None:
    headers = {} if retry_after is None else {b"Retry-After": retry_after.encode()}
    upstream = Upstream([httpx2.Response(429, headers=headers), page("A")])
    await page_from(upstream)
    assert upstream.at[1] - upstream.at[0] == pytest.approx(rest)


async def test_a_429_makes_the_others_rest_too() -> None:
    upstream = Upstream([httpx2.Response(429, headers={"Retry-After": "7"}), page("A")])
    async with client_of(upstream) as client:
        first = asyncio.create_task(client.page(REQUEST))
        await asyncio.sleep(1.0)
        await asyncio.gather(first, *(client.page(REQUEST) for _ in range(3)))
    assert upstream.at[1] - upstream.at[0] == pytest.approx(7.0)
    assert len(upstream.asked) == 5


async def test_throttling_that_does_not_end_is_unavailability_with_the_wait_that_was_asked() -> None:
    upstream = Upstream([httpx2.Response(429, headers={"Retry-After": "3"})])
    failure = await failure_from(upstream)
    assert isinstance(failure, UpstreamUnavailable)
    assert failure.retry_after == 3.0
    assert len(upstream.asked) == ATTEMPTS


async def test_a_rest_that_is_too_long_is_not_waited_for_but_passed_on() -> None:
    upstream = Upstream([httpx2.Response(429, headers={"Retry-After": "600"})])
    failure = await failure_from(upstream)
    assert isinstance(failure, UpstreamUnavailable)
    assert failure.retry_after == 600.0
    assert len(upstream.asked) == 1


async def test_an_absurd_rest_is_still_a_finite_number() -> None:
    failure = await failure_from(Upstream([httpx2.Response(429, headers={"Retry-After": "9" * 400})]))
    assert isinstance(failure, UpstreamUnavailable)
    assert failure.retry_after < float("inf")


# The budget


async def test_a_following_page_goes_before_first_pages_that_wait() -> None:
    order: list[str] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        order.append(request.url.params.get("bookmark", "first"))
        await asyncio.sleep(1.0)
        return page("A")

    async with client_of(answer) as client:
        following = replace(REQUEST, bookmark="next", load_type="NEXT")
        await asyncio.gather(*(client.page(REQUEST) for _ in range(12)), client.page(following))
    assert order[:7] == ["first"] * 6 + ["next"]


async def test_a_retry_gives_its_place_back_meanwhile() -> None:
    in_flight = most = 0

    async def answer(_: httpx2.Request) -> httpx2.Response:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(1.0)
        in_flight -= 1
        return httpx2.Response(503)

    async with client_of(answer) as client:
        await asyncio.gather(*(client.page(REQUEST) for _ in range(15)), return_exceptions=True)
        assert most == 6
    assert in_flight == 0


async def test_a_cancelled_page_frees_its_place() -> None:
    async def never(_: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with client_of(never) as client:
        pages = [asyncio.create_task(client.page(REQUEST)) for _ in range(6)]
        await asyncio.sleep(1.0)
        for one in pages:
            one.cancel()
        results = await asyncio.gather(*pages, return_exceptions=True)
        assert [type(result) for result in results] == [asyncio.CancelledError] * 6
        async with asyncio.timeout(10), client._budget.slot():
            pass


# Over a socket


@pytest.fixture(scope="module")
def simulator() -> Iterable[RunningSimulator]:
    with run(small_plant()) as running:
        yield running


@asynccontextmanager
async def tenant(simulator: RunningSimulator) -> AsyncIterator[IdoClient]:
    document, clock = simulator.ionapi(), asyncio.get_running_loop().time
    simulator.state.requests.clear()
    async with httpx2.AsyncClient() as http:
        grant = IonGrant(http, document["pu"] + document["ot"], document["ci"], document["cs"])
        grant.username, grant.password = document["saak"], document["sask"]
        url = f"{document['iu']}/{document['ti']}/CSI/IDORequestService/ido"
        site = simulator.state.options.configurations[0]
        yield IdoClient(http, IdoEndpoint(url, site), passage_of(grant, clock, 2), now)
    simulator.state.faults.clear()


async def test_a_walk_over_a_socket_gives_every_row_once(simulator: RunningSimulator) -> None:
    keys: list[str | None] = []
    async with tenant(simulator) as client:
        request: ido.LoadRequest | None = REQUEST
        while request is not None:
            got = await client.page(request)
            keys += got.columns["Wc"]
            request = ido.next_request(request, got)
    assert keys == ["00", "01", "02", "03", "04"]
    assert len(simulator.state.requests) == 3


@pytest.mark.parametrize("action", [Truncate(0.5), Abort(0.5), Abort(0.0), Answer(502)], ids=repr)
async def test_a_page_that_breaks_on_the_way_is_asked_for_again(
    simulator: RunningSimulator, action: Truncate | Abort | Answer
) -> None:
    async with tenant(simulator) as client:
        simulator.state.faults.add(Fault(action, on="SLWcs", times=2))
        assert (await client.page(REQUEST)).columns["Wc"] == ["00", "01"]
    assert len(simulator.state.requests) == 3


@pytest.mark.parametrize(
    ("action", "kind"),
    [(Truncate(0.5), Nonsense), (Abort(0.5), Nonsense), (Abort(0.0), UpstreamUnavailable)],
    ids=repr,
)
async def test_a_page_that_always_breaks_on_the_way_is_given_up(
    simulator: RunningSimulator, action: Truncate | Abort, kind: type[KaiErpError]
) -> None:
    async with tenant(simulator) as client:
        simulator.state.faults.add(Fault(action, on="SLWcs", times=None))
        with pytest.raises(kind):
            await client.page(REQUEST)
    assert len(simulator.state.requests) == ATTEMPTS


async def test_tokens_that_the_tenant_has_ended_are_renewed(simulator: RunningSimulator) -> None:
    async with tenant(simulator) as client:
        await client.page(REQUEST)
        simulator.state.revoke_tokens()
        assert (await client.page(REQUEST)).rows == 2
    assert [request.status for request in simulator.state.requests] == [200, 401, 200]


async def test_a_text_that_is_not_ascii_finds_its_row(simulator: RunningSimulator) -> None:
    asked = replace(REQUEST, filter=ido.render(Like("Description", "e 03 ü")))
    async with tenant(simulator) as client:
        assert (await client.page(asked)).columns["Wc"] == ["03"]
