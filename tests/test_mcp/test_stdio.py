"""The MCP server over stdio: a real client, and stdout that carries the protocol only, whatever goes wrong."""

import json
import signal
import socket
from pathlib import Path
from textwrap import dedent

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import PromptReference
from typer.testing import CliRunner

from kai_erp.cli.assisting import Assistant, configuration
from kai_erp.cli.main import cli
from kai_erp.config import Settings, load_settings
from kai_erp.simulator import RunningSimulator, SimulatorOptions
from tests.conftest import SettingsFor, Simulate
from tests.test_mcp.connecting import (
    CUSTOMERS,
    ORDERS,
    SCHEDULE,
    VERSIONS,
    Era,
    Progress,
    ask,
    envelope,
    refused,
    said,
    until,
)
from tests.test_mcp.piping import AS_COMMAND, AS_MODULE, KAI_ERP, environment, failing, piped

NOISY = """
import os, sys
print("printed when it was imported")
os.write(1, b"written when it was imported\\n")
from kai_erp.connectors import CustomerSearch

class Noisy(CustomerSearch):
    name, path, tool, verb, scope = "noisy", "/noisy", "search_noisily", "noisy", "noisy:read"

    def get_rest_spec(self, query, moment):
        print("printed while a question was answered")
        os.write(1, b"written while a question was answered\\n")
        os.system("echo said by a child")
        if query.query == "defect":
            raise RuntimeError("a secret of the tool")
        return super().get_rest_spec(query, moment)
"""


def started(settings: Settings, *arguments: str, **more: str) -> StdioServerParameters:
    return StdioServerParameters(command=str(KAI_ERP), args=["mcp", *arguments], env=environment(settings, **more))


async def test_everything_that_there_is_works_over_pipes(
    simulate: Simulate, settings_for: SettingsFor, era: Era
) -> None:
    running, told = simulate(), Progress()
    async with Client(started(settings_for(running), SL10_MAX_CONCURRENCY="1"), mode=era) as client:
        assert client.protocol_version == VERSIONS[era]
        assert len((await client.list_tools()).tools) >= 4
        first = envelope(await client.call_tool(SCHEDULE, {"limit": 40}, progress_callback=told))
        second = await ask(client, SCHEDULE, limit=40, cursor=first["meta"]["next_cursor"])
        assert "limit: 0 given" in refused(await client.call_tool(SCHEDULE, {"limit": 0}))
        assert len((await client.read_resource("kai-erp://connectors")).contents) == 1
        assert len((await client.get_prompt("shortage_check", {})).messages) == 1
        found = await client.complete(
            PromptReference(name="shop_floor_review"), {"name": "work_center", "value": "WEL"}
        )
        read = await collections_read_after_breaking_off(client, running)
    assert first["data"][-1] != second["data"][0]
    assert "SLJobRoutes" in told.messages[-1]
    assert found.completion.values == ["WELD"]
    assert read[-1] == "SLCustAddrs"
    assert "SLJrtSchs" not in read


async def collections_read_after_breaking_off(client: Client, running: RunningSimulator) -> list[str | None]:
    """Break off a call as soon as the ERP is asked, put another one, and return what was read in all."""
    running.state.turn({"latency_ms": 50.0})
    running.state.forget_requests()
    async with anyio.create_task_group() as group:
        group.start_soon(client.call_tool, SCHEDULE, {})
        await until(lambda: len(running.state.requests) > 0)
        group.cancel_scope.cancel()
    await ask(client, CUSTOMERS, query="Alder", limit=1)
    return [request.collection for request in running.state.requests]


async def test_the_demo_needs_nothing_and_every_answer_says_that_it_is_one() -> None:
    command = StdioServerParameters(command=str(KAI_ERP), args=["mcp", "--demo"], env=environment())
    async with Client(command) as client:
        result = await client.call_tool(ORDERS, {"late_only": True, "limit": 2})
    assert "SIMULATED" in said(result)
    assert envelope(result)["meta"]["simulated"] is True


@pytest.mark.parametrize(
    ("command", "zone"), [(AS_COMMAND, "Mars"), (AS_MODULE, "UTC")], ids=["command", "module"]
)
def test_a_wrong_setting_or_file_is_one_line_on_stderr(
    command: tuple[str, ...], zone: str, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.ionapi"
    broken.write_text('{"ti": ')
    env = environment(SL10_TIMEZONE=zone, SL10_IONAPI_FILE=str(broken), SL10_CONFIG_NAME="x")
    code, out, err = failing(command, env)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("kai-erp: SL10_")
    assert "Mend the setting" in line


def test_what_others_print_never_reaches_stdout(tmp_path: Path, settings: Settings) -> None:
    """A connector of another package prints and fails wherever it can; the log is as talkative as it gets."""
    (tmp_path / "noisy.py").write_text(dedent(NOISY))
    info = tmp_path / "noisy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kai_erp.connectors]\nnoisy = noisy:Noisy\n")
    env = environment(settings, PYTHONPATH=str(tmp_path), LOG_LEVEL="DEBUG", PYTHONWARNINGS="always")
    with piped(AS_MODULE, env) as server:
        server.hello()
        assert "whole answer: total" in server.call(2, "search_noisily", query="Alder")
        told = server.call(3, "search_noisily", query="defect")
        assert "whole answer: total" in server.call(4, CUSTOMERS, query="Alder")
        server.process.send_signal(signal.SIGTERM)
        code, err = server.close()
    assert told.startswith("internal_error: ")
    assert "secret" not in told
    assert code == 0
    for noise in ("printed when", "written when", "printed while", "written while", "said by a child"):
        assert noise in err
    assert "a secret of the tool" in err


def test_an_erp_that_is_down_is_told_and_lines_that_are_no_messages_are_survived(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    env = environment(
        SL10_BASE_URL=f"http://127.0.0.1:{port}",
        SL10_USERNAME="u",
        SL10_PASSWORD="p4ssw0rd",
        SL10_CONFIG_NAME="x",
        SL10_TIMEZONE="UTC",
        SL10_QUERY_TIMEOUT_SECONDS="1",
        HOME=str(tmp_path),
    )
    with piped(AS_COMMAND, env) as server:
        server.hello()
        server.write('nonsense\n\n{"jsonrpc": "2.0"}\n[]\n\xff\n')
        told = server.call(2, ORDERS)
        server.process.send_signal(signal.SIGINT)
        code, err = server.close()
    assert told.startswith("upstream_unavailable: ")
    assert "p4ssw0rd" not in told + err
    assert "Traceback" not in err
    assert code == 0


def test_a_client_that_hangs_up_in_the_middle_of_a_call_leaves_nothing_behind(
    simulate: Simulate, settings_for: SettingsFor
) -> None:
    running = simulate(SimulatorOptions(latency_ms=300))
    with piped(AS_COMMAND, environment(settings_for(running), SL10_MAX_CONCURRENCY="1")) as server:
        server.hello()
        server.send("tools/call", 2, name=SCHEDULE, arguments={})
        while not running.state.requests:
            pass
        code, err = server.close()
    assert code == 0
    assert "outcome=cancelled" in err
    assert "Traceback" not in err
    assert len(running.state.requests) <= 2


def test_a_client_that_reads_no_longer_ends_it(settings: Settings) -> None:
    with piped(AS_COMMAND, environment(settings)) as server:
        server.hello()
        assert server.process.stdout is not None
        server.process.stdout.close()
        server.send("tools/list", 2)
        assert server.process.wait(20) == 0
        assert server.process.stderr is not None
        assert "Traceback" not in server.process.stderr.read()


@pytest.mark.parametrize("assistant", ["claude-desktop", "vscode", "cursor", "generic"])
def test_the_configuration_to_paste_starts_the_server(
    assistant: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    printed = CliRunner().invoke(cli, ["mcp", "--print-config", assistant])
    document = json.loads(printed.stdout)
    server = document.get("mcpServers", document.get("servers", {"kai-erp": document}))["kai-erp"]
    assert printed.exit_code == 0
    assert printed.stderr.startswith("Paste this into ")
    assert Path(server["command"]) == KAI_ERP
    assert server["args"] == ["mcp"]
    assert server["env"] == {
        "SL10_IONAPI_FILE": str(settings.sl10_ionapi_file),
        "SL10_CONFIG_NAME": settings.sl10_config_name,
        "SL10_TIMEZONE": settings.sl10_timezone,
    }


def test_the_configuration_of_the_demo_needs_no_variables_and_a_password_is_never_printed() -> None:
    direct = load_settings(
        {"sl10_base_url": "https://erp.example", "sl10_username": "reader", "sl10_password": "p4ssw0rd"}
    )
    assert "'env'" not in str(configuration(Assistant.CURSOR, direct, demo=True))
    shown = str(configuration(Assistant.VSCODE, direct, demo=False))
    assert "'SL10_USERNAME': 'reader', 'SL10_PASSWORD': '<SL10_PASSWORD>'" in shown
    assert "p4ssw0rd" not in shown
