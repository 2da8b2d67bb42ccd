import asyncio
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from kai_erp.core import compass
from kai_erp.core.compass_client import CompassClient
from kai_erp.core.retries import ATTEMPTS
from kai_erp.errors import (
    JobLost,
    KaiErpError,
    Nonsense,
    PageTooLarge,
    QueryFailed,
    RequestRefused,
    UpstreamAuth,
    UpstreamUnavailable,
)
from tests.test_core.fakes import NumberedTokens, Pieces
from tests.test_core.lake_fakes import (
    TOO_LARGE,
    URL,
    Lake,
    Operation,
    Trouble,
    client_of,
    csv,
    lake_of,
    numbers,
    refusal,
)

SQL = "SELECT number, text FROM \"things\" WHERE text = 'ü'"
Ask = Callable[[CompassClient], Awaitable[object]]


def lake(operation: Operation = "submit", *troubles: Trouble) -> Lake:
    """Return a lake with a job `q0`, and with troubles in one operation."""
    made = lake_of(numbers(5))
    made.jobs["q0"], made.troubles[operation] = numbers(5), list(troubles)
    return made


async def ask(upstream: Lake, what: Ask, grant: NumberedTokens | None = None) -> object:
    async with client_of(upstream, grant) as client:
        return await what(client)


async def failure_of(upstream: Lake, what: Ask) -> KaiErpError:
    with pytest.raises(KaiErpError) as raised:
        await ask(upstream, what)
    return raised.value


async def submit(client: CompassClient) -> object:
    return await client.submit(SQL)


async def status(client: CompassClient) -> object:
    return await client.status("q0", 25)


async def page(client: CompassClient) -> object:
    return await client.page("q0", 2, 2)


async def cancel(client: CompassClient) -> object:
    await client.cancel("q0")
    return "asked"


ASKS: dict[Operation, Ask] = {"submit": submit, "status": status, "result": page}
READS: dict[Operation, Ask] = {"status": status, "result": page}


# What is sent, and what comes back


async def test_a_query_is_submitted_as_bare_text() -> None:
    upstream = lake()
    assert await ask(upstream, submit) == "q0"
    ((_, request),) = upstream.asked
    assert str(request.url) == f"{URL}/jobs/"
    assert request.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert request.headers["Authorization"] == "Bearer t1"
    assert request.content.decode() == SQL


async def test_a_half_character_in_a_query_does_not_keep_it_from_being_sent() -> None:
    upstream = lake()
    async with client_of(upstream) as client:
        await client.submit("SELECT '\ud800'")
    assert upstream.asked[0][1].content == b"SELECT '?'"


async def test_a_status_says_how_many_rows_there_are() -> None:
    upstream = lake()
    assert await ask(upstream, status) == compass.JobStatus(compass.JobState.FINISHED, 5)
    assert str(upstream.asked[0][1].url) == f"{URL}/jobs/q0/status/?timeout=25"


async def test_a_page_is_asked_for_as_csv_and_given_as_it_came() -> None:
    upstream = lake()
    assert await ask(upstream, page) == b"Number,TEXT,extra\n2,row 2,x\n3,row 3,x\n"
    ((_, request),) = upstream.asked
    assert str(request.url) == f"{URL}/jobs/q0/result/?offset=2&limit=2"
    assert request.headers["Accept"] == "text/csv"


async def test_the_messages_of_a_failed_job_are_read_from_its_result() -> None:
    upstream = lake("result", refusal("401", "No such property"))
    async with client_of(upstream) as client:
        assert await client.messages("q0") == (compass.Message("No such property", "401"),)


async def test_a_base_may_end_with_a_slash() -> None:
    upstream = lake()
    async with client_of(upstream, url=f"{URL}/") as client:
        await client.submit(SQL)
    assert str(upstream.asked[0][1].url) == f"{URL}/jobs/"


async def test_a_redirect_is_not_followed() -> None:
    upstream = lake("status", httpx2.Response(302, headers={"Location": "https://else.example/"}))
    assert type(await failure_of(upstream, status)) is RequestRefused
    assert len(upstream.asked) == 1


# Tokens


@pytest.mark.parametrize("what", ASKS.values(), ids=ASKS)
async def test_a_token_that_is_refused_is_renewed_once_and_the_call_repeated(what: Ask) -> None:
    grant = NumberedTokens()
    (operation,) = (one for one, call in ASKS.items() if call is what)
    upstream = lake(operation, httpx2.Response(401))
    await ask(upstream, what, grant)
    assert [request.headers["Authorization"] for _, request in upstream.asked] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize("what", ASKS.values(), ids=ASKS)
async def test_a_renewed_token_that_is_refused_too_is_an_end(what: Ask) -> None:
    (operation,) = (one for one, call in ASKS.items() if call is what)
    upstream = lake(operation, *[httpx2.Response(401, text="Bearer t1 is no good")] * 9)
    failure = await failure_of(upstream, what)
    assert type(failure) is UpstreamAuth
    assert len(upstream.asked) == 2


@pytest.mark.parametrize("code", [400, 403, 404, 500])
async def test_no_failure_repeats_our_token(code: int) -> None:
    grant = NumberedTokens()
    grant.asked = 730_912  # the next token is a word that occurs nowhere else
    upstream = lake("status", *[httpx2.Response(code, text="refused: token t730913 of t730913")] * 9)
    with pytest.raises(KaiErpError) as raised:
        await ask(upstream, status, grant)
    assert "refused" in str(raised.value)
    assert "t730913" not in str(raised.value)


async def test_an_app_without_the_grant_is_told_what_to_ask_for() -> None:
    upstream = lake("submit", httpx2.Response(403))
    failure = await failure_of(upstream, submit)
    assert type(failure) is UpstreamAuth
    assert "LAKE_IONAPI_FILE" in failure.suggestion
    assert len(upstream.asked) == 1


# Failures that may pass


def dripping(*pieces: bytes | Exception, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(200, headers=named, stream=Pieces(*pieces))


PASSING: list[tuple[Callable[[], Trouble], type[KaiErpError]]] = [
    (lambda: httpx2.Response(500), UpstreamUnavailable),
    (lambda: httpx2.Response(502, text="<html>"), UpstreamUnavailable),
    (lambda: httpx2.Response(504), UpstreamUnavailable),
    (lambda: httpx2.Response(429, headers={"Retry-After": "3"}), UpstreamUnavailable),
    (lambda: httpx2.ConnectError("no"), UpstreamUnavailable),
    (lambda: httpx2.ReadError("reset"), UpstreamUnavailable),
    (lambda: httpx2.ReadTimeout("slow"), UpstreamUnavailable),
    (lambda: httpx2.RemoteProtocolError("cut"), UpstreamUnavailable),
    (lambda: dripping(b"Number,", httpx2.RemoteProtocolError("cut")), UpstreamUnavailable),
    (lambda: dripping(b"not gzip", Content_Encoding="gzip"), Nonsense),
    (lambda: httpx2.Response(204), Nonsense),
]


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize(("trouble", "kind"), PASSING)
async def test_a_read_is_tried_again_a_few_times(
    operation: Operation, trouble: Callable[[], Trouble], kind: type[KaiErpError]
) -> None:
    upstream = lake(operation, *[trouble() for _ in range(ATTEMPTS - 1)])
    await ask(upstream, READS[operation])
    assert len(upstream.asked) == ATTEMPTS
    upstream = lake(operation, *[trouble() for _ in range(99)])
    assert isinstance(await failure_of(upstream, READS[operation]), kind)
    assert len(upstream.asked) == ATTEMPTS


NOT_ACCEPTED: list[Callable[[], Trouble]] = [
    lambda: httpx2.ConnectError("refused"),
    lambda: httpx2.ConnectTimeout("slow"),
    lambda: httpx2.PoolTimeout("full"),
    lambda: httpx2.Response(429),
    lambda: httpx2.Response(429, headers={"Retry-After": "7"}),
]


@pytest.mark.parametrize("trouble", NOT_ACCEPTED)
async def test_a_query_that_was_not_accepted_is_submitted_again(trouble: Callable[[], Trouble]) -> None:
    upstream = lake("submit", trouble(), trouble())
    assert await ask(upstream, submit) == "q0"
    assert len(upstream.asked) == 3


UNCERTAIN: list[Callable[[], Trouble]] = [
    lambda: httpx2.Response(500),
    lambda: httpx2.Response(502),
    lambda: httpx2.Response(503),
    lambda: httpx2.Response(504),
    lambda: httpx2.ReadTimeout("slow"),
    lambda: httpx2.WriteTimeout("slow"),
    lambda: httpx2.ReadError("reset"),
    lambda: httpx2.WriteError("reset"),
    lambda: httpx2.RemoteProtocolError("gone"),
    lambda: httpx2.Response(202, content=b'{"queryI'),
    lambda: httpx2.Response(204),
    lambda: dripping(b"not gzip", Content_Encoding="gzip"),
]


@pytest.mark.parametrize("trouble", UNCERTAIN)
async def test_a_query_that_may_have_been_accepted_is_never_submitted_again(
    trouble: Callable[[], Trouble],
) -> None:
    upstream = lake("submit", trouble())
    failure = await failure_of(upstream, submit)
    assert type(failure) is UpstreamUnavailable
    assert "a job that nobody waits for may be running" in str(failure)
    assert len(upstream.asked) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx2.Response(415), RequestRefused),
        (httpx2.Response(404, text="no such path"), RequestRefused),
        (httpx2.Response(400, text="wrong"), RequestRefused),
        (refusal("13", "mismatched input", status=400), QueryFailed),
    ],
)
async def test_a_query_that_is_refused_is_not_submitted_again(
    answer: httpx2.Response, kind: type[KaiErpError]
) -> None:
    upstream = lake("submit", answer)
    assert type(await failure_of(upstream, submit)) is kind
    assert len(upstream.asked) == 1


async def test_a_rest_that_is_asked_for_is_kept_by_all() -> None:
    upstream = lake("result", httpx2.Response(429, headers={"Retry-After": "7"}))
    async with client_of(upstream) as client:
        first = asyncio.create_task(client.page("q0", 0, 1))
        await asyncio.sleep(1.0)
        await asyncio.gather(first, client.status("q0", 0))
    assert [later - upstream.at[0] for later in upstream.at] == [0.0, 7.0, 7.0]


async def test_a_rest_that_is_too_long_is_not_waited_for_but_passed_on() -> None:
    upstream = lake("submit", httpx2.Response(429, headers={"Retry-After": "600"}))
    async with client_of(upstream) as client:
        for _ in range(2):
            with pytest.raises(UpstreamUnavailable) as raised:
                await client.submit(SQL)
            assert raised.value.retry_after == 600.0
    assert len(upstream.asked) == 1


# Pages and jobs that are not to be had


@pytest.mark.parametrize("answer", [TOO_LARGE, [TOO_LARGE]])
async def test_a_page_that_is_too_large_is_not_asked_for_again(answer: object) -> None:
    upstream = lake("result", httpx2.Response(400, json=answer))
    failure = await failure_of(upstream, page)
    assert isinstance(failure, PageTooLarge)
    assert failure.rows == 2
    assert len(upstream.asked) == 1


@pytest.mark.parametrize("code", [400, 404, 410])
@pytest.mark.parametrize("operation", READS)
async def test_a_job_that_is_not_known_is_lost(operation: Operation, code: int) -> None:
    upstream = lake(operation, httpx2.Response(code, json={"message": "unknown"}))
    assert type(await failure_of(upstream, READS[operation])) is JobLost
    assert len(upstream.asked) == 1


# Time


async def test_a_poll_has_at_least_35_seconds() -> None:
    async def never(request: httpx2.Request) -> httpx2.Response:
        waits.append(request.extensions["timeout"])
        await asyncio.sleep(34.0)
        return httpx2.Response(202)

    waits: list[dict[str, float]] = []
    async with client_of(never) as client:
        assert (await client.status("q0", 25)).state is compass.JobState.RUNNING
    assert waits == [{"connect": 10.0, "read": 35.0, "write": 35.0, "pool": 35.0}]


async def test_an_answer_that_does_not_come_is_given_up_after_the_timeout() -> None:
    async def never(_: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with client_of(never) as client:
        started = asyncio.get_running_loop().time()
        with pytest.raises(UpstreamUnavailable, match="did not answer a query within 30 s; a job"):
            await client.submit(SQL)
        assert asyncio.get_running_loop().time() - started == pytest.approx(30.0)


# Cancelling


async def test_a_job_is_cancelled_by_a_put_without_a_body() -> None:
    upstream = lake()
    await ask(upstream, cancel)
    ((_, request),) = upstream.asked
    assert request.method == "PUT"
    assert str(request.url) == f"{URL}/jobs/q0/cancel/"
    assert request.content == b""


@pytest.mark.parametrize(
    "trouble",
    [
        lambda: httpx2.Response(404),
        lambda: httpx2.Response(403),
        lambda: httpx2.Response(500),
        lambda: httpx2.ConnectError("no"),
        lambda: httpx2.ReadTimeout("slow"),
    ],
)
async def test_a_job_that_cannot_be_cancelled_is_left_alone(trouble: Callable[[], Trouble]) -> None:
    assert await ask(lake("cancel", *[trouble() for _ in range(99)]), cancel) == "asked"


async def test_cancelling_takes_five_seconds_at_most() -> None:
    async def never(_: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with client_of(never) as client:
        started = asyncio.get_running_loop().time()
        await client.cancel("q0")
        assert asyncio.get_running_loop().time() - started == pytest.approx(5.0)


async def test_a_page_that_is_cancelled_frees_its_place() -> None:
    upstream = lake()
    upstream.page_seconds = 1_000.0
    async with client_of(upstream) as client:
        pages = [asyncio.create_task(client.page("q0", 0, 1)) for _ in range(8)]
        await asyncio.sleep(1.0)
        for one in pages:
            one.cancel()
        await asyncio.gather(*pages, return_exceptions=True)
        upstream.page_seconds = 0.0
        assert await client.page("q0", 9, 1) == csv("Number,TEXT,extra").content
