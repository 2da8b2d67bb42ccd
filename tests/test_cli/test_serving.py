"""`kai-erp serve` and `kai-erp simulate`: what starts, what refuses to, and how it ends."""

import gc
import json
import re
import signal
import socket
import stat
from pathlib import Path

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from kai_erp.cli.serving import _Server
from kai_erp.simulator import SimulatorOptions
from tests.test_cli.commands import Run, started

ANYWHERE = "0.0.0.0"  # noqa: S104  # it is refused


def address(line: str) -> str:
    found = re.search(r"http://(\S+?):(\d+)", line)
    assert found
    return f"http://127.0.0.1:{found[2]}"


def test_the_demo_is_served_until_it_is_interrupted() -> None:
    with started("serve", "--demo", "--port", "0") as server:
        base = address(server.until("kai-erp "))
        answer = httpx2.get(f"{base}/bedrock/schedule?work_center=WELD&limit=2", timeout=30)
        assert answer.status_code == 200
        assert answer.json()["meta"]["simulated"] is True
        assert "server" not in answer.headers
        head = httpx2.head(f"{base}/", headers={"Accept": "text/html"}, timeout=30)
        assert (head.status_code, head.content) == (200, b"")
        assert server.stop() == 0


def test_a_server_without_an_erp_starts_says_what_to_set_and_ends_when_told_to() -> None:
    with started("serve", "--port", "0") as server:
        line = server.until("kai-erp ")
        assert "no ERP yet, set SL10_IONAPI_FILE, SL10_CONFIG_NAME, SL10_TIMEZONE" in line
        base = address(line)
        assert httpx2.get(f"{base}/health").json()["status"] == "ok"
        assert httpx2.get(f"{base}/bedrock/schedule").json()["code"] == "not_configured"
        assert httpx2.get(f"{base}/health", headers={"Host": "evil.example"}).status_code == 421
        assert server.stop(signal.SIGTERM) == 0


async def test_what_is_there_at_the_start_is_no_garbage_before_anybody_can_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[str] = []
    monkeypatch.setattr(gc, "freeze", lambda: events.append("freeze"))
    config = uvicorn.Config(FastAPI(), lifespan="off", log_config=None)
    config.load()
    server = _Server(config, lambda: events.append("greet"), lambda: events.append("stop streams"))
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.startup(sockets=[listener])
        await server.shutdown(sockets=[listener])
    assert events == ["freeze", "greet", "stop streams"]


def test_headers_without_end_are_refused_before_they_fill_the_memory() -> None:
    with started("serve", "--port", "0") as server:
        host, port = address(server.until("kai-erp ")).removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as caller:
            caller.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 100_000)
            assert caller.recv(1_000).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("host", [ANYWHERE, "::", "192.0.2.1"])
def test_everybody_is_not_served_by_accident(run: Run, host: str) -> None:
    outcome = run("serve", "--demo", "--host", host)
    assert outcome.code == 2
    assert f"HOST is '{host}'" in outcome.line()
    assert "ALLOW_ANONYMOUS=true" in outcome.line()


def test_a_host_from_the_environment_is_refused_likewise(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", ANYWHERE)
    assert run("serve").code == 2


def test_access_control_that_lacks_what_it_needs_stops_the_start(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH_MODE", "oauth")
    outcome = run("serve", "--port", "0")
    assert outcome.code == 2
    assert "AUTH_MODE is 'oauth', which needs OAUTH_ISSUER" in outcome.line()


@pytest.mark.parametrize(("name", "value"), [("REDIS_URL", "http://x"), ("SL10_IONAPI_FILE", "/no/such.ionapi")])
def test_what_cannot_be_opened_stops_the_start_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("SL10_CONFIG_NAME", "ACME")
    monkeypatch.setenv("SL10_TIMEZONE", "UTC")
    monkeypatch.setenv(name, value)
    outcome = run("serve", "--port", "0")
    assert outcome.code == 2
    assert name in outcome.line()


def test_a_port_that_is_taken_stops_the_start(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        outcome = run("serve", "--port", str(port))
    assert outcome.code == 2
    assert f"Cannot listen on 127.0.0.1 port {port}" in outcome.line()


@pytest.mark.parametrize("arguments", [("--port", "65536"), ("--port", "http"), ("--demo=yes",)])
def test_wrong_usage_of_serve_is_exit_code_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("serve", *arguments).code == 2


def test_the_simulator_alone_writes_credentials_that_lead_to_it(tmp_path: Path) -> None:
    file = tmp_path / "demo.ionapi"
    with started("simulate", "--port", "0", "--ionapi-out", str(file)) as simulator:
        base = address(simulator.until("plant is at"))
        simulator.until("Ctrl-C")
        document = json.loads(file.read_text())
        assert document["iu"] == base
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        said = "".join(simulator.said)
        assert f"SL10_IONAPI_FILE={file}" in said
        assert f"SL10_CONFIG_NAME={SimulatorOptions().configurations[0]}" in said
        assert "SL10_TIMEZONE=America/Chicago" in said
        assert document["cs"] not in said
        form = {"grant_type": "password", "username": document["saak"], "password": document["sask"]}
        url = f"{document['pu']}{document['ot']}"
        assert httpx2.post(url, data=form, auth=(document["ci"], document["cs"])).status_code == 200
        assert simulator.stop() == 0


def test_an_existing_credentials_file_becomes_private(tmp_path: Path) -> None:
    file = tmp_path / "old.ionapi"
    file.touch(mode=0o644)
    with started("simulate", "--port", "0", "--ionapi-out", str(file)) as simulator:
        simulator.until("Ctrl-C")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_scale_that_there_is_not_is_wrong_usage(run: Run) -> None:
    assert run("simulate", "--scale", "huge").code == 2


def test_a_simulator_at_a_port_that_is_taken_fails_in_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        outcome = run("simulate", "--port", str(listener.getsockname()[1]))
    assert outcome.code == 2
    assert outcome.line().startswith("kai-erp: ")


def test_credentials_that_cannot_be_written_fail_in_one_line(run: Run, tmp_path: Path) -> None:
    outcome = run("simulate", "--port", "0", "--ionapi-out", str(tmp_path / "none" / "demo.ionapi"))
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith("kai-erp: ")


def test_a_demo_beside_an_erp_that_is_set_says_that_it_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SL10_IONAPI_FILE", "/nowhere/tenant.ionapi")
    monkeypatch.setenv("SL10_CONFIG_NAME", "ACME")
    monkeypatch.setenv("SL10_TIMEZONE", "UTC")
    with started("serve", "--demo", "--port", "0") as server:
        assert "the ERP that is set is not asked" in server.until("warning")
        server.until("a simulated plant")
