"""The same question from elsewhere: as a command, as a program, as a tool's call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote

from kai_erp.access.modes import AccessMode
from kai_erp.app import Asked
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Freshness
from kai_erp.mcp.arguments import LARGEST_LIMIT
from kai_erp.mcp.http import PATH

_HEADERS: Mapping[AccessMode, str] = {
    "api_key": '"X-API-Key: $KAI_ERP_KEY"',
    "oauth": '"Authorization: Bearer $KAI_ERP_TOKEN"',
}
_PROGRAM = """\
import kai_erp

with kai_erp.connect_sync({demo}) as erp:
    answer = erp.{verb}({arguments})

print(answer.summary)
print(answer.to_pandas())
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a question is put from elsewhere: the text to copy, and what must be known about it."""

    name: str
    title: str
    text: str
    note: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where the question can be put: the server's address, how it asks who comes, and whether it is a demo."""

    base: str
    mode: AccessMode
    simulated: bool


def recipes(asked: Asked, connector: BaseConnector[ConnectorQuery], place: Place) -> list[Recipe]:
    """Return the recipes for a question."""
    return [_curl(asked, connector, place), _python(asked, connector, place), _mcp(asked, connector, place)]


def _curl(asked: Asked, connector: BaseConnector[ConnectorQuery], place: Place) -> Recipe:
    address = quote(place.base.rstrip("/") + connector.path)
    header = [f"-H {_HEADERS[place.mode]}"] if place.mode in _HEADERS else []
    pairs = (_parameters(asked) | _page(asked, asked.limit)).items()
    data = [f"--data-urlencode {quote(f'{name}={_text(value)}')}" for name, value in pairs]
    text = " \\\n  ".join([f"curl --silent --show-error --get {address}", *header, *data])
    variable = "KAI_ERP_TOKEN" if place.mode == "oauth" else "KAI_ERP_KEY"
    note = f"Put your key or token into the variable {variable} first." if header else ""
    return Recipe("curl", "curl", text, note)


def _python(asked: Asked, connector: BaseConnector[ConnectorQuery], place: Place) -> Recipe:
    arguments = ", ".join(f"{name}={value!r}" for name, value in _parameters(asked).items())
    text = _PROGRAM.format(
        demo="demo=True" if place.simulated else "",
        verb=connector.verb.replace("-", "_"),
        arguments=arguments,
    )
    source = (
        "a simulated plant of its own" if place.simulated else "the ERP itself, by the settings of its environment"
    )
    note = f"This asks {source}, and always gives the whole answer. DataFrames need the extra kai-erp[pandas]."
    return Recipe("python", "Python", text, note)


def _mcp(asked: Asked, connector: BaseConnector[ConnectorQuery], place: Place) -> Recipe:
    arguments = _parameters(asked) | _page(asked, min(asked.limit, LARGEST_LIMIT))
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": connector.tool, "arguments": arguments},
    }
    less = f" A tool gives {LARGEST_LIMIT} records at once at most." if asked.limit > LARGEST_LIMIT else ""
    note = f"What an assistant sends to {place.base.rstrip('/')}{PATH}.{less}"
    return Recipe("mcp", "MCP tools/call", json.dumps(call, indent=2, ensure_ascii=False), note)


def _parameters(asked: Asked) -> dict[str, object]:
    """Return what was put into the form and differs from what goes without saying."""
    fresh = {} if asked.freshness is Freshness.REALTIME else {"freshness": asked.freshness.value}
    return asked.query.model_dump(mode="json", exclude_defaults=True) | fresh


def _page(asked: Asked, limit: int) -> dict[str, object]:
    return {"limit": limit} | ({"cursor": asked.cursor} if asked.cursor else {})


def _text(value: object) -> str:
    """Return a value as an address holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
