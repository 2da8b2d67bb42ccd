import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import httpx2
import pytest

from kai_erp.core.auth import DirectGrant, IonGrant, Lease, Token, TokenManager
from kai_erp.core.retries import ATTEMPTS
from kai_erp.errors import KaiErpError, Nonsense, UpstreamAuth, UpstreamUnavailable
from kai_erp.simulator import Answer, Fault, RunningSimulator, SimulatorOptions, SimulatorState, create_simulator
from kai_erp.simulator import run_simulator as run
from tests.test_core.fakes import Clock, NumberedTokens, Pieces, small_plant

URL = "https://sso.example/T/as/token.oauth2"
SECRETS = ("s3cr3t-client", "s3cr3t-account", "s3cr3t-key", "s3cr3t-token", "s3cr3t-password")
Handler = Callable[[httpx2.Request], httpx2.Response]


@asynccontextmanager
async def tenant(
    options: SimulatorOptions, *, service_account: bool = True
) -> AsyncIterator[tuple[IonGrant, SimulatorState]]:
    """Give a grant for a simulated tenant that is reached without a socket, and the tenant's state."""
    app = create_simulator(small_plant(), options)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        url = f"https://sso.example/{options.tenant}/as/token.oauth2"
        grant = IonGrant(http, url, options.client_id, options.client_secret)
        if service_account:
            grant.username, grant.password = options.saak, options.sask
        yield grant, app.state.simulator


class Answers:
    """Answers requests from a list, the last answer again and again, and keeps what was asked."""

    def __init__(self, *answers: httpx2.Response) -> None:
        self.answers = list(answers)
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx2.Response(answer.status_code, headers=answer.headers, content=answer.content)


@asynccontextmanager
async def client_of(handler: Handler) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as http:
        yield http


def ion(http: httpx2.AsyncClient) -> IonGrant:
    return IonGrant(http, URL, "client", SECRETS[0], username=SECRETS[1], password=SECRETS[2])


def direct(http: httpx2.AsyncClient, password: str = SECRETS[4]) -> DirectGrant:
    return DirectGrant(http, "https://erp.example", "MAIN SITE/1", "demo", password)


def good(value: str = "t1") -> httpx2.Response:
    return httpx2.Response(200, json={"access_token": value, "token_type": "Bearer"})


def oauth(error: str, status: int = 400) -> httpx2.Response:
    return httpx2.Response(status, json={"error": error, "error_description": f"bad {SECRETS[2]} of {SECRETS[1]}"})


def form_of(request: httpx2.Request) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(request.content.decode()).items()}


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


# The ION authorisation server


async def test_the_password_grant_gives_a_token_that_the_gateway_accepts() -> None:
    async with tenant(SimulatorOptions(token_seconds=1_234)) as (grant, state):
        token = await grant.obtain()
        assert state.tokens.accepts(f"{grant.scheme}{token.value}")
        assert token.life == 1_234
        assert state.token_requests == 1


async def test_the_client_goes_in_basic_and_nowhere_else_at_first() -> None:
    answers = Answers(good())
    async with client_of(answers) as http:
        await ion(http).obtain()
    (request,) = answers.asked
    assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"client:s3cr3t-client"
    assert form_of(request) == {"grant_type": "password", "username": SECRETS[1], "password": SECRETS[2]}
    assert str(request.url) == URL


async def test_where_basic_is_refused_the_client_goes_in_the_form_from_then_on() -> None:
    async with tenant(SimulatorOptions(accept_basic=False)) as (grant, state):
        for _ in range(3):
            assert state.tokens.accepts(f"Bearer {(await grant.obtain()).value}")
        assert state.token_requests == 4


async def test_the_form_is_not_tried_where_basic_works() -> None:
    async with tenant(SimulatorOptions(accept_body=False)) as (grant, state):
        await grant.obtain()
        await grant.obtain()
        assert state.token_requests == 2


async def test_without_service_account_keys_the_grant_is_client_credentials() -> None:
    options = SimulatorOptions(accept_client_credentials=True)
    async with tenant(options, service_account=False) as (grant, state):
        assert state.tokens.accepts(f"Bearer {(await grant.obtain()).value}")
    answers = Answers(good())
    async with client_of(answers) as http:
        await IonGrant(http, URL, "client", "secret").obtain()
    assert form_of(answers.asked[0]) == {"grant_type": "client_credentials"}


async def test_a_wrong_client_is_refused_in_basic_and_form_and_tried_both_ways_again_later() -> None:
    async with tenant(SimulatorOptions()) as (grant, state):
        secret, grant.client_secret = grant.client_secret, "wrong"
        with pytest.raises(UpstreamAuth, match="invalid_client"):
            await grant.obtain()
        assert state.token_requests == 2
        grant.client_secret = secret
        await grant.obtain()
        assert state.token_requests == 3


async def test_a_wrong_service_account_is_not_a_reason_to_move_the_client_into_the_form() -> None:
    async with tenant(SimulatorOptions()) as (grant, state):
        grant.password = "wrong"
        with pytest.raises(UpstreamAuth, match="invalid_grant"):
            await grant.obtain()
        assert state.token_requests == 1


async def test_a_form_that_could_not_be_tried_is_not_taken_for_the_way_in() -> None:
    answers = Answers(oauth("invalid_client", 401), httpx2.Response(503), good())
    async with client_of(answers) as http:
        grant = ion(http)
        with pytest.raises(UpstreamUnavailable):
            await grant.obtain()
        await grant.obtain()
    assert "Authorization" in answers.asked[2].headers


@pytest.mark.parametrize(
    ("said", "life"),
    [
        ({"expires_in": 7_200}, 7_200),
        ({"expires_in": "900"}, 900),
        ({"expires_in": 59.5}, 59.5),
        ({}, 3_600),
        ({"expires_in": None}, 3_600),
        ({"expires_in": "soon"}, 3_600),
        ({"expires_in": 0}, 3_600),
        ({"expires_in": -1}, 3_600),
        ({"expires_in": True}, 3_600),
        ({"expires_in": "inf"}, 3_600),
    ],
)
async def test_a_token_lives_as_long_as_the_server_says_or_else_an_hour(
    said: dict[str, object], life: float
) -> None:
    async with client_of(Answers(httpx2.Response(200, json={"access_token": "t1"} | said))) as http:
        assert (await ion(http).obtain()).life == life


# The direct token


async def test_the_direct_token_is_asked_for_by_headers_and_never_in_the_path() -> None:
    answers = Answers(httpx2.Response(200, json={"Token": "b/abc+/==", "Success": True, "Message": None}))
    async with client_of(answers) as http:
        token = await direct(http).obtain()
    (request,) = answers.asked
    assert token == Token("b/abc+/==", None)
    assert request.method == "GET"
    assert request.url.raw_path == b"/IDORequestService/ido/token/MAIN%20SITE%2F1"
    assert (request.headers["username"], request.headers["password"]) == ("demo", SECRETS[4])


async def test_the_direct_token_is_one_that_the_server_accepts() -> None:
    options = SimulatorOptions()
    app = create_simulator(small_plant(), options)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as http:
        grant = DirectGrant(http, "http://erp", "DEMO_TRN_MAIN", options.username, options.password)
        value = await TokenManager(grant, Clock()).authorization()
        assert app.state.simulator.tokens.configuration_of(value) == "DEMO_TRN_MAIN"
        grant.password = "wrong"
        with pytest.raises(UpstreamAuth, match="gives no token"):
            await grant.obtain()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
async def test_a_direct_log_on_that_is_refused_is_an_authentication_failure(status: int) -> None:
    async with client_of(Answers(httpx2.Response(status))) as http:
        with pytest.raises(UpstreamAuth, match=str(status)):
            await direct(http).obtain()


async def test_a_direct_password_may_have_an_umlaut() -> None:
    async with client_of(Answers(httpx2.Response(200, json={"Token": "t"}))) as http:
        assert (await direct(http, "geheimnisträger").obtain()).value == "t"


# Renewal


@pytest.mark.parametrize(
    ("life", "good_for"),
    [
        (None, 3_300),
        (7_200, 3_300),
        (3_601, 3_300),
        (3_600, 3_300),
        (3_000, 2_700),
        (601, 301),
        (600, 300),
        (599, 299.5),
        (60, 30),
    ],
)
async def test_a_token_is_renewed_at_the_right_age_and_not_before(life: float | None, good_for: float) -> None:
    clock, grant = Clock(), NumberedTokens(life)
    manager = TokenManager(grant, clock)
    assert await manager.authorization() == "Bearer t1"
    clock.seconds += good_for - 0.25
    assert await manager.authorization() == "Bearer t1"
    clock.seconds += 0.25
    assert await manager.authorization() == "Bearer t2"
    assert grant.asked == 2


async def test_a_shorter_age_may_be_set() -> None:
    clock, grant = Clock(), NumberedTokens()
    manager = TokenManager(grant, clock, refresh_seconds=60)
    await manager.authorization()
    clock.seconds += 60
    assert await manager.authorization() == "Bearer t2"


async def test_the_age_counts_from_when_the_token_was_asked_for() -> None:
    clock = Clock()

    class Slow(NumberedTokens):
        async def obtain(self) -> Token:
            clock.seconds += 100
            return await super().obtain()

    manager = TokenManager(Slow(600.0), clock)
    await manager.authorization()
    clock.seconds += 200
    assert await manager.authorization() == "Bearer t2"


async def test_twenty_waiters_cause_one_renewal() -> None:
    grant = NumberedTokens()
    manager = TokenManager(grant, Clock())
    assert set(await asyncio.gather(*(manager.authorization() for _ in range(20)))) == {"Bearer t1"}
    assert set(await asyncio.gather(*(manager.renew("Bearer t1") for _ in range(20)))) == {"Bearer t2"}
    assert grant.asked == 2


async def test_twenty_waiters_for_a_refused_renewal_cause_one_request_and_all_get_the_error() -> None:
    answers = Answers(oauth("invalid_grant"))
    async with client_of(answers) as http:
        manager = TokenManager(ion(http), Clock())
        results = await asyncio.gather(*(manager.authorization() for _ in range(20)), return_exceptions=True)
    assert [type(result) for result in results] == [UpstreamAuth] * 20
    assert len(answers.asked) == 1


async def test_refused_credentials_are_tried_anew_after_half_a_minute_only() -> None:
    answers = Answers(oauth("invalid_grant"), good())
    async with client_of(answers) as http:
        clock = Clock()
        manager = TokenManager(ion(http), clock)
        for _ in range(3):
            with pytest.raises(UpstreamAuth):
                await manager.authorization()
        assert len(answers.asked) == 1
        clock.seconds += 31
        assert await manager.authorization() == "Bearer t1"


class Gated(NumberedTokens):
    """A grant that answers once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def obtain(self) -> Token:
        await self.gate.wait()
        return await super().obtain()


async def test_a_waiter_that_is_cancelled_does_not_cancel_the_renewal_for_the_others() -> None:
    grant = Gated()
    manager = TokenManager(grant, Clock())
    first, *others = [asyncio.create_task(manager.authorization()) for _ in range(5)]
    await settle()
    first.cancel()
    await settle()
    assert first.cancelled()
    grant.gate.set()
    assert await asyncio.gather(*others) == ["Bearer t1"] * 4
    assert grant.asked == 1


async def test_a_renewal_that_nobody_waits_for_any_more_still_serves_the_next() -> None:
    grant = Gated()
    manager = TokenManager(grant, Clock())
    waiter = asyncio.create_task(manager.authorization())
    await settle()
    waiter.cancel()
    grant.gate.set()
    await settle()
    assert await manager.authorization() == "Bearer t1"
    assert grant.asked == 1


async def test_closing_breaks_a_renewal_off() -> None:
    async with TokenManager(Gated(), Clock()) as manager:
        waiter = asyncio.create_task(manager.authorization())
        await settle()
    await settle()
    assert waiter.cancelled()


async def test_nothing_is_renewed_when_somebody_already_did() -> None:
    grant = NumberedTokens()
    manager = TokenManager(grant, Clock())
    await manager.authorization()
    assert await manager.renew("Bearer t1") == "Bearer t2"
    assert await manager.renew("Bearer t1") == "Bearer t2"
    assert grant.asked == 2


async def test_a_renewal_without_any_token_obtains_one() -> None:
    assert await TokenManager(NumberedTokens(), Clock()).renew("Bearer old") == "Bearer t1"


async def test_a_direct_token_is_sent_without_a_scheme() -> None:
    async with client_of(Answers(httpx2.Response(200, json={"Token": "b/x=="}))) as http:
        assert await TokenManager(direct(http), Clock()).authorization() == "b/x=="


# Failures


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx2.Response(500), UpstreamUnavailable),
        (httpx2.Response(503, text="<html>"), UpstreamUnavailable),
        (httpx2.Response(429), UpstreamUnavailable),
        (httpx2.Response(200, text="<html>maintenance</html>"), Nonsense),
        (httpx2.Response(200, json=["no", "object"]), Nonsense),
        (httpx2.Response(200, json={"access_token": ""}), Nonsense),
        (httpx2.Response(200, json={"access_token": 5}), Nonsense),
        (httpx2.Response(200, json={}), Nonsense),
    ],
)
async def test_a_failure_that_may_pass_is_retried_and_then_raised(
    answer: httpx2.Response, kind: type[KaiErpError]
) -> None:
    answers = Answers(answer)
    async with client_of(answers) as http:
        with pytest.raises(kind):
            await TokenManager(ion(http), Clock()).authorization()
    assert len(answers.asked) == ATTEMPTS


async def test_a_failure_that_passes_goes_unnoticed() -> None:
    answers = Answers(httpx2.Response(502), httpx2.Response(429), httpx2.Response(200, text="<"), good())
    async with client_of(answers) as http:
        assert await TokenManager(ion(http), Clock()).authorization() == "Bearer t1"


@pytest.mark.parametrize("status", [302, 404, 405])
async def test_an_address_that_is_wrong_is_not_retried(status: int) -> None:
    answers = Answers(httpx2.Response(status, headers={"Location": "https://elsewhere.example/"}))
    async with client_of(answers) as http:
        with pytest.raises(UpstreamAuth, match="check its address"):
            await TokenManager(ion(http), Clock()).authorization()
    assert [str(request.url) for request in answers.asked] == [URL]


@pytest.mark.parametrize("failure", [httpx2.ConnectError, httpx2.ReadTimeout, httpx2.RemoteProtocolError])
async def test_an_endpoint_that_cannot_be_reached_is_unavailable(failure: type[httpx2.TransportError]) -> None:
    def unreachable(request: httpx2.Request) -> httpx2.Response:
        raise failure("no way", request=request)

    async with client_of(unreachable) as http:
        with pytest.raises(UpstreamUnavailable, match=failure.__name__):
            await ion(http).obtain()


async def test_an_answer_in_a_broken_encoding_is_nonsense() -> None:
    def garbled(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"Content-Encoding": "gzip"}, stream=Pieces(b"not gzip"))

    async with client_of(garbled) as http:
        with pytest.raises(Nonsense):
            await ion(http).obtain()


# Secrets


def told(failure: BaseException | None) -> Iterable[str]:
    """Yield all that an error and its causes would show in a log."""
    while failure is not None:
        yield from (str(failure), repr(failure), getattr(failure, "suggestion", ""))
        failure = failure.__cause__ or failure.__context__


def assert_no_secret(*texts: str) -> None:
    assert [secret for secret in SECRETS for text in texts if secret in text] == []


@pytest.mark.parametrize(
    "answer",
    [
        oauth("invalid_grant"),
        oauth("invalid_client", 401),
        oauth(SECRETS[0]),
        httpx2.Response(403, text=f"{SECRETS[0]} {SECRETS[2]}"),
        httpx2.Response(404, text=SECRETS[0]),
        httpx2.Response(500, text=SECRETS[2]),
        httpx2.Response(429, text=SECRETS[2]),
        httpx2.Response(200, text=f"<html>{SECRETS[2]}</html>"),
        httpx2.Response(200, json={"access_token": None, "echo": SECRETS[2]}),
    ],
)
async def test_no_failure_shows_a_secret(answer: httpx2.Response) -> None:
    async with client_of(Answers(answer)) as http:
        for grant in (ion(http), direct(http)):
            with pytest.raises(KaiErpError) as raised:
                await TokenManager(grant, Clock()).authorization()
            assert_no_secret(*told(raised.value))


async def test_no_connection_failure_shows_a_secret() -> None:
    def unreachable(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no way", request=request)

    async with client_of(unreachable) as http:
        for grant in (ion(http), direct(http)):
            with pytest.raises(UpstreamUnavailable) as raised:
                await TokenManager(grant, Clock()).authorization()
            assert_no_secret(*told(raised.value))


async def test_no_repr_shows_a_secret() -> None:
    async with client_of(Answers(good(SECRETS[3]))) as http:
        grant = IonGrant(http, URL, "client", SECRETS[0], username="account", password=SECRETS[2])
        manager = TokenManager(grant, Clock())
        await manager.authorization()
        secret = SECRETS[3]
        shown = [
            repr(value)
            for value in (grant, direct(http), manager, Token(secret, 1.0), Lease(secret, 1.0, None), http)
        ]
        assert_no_secret(*shown, str(manager))


async def test_the_repr_of_a_grant_does_not_show_the_access_key() -> None:
    async with client_of(Answers(good())) as http:
        assert_no_secret(repr(ion(http)))


@pytest.fixture(scope="module")
def simulator() -> Iterable[RunningSimulator]:
    with run(small_plant()) as running:
        yield running


@pytest.mark.parametrize("password", ["s3cr3t-password ", "s3cr3t-pass\nword s3cr3t-key"])
async def test_a_password_that_no_header_can_hold_is_not_shown(simulator: RunningSimulator, password: str) -> None:
    async with httpx2.AsyncClient() as http:
        grant = DirectGrant(http, simulator.base_url, "DEMO_TRN_MAIN", "demo", password)
        with pytest.raises(KaiErpError) as raised:
            await grant.obtain()
        assert_no_secret(*told(raised.value))


async def test_a_token_endpoint_that_fails_once_over_a_socket_is_asked_again(simulator: RunningSimulator) -> None:
    simulator.state.faults.add(Fault(Answer(503), on="token"))
    document = simulator.ionapi()
    async with httpx2.AsyncClient() as http:
        grant = IonGrant(http, document["pu"] + document["ot"], document["ci"], document["cs"])
        grant.username, grant.password = document["saak"], document["sask"]
        assert (await TokenManager(grant, Clock()).authorization()).startswith("Bearer ")
    assert simulator.state.token_requests == 2
