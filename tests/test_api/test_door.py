"""The door of the REST server and of `/mcp`: nothing is answered before it is known who asks."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import Mount, Route

from kai_erp.access.doorkeeping import presented
from kai_erp.access.keys import KeysFile
from kai_erp.access.limits import InboundLimits
from kai_erp.api.main import create_app
from kai_erp.config import Settings
from kai_erp.errors import AuthRequired
from kai_erp.plugins import all_connectors
from kai_erp.simulator import Delay, Fault, RunningSimulator
from tests.conftest import SettingsFor
from tests.test_api.serving import client_of, problem, serving

OPEN = {"/health", "/ready", "/sign-in", "/.well-known/oauth-protected-resource"}
SCOPES = {connector.path: connector.scope for connector in all_connectors()}
EXAMPLES: dict[str, dict[str, str]] = {"/customers/search": {"query": "inc"}}


@pytest.fixture
def keys(tmp_path: Path) -> KeysFile:
    return KeysFile(tmp_path / "keys.json")


def made(keys: KeysFile, name: str, *scopes: str) -> dict[str, str]:
    """Return the header of a new key."""
    return {"X-API-Key": keys.create(name, frozenset(scopes), datetime.now(UTC))}


@pytest.fixture
def closed(settings_for: SettingsFor, simulator: RunningSimulator, keys: KeysFile) -> Settings:
    return settings_for(simulator, api_keys_file=keys.path)


@pytest.fixture
async def client(closed: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(closed) as opened:
        yield opened


def paths(api: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield every method and path that a server answers."""
    for route in _routes(api.routes):
        if isinstance(route, Mount):
            yield "GET", f"{route.path}/anything"
        elif isinstance(route, Route | APIRoute):
            for method in sorted(route.methods or {"GET", "POST", "DELETE"}):
                yield method, route.path.replace("{path:path}", "mcp")


def _routes(routes: list[Any]) -> Iterator[Any]:
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            yield from _routes(included.routes)
        else:
            yield route


async def test_no_route_answers_without_a_good_key(closed: Settings) -> None:
    api = create_app(closed)
    async with api.router.lifespan_context(api), client_of(api) as client:
        walked = list(paths(api))
        assert {*SCOPES, "/mcp", "/metrics", "/docs", "/openapi.json", "/connectors"} <= {
            path for _, path in walked
        }
        for method, path in walked:
            api.state.guarded = replace(api.state.guarded, limits=InboundLimits(10_000, 100))
            bad: list[dict[str, str]] = [{}, {"X-API-Key": "kai_made-up"}, {"Authorization": "Basic a2V5"}]
            for headers in bad:
                response = await client.request(method, path, headers=headers)
                if path in OPEN or path.startswith(("/static/", "/.well-known/")):
                    assert response.status_code != 401
                    continue
                assert response.status_code == 401, (method, path)
                if method != "HEAD":
                    problem(response, 401, "auth_required")
                assert response.headers["www-authenticate"].startswith("Bearer ")


async def test_what_is_not_there_is_not_told_from_what_is(client: httpx2.AsyncClient) -> None:
    problem(await client.get("/no/such/thing"), 401, "auth_required")


@pytest.mark.parametrize("path", SCOPES)
async def test_scopes_bind(client: httpx2.AsyncClient, keys: KeysFile, path: str) -> None:
    right = made(keys, "right", SCOPES[path])
    wrong = made(keys, "wrong", "ops:read", *(scope for scope in SCOPES.values() if scope != SCOPES[path]))
    parameters = EXAMPLES.get(path, {"limit": "2"})
    assert (await client.get(path, params=parameters, headers=right)).status_code == 200
    body = problem(await client.get(path, params=parameters, headers=wrong), 403, "forbidden")
    assert SCOPES[path] in body["detail"]
    assert (await client.get(path, params=parameters, headers=made(keys, "all", "*"))).status_code == 200


async def test_metrics_need_a_scope_of_their_own(client: httpx2.AsyncClient, keys: KeysFile) -> None:
    sales = made(keys, "sales", "orders:read")
    for path in ("/metrics", "/metrics%0a", "/metrics%0A"):
        problem(await client.get(path, headers=sales), 403, "forbidden")
    assert (await client.get("/metrics", headers=made(keys, "prometheus", "ops:read"))).status_code == 200


async def test_a_key_goes_in_either_header_but_not_in_the_address(
    client: httpx2.AsyncClient, keys: KeysFile
) -> None:
    key = made(keys, "any", "*")["X-API-Key"]
    for headers in ({"X-API-Key": key}, {"Authorization": f"Bearer {key}"}, {"authorization": f"bearer {key}"}):
        assert (await client.get("/connectors", headers=headers)).status_code == 200
    both = {"X-API-Key": key, "Authorization": f"Bearer {key}"}
    assert (await client.get("/connectors", headers=both)).status_code == 200
    for address in (
        f"/connectors?api_key={key}",
        f"/connectors?X-API-Key={key}",
        f"/connectors?access_token={key}",
    ):
        problem(await client.get(address), 401, "auth_required")


async def test_two_keys_are_none(client: httpx2.AsyncClient, keys: KeysFile) -> None:
    one, other = (made(keys, name, "*")["X-API-Key"] for name in ("one", "other"))
    several: list[list[tuple[str, str]]] = [
        [("X-API-Key", one), ("Authorization", f"Bearer {other}")],
        [("X-API-Key", one), ("X-API-Key", one)],
        [("Authorization", f"Bearer {one}"), ("Authorization", f"Bearer {one}")],
    ]
    for headers in several:
        problem(await client.get("/connectors", headers=headers), 401, "auth_required")


async def test_a_revoked_or_lapsed_key_is_refused_at_once(client: httpx2.AsyncClient, keys: KeysFile) -> None:
    headers = made(keys, "sales", "*")
    assert (await client.get("/connectors", headers=headers)).status_code == 200
    keys.revoke("sales", datetime.now(UTC))
    problem(await client.get("/connectors", headers=headers), 401, "auth_required")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    lapsed = keys.create("lapsed", frozenset({"*"}), yesterday, yesterday)
    problem(await client.get("/connectors", headers={"X-API-Key": lapsed}), 401, "auth_required")


@pytest.mark.parametrize("content", [None, "", "{}", "nonsense"])
async def test_a_file_that_is_lost_or_broken_opens_neither_a_running_server_nor_a_starting_one(
    closed: Settings, keys: KeysFile, content: str | None
) -> None:
    headers = made(keys, "sales", "*")

    def spoil() -> None:
        if content is None:
            keys.path.unlink()
        else:
            keys.path.write_text(content)

    async with serving(closed) as running:
        assert (await running.get("/connectors", headers=headers)).status_code == 200
        spoil()
        for sent in (headers, {}):
            problem(await running.get("/connectors", headers=sent), 401, "auth_required")
    async with serving(closed) as starting:
        for sent in (headers, {}):
            problem(await starting.get("/connectors", headers=sent), 401, "auth_required")


async def test_a_cursor_is_of_use_to_its_caller_only(client: httpx2.AsyncClient, keys: KeysFile) -> None:
    anna, bert = (made(keys, name, "*") for name in ("anna", "bert"))
    first = (await client.get("/bedrock/schedule", params={"limit": 2}, headers=anna)).json()
    onward = {"cursor": first["meta"]["next_cursor"]}
    problem(await client.get("/bedrock/schedule", params=onward, headers=bert), 410, "cursor_expired")
    assert (await client.get("/bedrock/schedule", params=onward, headers=anna)).status_code == 200


async def test_a_server_that_asks_for_no_key_answers_its_own_machine_only(settings: Settings) -> None:
    api = create_app(settings)
    transport = httpx2.ASGITransport(api)
    async with api.router.lifespan_context(api):
        async with httpx2.AsyncClient(transport=transport, base_url="http://192.168.1.5:8100") as stranger:
            problem(await stranger.get("/connectors"), 401, "auth_required")
            assert (await stranger.get("/health")).status_code == 200
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8100") as own:
            assert (await own.get("/connectors")).status_code == 200


async def test_probes_that_leave_early_cost_the_erp_one_read(
    settings: Settings, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(Fault(Delay(0.5), on="SLJobs", times=None))
    async with serving(settings) as client:
        for _ in range(10):
            probe = asyncio.create_task(client.get("/ready"))
            await asyncio.sleep(0.02)
            probe.cancel()
            await asyncio.gather(probe, return_exceptions=True)
        assert (await client.get("/ready")).status_code == 200
    assert len([request for request in simulator.state.requests if request.collection == "SLJobs"]) == 1


async def test_health_says_nothing_and_readiness_not_why_not(
    client: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    assert (await client.get("/health")).status_code == 200
    simulator.state.deny("SLJobs")
    body = problem(await client.get("/ready"), 502, "upstream_denied")
    assert "SLJobs" not in json.dumps(body)


async def test_each_caller_has_a_number_of_requests_a_minute(
    settings_for: SettingsFor, simulator: RunningSimulator, keys: KeysFile
) -> None:
    anna, bert = (made(keys, name, "*") for name in ("anna", "bert"))
    async with serving(settings_for(simulator, api_keys_file=keys.path, inbound_per_minute=3)) as client:
        for _ in range(3):
            assert (await client.get("/connectors", headers=anna)).status_code == 200
        refused = await client.get("/connectors", headers=anna)
        problem(refused, 429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await client.get("/connectors", headers=bert)).status_code == 200
        for _ in range(10):
            assert (await client.get("/health")).status_code == 200


async def test_without_keys_only_limits_that_were_set_hold_on_this_machine(
    settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    async with serving(settings_for(simulator)) as client:
        statuses = [(await client.get("/connectors")).status_code for _ in range(130)]
        assert statuses == [200] * 130
    async with serving(settings_for(simulator, inbound_per_minute=3)) as client:
        statuses = [(await client.get("/connectors")).status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]


async def test_each_caller_has_a_number_of_requests_at_once(
    settings_for: SettingsFor, simulator: RunningSimulator, keys: KeysFile
) -> None:
    anna, bert = (made(keys, name, "*") for name in ("anna", "bert"))
    simulator.state.faults.add(Fault(Delay(0.5), on="SLCustomers", times=None))
    async with serving(settings_for(simulator, api_keys_file=keys.path, inbound_concurrency=2)) as client:

        async def ask(headers: dict[str, str], text: str) -> int:
            response = await client.get("/customers/search", params={"query": text}, headers=headers)
            return response.status_code

        statuses = await asyncio.gather(*(ask(anna, text) for text in ("inc", "co", "ltd")), ask(bert, "inc"))
        assert sorted(statuses) == [200, 200, 200, 429]
        assert statuses[3] == 200
        assert await ask(anna, "inc") == 200


async def test_guessing_keys_is_slowed_down(client: httpx2.AsyncClient, keys: KeysFile) -> None:
    good = made(keys, "good", "*")
    for number in range(30):
        response = await client.get("/connectors", headers={"X-API-Key": f"kai_guess-{number}"})
        assert response.status_code == 401
    problem(await client.get("/connectors", headers={"X-API-Key": "kai_guess-30"}), 429, "rate_limited")
    assert (await client.get("/connectors", headers=good)).status_code == 200


@pytest.mark.parametrize("path", ["/mcp", "/bedrock/schedule", "/sign-in"])
async def test_a_large_body_is_refused_however_it_comes(
    settings_for: SettingsFor, simulator: RunningSimulator, path: str
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b" " * 100

    async with serving(settings_for(simulator, max_body_bytes=1_000)) as client:
        problem(await client.post(path, content=b" " * 1_001), 413, "too_large")
        streamed = await client.post(path, content=parts(), headers={"Content-Type": "application/json"})
        assert streamed.status_code in {403, 405, 413}


async def test_every_answer_shields_whoever_looks_at_it(client: httpx2.AsyncClient, keys: KeysFile) -> None:
    headers = made(keys, "any", "*")
    for path in (
        "/health",
        "/connectors",
        "/bedrock/schedule?limit=1",
        "/nowhere",
        "/docs",
        "/bedrock/schedule?x=1",
    ):
        for sent in (headers, {}):
            shown = (await client.get(path, headers=sent)).headers
            assert shown["x-content-type-options"] == "nosniff", path
            assert shown["x-frame-options"] == "DENY"
            assert shown["referrer-policy"] == "no-referrer"
            assert shown["cache-control"] == "no-store"
            assert "default-src 'none'" in shown["content-security-policy"]
            assert "strict-transport-security" not in shown


async def test_behind_https_browsers_are_told_to_use_nothing_else(
    settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    async with serving(settings_for(simulator, public_url="https://kai.example")) as client:
        assert "max-age" in (await client.get("/health")).headers["strict-transport-security"]


async def test_pages_from_elsewhere_may_ask_only_where_listed(
    settings_for: SettingsFor, simulator: RunningSimulator, keys: KeysFile
) -> None:
    headers = made(keys, "any", "*")
    preflight = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key"}
    listed, other = {"Origin": "https://app.example"}, {"Origin": "https://evil.example"}
    async with serving(settings_for(simulator, api_keys_file=keys.path)) as client:
        assert (
            "access-control-allow-origin"
            not in (await client.get("/connectors", headers=headers | listed)).headers
        )
        assert (await client.options("/connectors", headers=preflight | listed)).status_code == 401
    changes = {"api_keys_file": keys.path, "cors_origins": "https://app.example"}
    async with serving(settings_for(simulator, **changes)) as client:
        allowed = await client.options("/connectors", headers=preflight | listed)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        answered = await client.get("/bedrock/schedule?limit=1", headers=headers | listed)
        assert answered.headers["access-control-allow-origin"] == "https://app.example"
        assert "X-Kai-Next-Cursor" in answered.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answered.headers
        problem(await client.get("/connectors", headers=listed), 401, "auth_required")
        refused = await client.options("/connectors", headers=preflight | other)
        assert "access-control-allow-origin" not in refused.headers
        foreign = await client.get("/connectors", headers=headers | other)
        assert "access-control-allow-origin" not in foreign.headers


async def test_a_web_socket_is_not_opened(closed: Settings) -> None:
    api = create_app(closed)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:  # noqa: ANN401  # any message
        sent.append(message)

    async with api.router.lifespan_context(api):
        scope = {"type": "websocket", "path": "/mcp", "headers": [], "query_string": b"", "app": api}
        await api.middleware_stack(scope, receive, send) if api.middleware_stack else await api(
            scope, receive, send
        )
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_before_it_has_started_a_server_answers_nothing(closed: Settings) -> None:
    async with client_of(create_app(closed)) as client:
        problem(await client.get("/connectors"), 503, "overloaded")


HEADERS = st.lists(
    st.tuples(st.sampled_from([b"authorization", b"x-api-key", b"accept"]), st.binary(max_size=60)), max_size=4
)


@given(HEADERS, st.booleans())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_headers_give_one_credential_or_none(headers: list[tuple[bytes, bytes]], keys: bool) -> None:
    try:
        credential = presented(headers, keys=keys)
    except AuthRequired:
        return
    assert credential.isascii()
    assert credential.isprintable()
    assert " " not in credential
    holders = [value for name, value in headers if name != b"accept"]
    assert any(credential.encode() in value for value in holders)
