"""AUTH_MODE=oauth: a server and an issuer, over HTTP."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from kai_erp.config import Settings
from kai_erp.simulator import RunningSimulator
from tests.conftest import SettingsFor
from tests.test_access.issuer import AUDIENCE, Issuer
from tests.test_api.serving import problem, serving

METADATA = "/.well-known/oauth-protected-resource"
PUBLIC = "https://kai.example"


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def issuer_url(issuer: Issuer) -> Iterator[str]:
    """The address of an issuer that listens."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that the library calls
            keys = [key.as_dict(private=False) for key in issuer.keys.values()]
            metadata = {"issuer": address, "jwks_uri": f"{address}/keys"}
            known = {"/keys": {"keys": keys}, "/.well-known/openid-configuration": metadata}
            body = json.dumps(known.get(self.path, {})).encode()
            self.send_response(200 if self.path in known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield address
        server.shutdown()
        thread.join()


@pytest.fixture
def guarded(settings_for: SettingsFor, simulator: RunningSimulator, issuer_url: str) -> Settings:
    return settings_for(
        simulator, auth_mode="oauth", oauth_issuer=issuer_url, oauth_audience=AUDIENCE, public_url=PUBLIC
    )


@pytest.fixture
async def client(guarded: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(guarded) as opened:
        yield opened


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_lets_in_as_far_as_its_scopes_go(
    client: httpx2.AsyncClient, issuer: Issuer, issuer_url: str
) -> None:
    headers = bearer(issuer.token(iss=issuer_url))
    assert (await client.get("/customers/search", params={"query": "inc"}, headers=headers)).status_code == 200
    refused = await client.get("/bedrock/schedule", headers=headers)
    problem(refused, 403, "forbidden")
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    assert 'scope="schedule:read"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/bedrock/schedule", "/mcp", "/metrics"])
async def test_a_refusal_says_where_to_find_the_way_in(
    client: httpx2.AsyncClient, issuer: Issuer, issuer_url: str, path: str
) -> None:
    missing = await client.get(path)
    problem(missing, 401, "auth_required")
    own = "/mcp" if path == "/mcp" else ""
    assert missing.headers["www-authenticate"] == f'Bearer resource_metadata="{PUBLIC}{METADATA}{own}"'
    for token in (issuer.token(iss=issuer_url, aud="other"), issuer.token(), "nonsense"):
        wrong = await client.get(path, headers=bearer(token))
        problem(wrong, 401, "auth_required")
        assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    assert (await client.get(path, headers={"X-API-Key": issuer.token(iss=issuer_url)})).status_code == 401


@pytest.mark.parametrize("path", ["", "/mcp"])
async def test_the_metadata_are_open_and_name_issuer_and_scopes(
    client: httpx2.AsyncClient, issuer_url: str, path: str
) -> None:
    said = (await client.get(f"{METADATA}{path}")).json()
    assert said["resource"] == f"{PUBLIC}{path}"
    assert said["authorization_servers"] == [issuer_url]
    assert {"schedule:read", "ops:read"} <= {*said["scopes_supported"]}


async def test_without_tokens_there_are_no_metadata(settings: Settings) -> None:
    async with serving(settings) as client:
        problem(await client.get(METADATA), 404, "not_found")
