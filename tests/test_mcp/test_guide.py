"""What the guide and the registry's file say is so."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from kai_erp import __version__
from kai_erp.cli.assisting import Assistant, configuration
from kai_erp.config import Settings, load_settings
from kai_erp.mcp.server import KaiErpMcpServer

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "connect-an-assistant.md").read_text(encoding="utf-8")
CONFIGURATIONS = [
    json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
]
COMMAND = "/home/you/kai-erp/.venv/bin/kai-erp"


def printed(assistant: Assistant, *, demo: bool) -> dict[str, Any]:
    """Return what the command prints, for somebody whose files lie where the guide's do."""
    settings = load_settings(
        {
            "sl10_ionapi_file": "/home/you/backend-service.ionapi",
            "sl10_config_name": "ACME_TRN_MAIN",
            "sl10_timezone": "America/Chicago",
        }
    )
    text = json.dumps(configuration(assistant, settings, demo=demo))
    document: dict[str, Any] = json.loads(re.sub(r'"command": "[^"]*"', f'"command": "{COMMAND}"', text))
    return document


@pytest.mark.parametrize(
    ("assistant", "demo"),
    [
        (Assistant.CLAUDE_DESKTOP, True),
        (Assistant.CURSOR, True),
        (Assistant.VSCODE, True),
        (Assistant.CLAUDE_DESKTOP, False),
    ],
)
def test_the_guide_shows_what_the_command_prints(assistant: Assistant, demo: bool) -> None:
    assert printed(assistant, demo=demo) in CONFIGURATIONS


async def test_the_guide_names_every_tool_and_prompt_and_no_others() -> None:
    async with Client(KaiErpMcpServer(load_settings())) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
    named = set(re.findall(r"`((?:get|search)_\w+|\w+_(?:review|check))`", GUIDE))
    assert named == tools | prompts


def test_the_guide_names_settings_that_exist() -> None:
    assert {name.lower() for name in re.findall(r"\b(?:SL10|CORS)_\w+", GUIDE)} <= Settings.model_fields.keys()


def test_the_registry_starts_this_version_with_settings_that_exist() -> None:
    document = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    (package,) = document["packages"]
    assert len(document["description"]) <= 100
    assert document["version"] == package["version"] == __version__
    assert package["identifier"] == "kai-erp"
    assert [argument["value"] for argument in package["packageArguments"]] == ["mcp"]
    names = [entry["name"].lower() for entry in package["environmentVariables"]]
    assert names == ["sl10_ionapi_file", "sl10_config_name", "sl10_timezone"]
