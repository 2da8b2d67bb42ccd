"""The token endpoint and what a bearer token is good for."""

import asyncio
from typing import Literal

import httpx2
import pytest

from kai_erp.simulator import Plant, SimulatorOptions, create_simulator, ionapi_document
from tests.test_simulator.conftest import Connect

Auth = tuple[str, str] | None
Body = Literal["text", "empty"]

OPTIONS = SimulatorOptions()
PASSWORD = {"grant_type": "password", "username": OPTIONS.saak, "password": OPTIONS.sask}
BODY = {"client_id": OPTIONS.client_id, "client_secret": OPTIONS.client_secret}
BASIC = (OPTIONS.client_id, OPTIONS.client_secret)


async def ask(
    plant: Plant, form: dict[str, str], auth: Auth = None, options: SimulatorOptions = OPTIONS
) -> httpx2.Response:
    document = ionapi_document("http://erp/", options)
    transport = httpx2.ASGITransport(app=create_simulator(plant, options))
    async with httpx2.AsyncClient(transport=transport) as client:
        url = document["pu"] + document["ot"]
        return await (client.post(url, data=form, auth=auth) if auth else client.post(url, data=form))


def test_the_credentials_file_has_all_members() -> None:
    document = ionapi_document("http://erp:1234", OPTIONS)
    assert list(document) == [
        "ti",
        "cn",
        "dt",
        "ci",
        "cs",
        "iu",
        "pu",
        "oa",
        "ot",
        "or",
        "ev",
        "v",
        "saak",
        "sask",
    ]
    assert (document["iu"], document["pu"]) == ("http://erp:1234", "http://erp:1234/DEMO_TRN/as/")


@pytest.mark.parametrize(("form", "auth"), [(PASSWORD, BASIC), (PASSWORD | BODY, None)])
async def test_client_credentials_are_taken_in_the_header_or_in_the_form(
    plant: Plant, form: dict[str, str], auth: Auth
) -> None:
    response = await ask(plant, form, auth)
    assert response.status_code == 200
    assert (response.json()["token_type"], response.json()["expires_in"]) == ("Bearer", 7200)


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        (PASSWORD, None, 401, "invalid_client"),
        (PASSWORD, ("DEMO_TRN~x", "y"), 401, "invalid_client"),
        (PASSWORD | BODY | {"client_secret": "x"}, None, 401, "invalid_client"),
        (PASSWORD | {"password": "x"}, BASIC, 400, "invalid_grant"),
        (PASSWORD | {"grant_type": "implicit"}, BASIC, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, BASIC, 400, "unsupported_grant_type"),
        ({}, BASIC, 400, "unsupported_grant_type"),
    ],
)
async def test_bad_credentials_are_refused_as_oauth_says(
    plant: Plant, form: dict[str, str], auth: Auth, status: int, error: str
) -> None:
    response = await ask(plant, form, auth)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.json()["error_description"]


@pytest.mark.parametrize("header", ["Basic !!!", "Basic /w==", "Digest abc"])
async def test_an_unreadable_authorization_header_is_refused(plant: Plant, header: str) -> None:
    transport = httpx2.ASGITransport(app=create_simulator(plant))
    async with httpx2.AsyncClient(transport=transport, base_url="http://erp") as client:
        path = "/DEMO_TRN/as/token.oauth2"
        response = await client.post(path, data=PASSWORD, headers={"Authorization": header})
    assert response.status_code == 401


async def test_either_form_of_client_credentials_can_be_switched_off(plant: Plant) -> None:
    no_basic, no_body = SimulatorOptions(accept_basic=False), SimulatorOptions(accept_body=False)
    assert (await ask(plant, PASSWORD, BASIC, no_basic)).status_code == 401
    assert (await ask(plant, PASSWORD | BODY, None, no_basic)).status_code == 200
    assert (await ask(plant, PASSWORD | BODY, None, no_body)).status_code == 401
    assert (await ask(plant, PASSWORD, BASIC, no_body)).status_code == 200


async def test_the_grant_without_a_service_account_can_be_switched_on(plant: Plant) -> None:
    options = SimulatorOptions(accept_client_credentials=True)
    assert (await ask(plant, {"grant_type": "client_credentials"}, BASIC, options)).status_code == 200


async def test_a_token_that_is_missing_unknown_or_revoked_is_unauthorized(connect: Connect) -> None:
    async with connect() as (client, state):
        assert (await client.get("load/SLWcs")).status_code == 200
        for header in ("", "Bearer nonsense", "Basic abc"):
            response = await client.get("load/SLWcs", headers={"Authorization": header})
            assert (response.status_code, response.json()["error"]) == (401, "invalid_token")
        state.revoke_tokens()
        assert (await client.get("load/SLWcs")).status_code == 401


async def test_one_token_can_be_revoked(connect: Connect) -> None:
    async with connect() as (client, _):
        token = client.headers["Authorization"].removeprefix("Bearer ")
        url = "http://erp/DEMO_TRN/as/revoke_token.oauth2"
        assert (await client.post(url, data={"token": token})).status_code == 200
        assert (await client.get("load/SLWcs")).status_code == 401


async def test_a_token_expires(connect: Connect) -> None:
    async with connect(SimulatorOptions(token_seconds=0)) as (client, _):
        assert (await client.get("load/SLWcs")).status_code == 401


@pytest.mark.parametrize(("kind", "body"), [("text", "Unauthorized"), ("empty", "")])
async def test_the_body_of_a_401_can_be_text_or_nothing(connect: Connect, kind: Body, body: str) -> None:
    async with connect(SimulatorOptions(unauthorized_body=kind)) as (client, state):
        state.revoke_tokens()
        response = await client.get("load/SLWcs")
        assert (response.status_code, response.text) == (401, body)


def test_secrets_do_not_show() -> None:
    shown = repr(OPTIONS)
    assert not any(s in shown for s in (OPTIONS.client_secret, OPTIONS.sask, OPTIONS.password))


@pytest.mark.parametrize("path", ["load/SLWcs", "info/SLWcs"])
async def test_two_requests_at_once_can_end_the_session_of_a_direct_token(connect: Connect, path: str) -> None:
    async with connect(SimulatorOptions(direct_token_serial=True, latency_ms=20)) as (client, _):
        base = "http://erp/IDORequestService/ido"
        token = (await client.get(f"{base}/token/DEMO_TRN_MAIN/demo/{OPTIONS.password}")).json()["Token"]
        headers = {"Authorization": token}
        for _ in range(2):
            assert (await client.get(f"{base}/load/SLWcs", headers=headers)).json()["Success"] is True
        first, second = await asyncio.gather(
            client.get(f"{base}/load/SLWcs", headers=headers), client.get(f"{base}/{path}", headers=headers)
        )
        assert first.json()["Success"] is True
        assert (second.status_code, second.json()["Success"]) == (200, False)
        assert second.json()["Message"] == "The session was deleted."
        third = await client.get(f"{base}/load/SLWcs", headers=headers)
        assert (third.status_code, third.json()["Message"]) == (401, "Invalid token")


async def test_requests_through_the_gateway_and_with_tokens_of_their_own_are_free_to_overlap(
    connect: Connect,
) -> None:
    async with connect(SimulatorOptions(direct_token_serial=True, latency_ms=20)) as (client, _):
        base = "http://erp/IDORequestService/ido"
        path = f"{base}/token/DEMO_TRN_MAIN/demo/{OPTIONS.password}"
        tokens = [(await client.get(path)).json()["Token"] for _ in range(2)]
        answers = await asyncio.gather(
            *(client.get(f"{base}/load/SLWcs", headers={"Authorization": token}) for token in tokens),
            *(client.get("load/SLWcs") for _ in range(2)),
            *(client.get(f"{base}/configurations") for _ in range(2)),
        )
        assert [answer.json()["Success"] for answer in answers] == [True] * 6
