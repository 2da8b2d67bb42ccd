"""Bearer tokens: which are taken, and which never."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import RSAKey

from kai_erp.access.jwks import KeySource
from kai_erp.access.tokens import BearerTokens
from kai_erp.callers import Caller
from kai_erp.errors import AuthRequired, UpstreamUnavailable
from tests.conftest import HandClock
from tests.test_access.issuer import AUDIENCE, ISSUER, Issuer


@pytest.fixture(scope="module")
def made() -> Issuer:
    return Issuer()


@pytest.fixture
def issuer(made: Issuer) -> Issuer:
    return Issuer(keys=dict(made.keys))


@pytest.fixture
async def source(issuer: Issuer, clock: HandClock) -> AsyncIterator[KeySource]:
    async with issuer.http() as http:
        yield KeySource(http, ISSUER, None, clock)


@pytest.fixture
def tokens(source: KeySource) -> BearerTokens:
    return BearerTokens(source, ISSUER, AUDIENCE, lambda: datetime.now(UTC))


async def refused(tokens: BearerTokens, token: str) -> bool:
    try:
        await tokens.caller(token)
    except AuthRequired:
        return True
    return False


@pytest.mark.parametrize(
    ("kid", "algorithm"), [("rsa", "RS256"), ("rsa", "PS256"), ("ec", "ES256"), ("ed", "Ed25519")]
)
async def test_a_good_token_says_who_asks_and_what_is_allowed(
    tokens: BearerTokens, issuer: Issuer, kid: str, algorithm: str
) -> None:
    caller = await tokens.caller(issuer.token(kid, algorithm))
    assert caller == Caller("oauth:anna", frozenset({"customers:read", "orders:read"}))


@pytest.mark.parametrize(
    ("changes", "scopes"),
    [
        ({"scope": None}, set()),
        ({"scope": None, "scp": "orders:read"}, {"orders:read"}),
        ({"scope": None, "scp": ["orders:read", 7]}, {"orders:read"}),
        ({"scope": 7}, set()),
        ({"aud": ["other", AUDIENCE]}, {"customers:read", "orders:read"}),
        ({"iss": f"{ISSUER}/"}, {"customers:read", "orders:read"}),
        ({"exp": -30}, {"customers:read", "orders:read"}),
        ({"nbf": 30}, {"customers:read", "orders:read"}),
    ],
)
async def test_issuers_differ_and_clocks_differ_a_little(
    tokens: BearerTokens, issuer: Issuer, changes: dict[str, Any], scopes: set[str]
) -> None:
    assert (await tokens.caller(issuer.token(**changes))).scopes == scopes


async def test_a_program_without_a_person_is_named_by_its_client(tokens: BearerTokens, issuer: Issuer) -> None:
    assert (await tokens.caller(issuer.token(sub=None, client_id="robot"))).name == "oauth:robot"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"iss": 7},
        {"iss": [ISSUER]},
        {"aud": "other"},
        {"aud": None},
        {"aud": []},
        {"exp": None},
        {"exp": -3600},
        {"exp": "tomorrow"},
        {"nbf": 3600},
        {"iat": 3600},
        {"sub": None},
        {"sub": " "},
        {"sub": 7},
    ],
    ids=str,
)
async def test_a_token_that_is_not_for_us_or_not_for_now_is_refused(
    tokens: BearerTokens, issuer: Issuer, changes: dict[str, Any]
) -> None:
    assert await refused(tokens, issuer.token(**changes))


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS256", "RS1", None, 7, ["RS256"]])
async def test_only_listed_algorithms_are_taken(tokens: BearerTokens, issuer: Issuer, algorithm: object) -> None:
    assert await refused(tokens, unsigned({"alg": algorithm, "kid": "rsa"}, issuer.claims(), b"x" * 256))


async def test_a_public_key_is_no_shared_secret(tokens: BearerTokens, issuer: Issuer) -> None:
    public = issuer.keys["rsa"]
    assert isinstance(public, RSAKey)
    body = unsigned({"alg": "HS256", "kid": "rsa"}, issuer.claims()).rstrip(".")
    for secret in (public.as_pem(private=False), public.as_der(private=False)):
        mac = base64.urlsafe_b64encode(hmac.digest(secret, body.encode(), "sha256")).rstrip(b"=").decode()
        assert await refused(tokens, f"{body}.{mac}")


async def test_a_key_of_another_kind_does_not_vouch(tokens: BearerTokens, issuer: Issuer) -> None:
    signed = issuer.token("ec", "ES256")
    header, claims, signature = signed.split(".")
    confused = json.dumps({"alg": "RS256", "kid": "ec"}).encode()
    swapped = base64.urlsafe_b64encode(confused).rstrip(b"=").decode()
    assert header != swapped
    assert await refused(tokens, f"{swapped}.{claims}.{signature}")


async def test_a_foreign_key_does_not_vouch(tokens: BearerTokens, issuer: Issuer) -> None:
    foreign = RSAKey.generate_key(2048, {"kid": "rsa"})
    assert await refused(tokens, jwt.encode({"alg": "RS256", "kid": "rsa"}, issuer.claims(), foreign))
    within = {"alg": "RS256", "jwk": foreign.as_dict(private=False)}
    assert await refused(tokens, jwt.encode(within, issuer.claims(), foreign))


async def test_a_key_for_encryption_does_not_vouch(tokens: BearerTokens, issuer: Issuer) -> None:
    issuer.keys["enc"] = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
    signing = RSAKey.import_key({**issuer.keys["enc"].as_dict(private=True), "use": "sig"})
    assert await refused(tokens, jwt.encode({"alg": "RS256", "kid": "enc"}, issuer.claims(), signing))


async def test_a_changed_token_is_refused(tokens: BearerTokens, issuer: Issuer) -> None:
    header, claims, signature = issuer.token().split(".")
    wider = base64.urlsafe_b64encode(json.dumps(issuer.claims(scope="*")).encode()).rstrip(b"=").decode()
    assert await refused(tokens, f"{header}.{wider}.{signature}")
    assert await refused(tokens, f"{header}.{claims}.")
    assert await refused(tokens, f"{header}.{claims}")
    assert await refused(tokens, issuer.token() + "x" * 9_000)


@given(st.text(max_size=200) | st.lists(st.text(max_size=40), min_size=3, max_size=5).map(".".join))
def test_no_text_is_a_token(text: str) -> None:
    class NoKeys:
        async def named(self, _: str | None) -> tuple[()]:
            return ()

    tokens = BearerTokens(NoKeys(), ISSUER, AUDIENCE, lambda: datetime.now(UTC))
    assert asyncio.run(refused(tokens, text))


async def test_keys_are_fetched_once_for_all_who_wait(tokens: BearerTokens, issuer: Issuer) -> None:
    token = issuer.token()
    await asyncio.gather(*(tokens.caller(token) for _ in range(20)))
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_a_new_key_is_found_and_an_unknown_one_is_asked_for_twice_a_minute_at_most(
    tokens: BearerTokens, issuer: Issuer, clock: HandClock
) -> None:
    await tokens.caller(issuer.token())
    issuer.keys["new"] = RSAKey.generate_key(2048, {"kid": "new"})
    clock.seconds += 31
    assert (await tokens.caller(issuer.token("new"))).name == "oauth:anna"
    before = len(issuer.asked)
    for number in range(10):
        assert await refused(tokens, unsigned({"alg": "RS256", "kid": f"made up {number}"}, issuer.claims(), b"x"))
    assert len(issuer.asked) - before <= 2


async def test_a_key_that_was_withdrawn_is_forgotten_within_the_hour(
    tokens: BearerTokens, issuer: Issuer, clock: HandClock
) -> None:
    token = issuer.token()
    await tokens.caller(token)
    del issuer.keys["rsa"]
    clock.seconds += 3_601
    assert await refused(tokens, token)


async def test_while_the_issuer_is_away_its_keys_stay_good_for_a_day(
    tokens: BearerTokens, issuer: Issuer, clock: HandClock
) -> None:
    token = issuer.token()
    await tokens.caller(token)
    issuer.answer = lambda _: httpx2.Response(503)
    clock.seconds += 7_200
    assert (await tokens.caller(token)).name == "oauth:anna"
    clock.seconds += 86_400
    with pytest.raises(UpstreamUnavailable, match="OAUTH_ISSUER"):
        await tokens.caller(token)


BAD_ANSWERS: dict[str, httpx2.Response] = {
    "a redirect": httpx2.Response(302, headers={"Location": "https://evil.example/keys"}),
    "no JSON": httpx2.Response(200, text="<html>"),
    "another issuer": httpx2.Response(200, json={"issuer": "https://evil.example", "jwks_uri": f"{ISSUER}/keys"}),
    "keys over http": httpx2.Response(200, json={"issuer": ISSUER, "jwks_uri": "http://issuer.example/keys"}),
    "too much": httpx2.Response(200, content=b" " * 1_100_000),
    "nothing": httpx2.Response(404),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_an_issuer_that_answers_badly_vouches_for_nobody(
    tokens: BearerTokens, issuer: Issuer, name: str
) -> None:
    issuer.answer = lambda _: BAD_ANSWERS[name]
    with pytest.raises(UpstreamUnavailable):
        await tokens.caller(issuer.token())
    assert not [path for path in issuer.asked if "evil" in path]
