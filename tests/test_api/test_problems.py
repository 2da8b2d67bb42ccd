"""Every error is application/problem+json with a stable code, a way out, and the id of the request."""

import socket
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog

from kai_erp.api.main import create_app
from kai_erp.app import open_app
from kai_erp.config import Settings, load_settings
from kai_erp.logs import configure_logs
from kai_erp.simulator import Abort, Answer, Fault, RepeatBookmark, RunningSimulator, SimulatorOptions, Truncate
from tests.conftest import HandClock, SettingsFor, Simulate
from tests.test_api.serving import SCHEDULE, client_of, problem, put_behind, schedule, secrets_of, serving

Client = httpx2.AsyncClient
pytestmark = pytest.mark.usefixtures("without_waiting")


@pytest.mark.parametrize("path", ["/nothing", "/bedrock", "/bedrock/schedule/x", "/sales", "/static/none.js"])
async def test_an_unknown_path_is_not_found(idle: Client, path: str) -> None:
    body = problem(await idle.get(path), 404, "not_found")
    assert "/connectors" in body["suggestion"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", [SCHEDULE, "/health", "/connectors"])
async def test_other_methods_than_get_are_refused_with_allow(idle: Client, method: str, path: str) -> None:
    response = await idle.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize("accept", ["image/png", "text/html", "application/xml;q=1", "text/csv;q=0"])
async def test_a_format_that_we_do_not_have_is_not_acceptable(idle: Client, accept: str) -> None:
    body = problem(await idle.get(SCHEDULE, headers={"Accept": accept}), 406, "not_acceptable")
    assert "text/csv" in body["suggestion"]


@pytest.mark.parametrize("given", ["abc-123_x.Y", "0", "a" * 128])
async def test_a_request_id_is_given_back(idle: Client, given: str) -> None:
    for path in ("/health", "/nothing"):
        response = await idle.get(path, headers={"X-Request-ID": given})
        assert response.headers.get_list("x-request-id") == [given]
    assert response.json()["request_id"] == given


@pytest.mark.parametrize("given", [b"", b"a b", b"a" * 129, b"x\ty", b"<script>", b"\xe9", b'a"b', b"a,b"])
async def test_an_odd_request_id_is_replaced(idle: Client, given: bytes) -> None:
    response = await idle.get("/nothing", headers=[(b"X-Request-ID", given)])
    made = response.headers["x-request-id"]
    assert made.encode("latin-1") not in {given, b""}
    assert response.json()["request_id"] == made


async def test_each_request_gets_an_id_of_its_own(idle: Client) -> None:
    ids = {(await idle.get("/health")).headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["SL10_IONAPI_FILE", "SL10_CONFIG_NAME", "SL10_TIMEZONE"]),
        ({"sl10_config_name": "A", "sl10_timezone": "UTC"}, ["SL10_IONAPI_FILE"]),
        ({"sl10_ionapi_file": Path("x.ionapi"), "sl10_config_name": "A"}, ["SL10_TIMEZONE"]),
        (
            {"sl10_base_url": "https://erp", "sl10_timezone": "UTC", "sl10_config_name": "A"},
            ["SL10_USERNAME", "SL10_PASSWORD"],
        ),
    ],
)
async def test_without_an_erp_every_question_says_what_to_set(
    given: Mapping[str, Any], missing: list[str]
) -> None:
    async with serving(load_settings(given)) as client:
        body = problem(await client.get(SCHEDULE), 503, "not_configured")
    assert body["detail"] == f"No ERP is configured: {', '.join(missing)} not set"
    assert "--demo" in body["suggestion"]


async def test_too_many_rows_are_refused_with_the_filters_that_help(
    settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    async with serving(settings_for(simulator, rest_preferred_max=10, rest_hard_max=20)) as client:
        body = problem(await client.get(SCHEDULE, params={"include_completed": "true"}), 400, "volume_exceeded")
    assert "the limit is 20" in body["detail"]
    assert "work_center or job" in body["suggestion"]


async def test_a_token_that_is_refused_twice_is_our_fault_not_the_callers(
    client: Client, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(Fault(Answer(401), on="SLJobRoutes", times=None))
    problem(await client.get(SCHEDULE), 502, "upstream_auth")


async def test_a_token_that_is_refused_once_is_renewed(client: Client, simulator: RunningSimulator) -> None:
    await schedule(client, work_center="WELD")
    simulator.state.revoke_tokens()
    simulator.state.token_requests = 0
    await schedule(client, work_center="WELD")
    assert simulator.state.token_requests == 1


async def test_credentials_that_the_authorisation_server_refuses(
    client: Client, simulator: RunningSimulator
) -> None:
    refusal = Answer(401, {}, '{"error":"invalid_client"}', "application/json")
    simulator.state.faults.add(Fault(refusal, on="token", times=None))
    body = problem(await client.get(SCHEDULE), 502, "upstream_auth")
    assert "invalid_client" in body["detail"]


async def test_a_gateway_that_refuses_our_app(client: Client, simulator: RunningSimulator) -> None:
    simulator.state.faults.add(Fault(Answer(403), on="SLJobs", times=None))
    problem(await client.get(SCHEDULE), 502, "upstream_auth")


@pytest.mark.parametrize("name", ["SLJobs", "SLJobRoutes"])
async def test_a_required_collection_that_is_denied_is_named(
    client: Client, simulator: RunningSimulator, name: str
) -> None:
    simulator.state.deny(name)
    body = problem(await client.get(SCHEDULE), 502, "upstream_denied")
    assert name in body["detail"]
    assert f"Read privilege on the IDO {name}" in body["suggestion"]


@pytest.mark.parametrize(
    "action",
    [
        Truncate(),
        Answer(200, {}, "<html>Welcome</html>"),
        Answer(200, {}, '{"Items":null,"Success":false,"Message":"Es brennt"}', "application/json"),
        Answer(400, {}, "bad request", "text/plain"),
        Answer(302, {"Location": "https://elsewhere.example/"}),
    ],
    ids=["cut", "html", "fault", "bad request", "redirect"],
)
async def test_an_erp_that_answers_with_a_fault_or_nonsense(
    client: Client, simulator: RunningSimulator, action: Truncate | Answer
) -> None:
    simulator.state.faults.add(Fault(action, on="SLJobs", times=None))
    problem(await client.get(SCHEDULE), 502, "upstream_error")


async def test_a_bookmark_that_does_not_move_on_is_an_error_and_no_loop(
    simulator: RunningSimulator, settings_for: SettingsFor
) -> None:
    simulator.state.faults.add(Fault(RepeatBookmark(), on="SLJobRoutes", page=2, times=None))
    async with serving(settings_for(simulator, sl10_page_size=50)) as client:
        body = problem(await client.get(SCHEDULE), 502, "upstream_error")
    assert "bookmark" in body["detail"]


@pytest.mark.parametrize("action", [Answer(500), Answer(503), Answer(504), Abort(0)], ids=str)
async def test_an_erp_that_is_down_may_be_asked_again_later(
    client: Client, simulator: RunningSimulator, action: Answer | Abort
) -> None:
    simulator.state.faults.add(Fault(action, on="SLJobRoutes", times=None))
    response = await client.get(SCHEDULE)
    problem(response, 503, "upstream_unavailable")
    assert int(response.headers["retry-after"]) > 0


async def test_throttling_that_lasts_hands_its_retry_after_on(client: Client, simulator: RunningSimulator) -> None:
    simulator.state.faults.add(Fault(Answer(429, {"Retry-After": "90"}), on="SLJobRoutes", times=None))
    response = await client.get(SCHEDULE)
    problem(response, 503, "upstream_unavailable")
    assert response.headers["retry-after"] == "90"


async def test_a_passing_trouble_is_not_seen(client: Client, simulator: RunningSimulator) -> None:
    for action in (Answer(503), Truncate(), Abort(0.5), Answer(429, {"Retry-After": "0"})):
        simulator.state.faults.add(Fault(action, on="SLJobRoutes"))
    assert (await schedule(client, work_center="WELD"))["meta"]["warnings"] == []


async def test_an_erp_at_a_closed_port_cannot_be_reached(settings: Settings, tmp_path: Path) -> None:
    port = closed_port()
    file = tmp_path / "closed.ionapi"
    given = (settings.sl10_ionapi_file or Path()).read_text()
    address = next(part for part in given.split('"') if part.startswith("http://127.0.0.1"))
    file.write_text(given.replace(address.removesuffix("/DEMO_TRN/as/"), f"http://127.0.0.1:{port}"))
    async with serving(settings.model_copy(update={"sl10_ionapi_file": file})) as client:
        response = await client.get(SCHEDULE)
    problem(response, 503, "upstream_unavailable")
    assert "retry-after" in response.headers


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def test_a_question_that_takes_too_long_is_given_up(settings_for: SettingsFor, simulate: Simulate) -> None:
    slow = simulate(SimulatorOptions(latency_ms=5_000))
    async with serving(settings_for(slow, sl10_query_timeout_seconds=0.2)) as client:
        body = problem(await client.get(SCHEDULE), 503, "upstream_unavailable")
    assert "within 0.2 s" in body["detail"]


@pytest.fixture
async def defective(settings: Settings, clock: HandClock, now: datetime) -> AsyncIterator[Client]:
    """A client of a server in which nothing can be asked without meeting a defect."""
    api = create_app(settings)
    async with open_app(settings, clock=clock, now=lambda: now) as app, client_of(api) as opened:
        app.connectors.clear()
        put_behind(api, app)
        yield opened


async def test_a_defect_shows_its_request_id_and_nothing_of_itself(defective: Client) -> None:
    response = await defective.get(SCHEDULE, headers={"X-Request-ID": "mine"})
    body = problem(response, 500, "internal_error")
    assert body["request_id"] == "mine"
    for word in ("KeyError", "Traceback", "production_schedule", "/kai_erp/"):
        assert word not in response.text


async def test_a_defect_on_a_page_is_told_on_a_page(defective: Client) -> None:
    response = await defective.get("/", headers={"X-Request-ID": "mine", "Accept": "text/html"})
    assert (response.status_code, response.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "mine" in response.text
    for word in ("KeyError", "Traceback", "/kai_erp/"):
        assert word not in response.text


FAULTS = (None, Answer(401), Answer(403))


async def test_no_secret_and_no_token_is_in_any_answer_or_log(
    client: Client, simulator: RunningSimulator, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(settings.model_copy(update={"log_level": "DEBUG"}))
    try:
        seen = "".join([await everything(client, simulator, action) for action in FAULTS])
    finally:
        structlog.reset_defaults()
    logged = capsys.readouterr()
    assert "question failed" in logged.err
    for secret in [*secrets_of(simulator.ionapi()), "Bearer", "Basic"]:
        assert secret not in seen
        assert secret not in logged.err + logged.out


async def everything(client: Client, simulator: RunningSimulator, action: Answer | None) -> str:
    """Return all that a caller sees of the service while the ERP answers in some way."""
    simulator.state.faults.clear()
    if action is not None:
        simulator.state.faults.add(Fault(action, on="*", times=None))
    paths = [SCHEDULE, f"{SCHEDULE}?limit=0", "/ready", "/health", "/connectors", "/openapi.json", "/docs"]
    responses = [await client.get(path) for path in paths]
    return "".join(f"{response.headers}{response.text}" for response in responses)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8100", "127.0.0.1.evil.example"])
async def test_a_host_name_that_is_not_ours_is_not_served(idle: Client, host: str) -> None:
    for path in (SCHEDULE, "/health", "/docs", "/nothing"):
        body = problem(await idle.get(path, headers={"Host": host}), 421, "wrong_host")
        assert "ALLOWED_HOSTS" in body["suggestion"]


async def test_a_host_name_that_the_operator_lists_is_served(settings: Settings) -> None:
    listed = settings.model_copy(update={"allowed_hosts": ("kai.example",)})
    async with serving(listed) as client:
        assert (await client.get("/health", headers={"Host": "KAI.example:443"})).status_code == 200
