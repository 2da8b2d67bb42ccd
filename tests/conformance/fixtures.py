"""`kai-erp serve --demo` with what the official conformance suite looks for by name; for tests only.

Requests go through everything that the shipped server puts before its tools. Only what a server of ours has no use
for is added: things of every kind to be listed and called, and the handlers of the older era that it leaves out.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import Annotated, Any

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context, Image, UserMessage
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.types import (
    AudioContent,
    EmbeddedResource,
    EmptyResult,
    JSONRPCMessage,
    RequestParams,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import Field
from starlette.applications import Starlette

import kai_erp.mcp.server as shipped
from kai_erp.app import App
from kai_erp.cli.serving import serve
from tests.conformance.asking import add_asking

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="
_PAUSE = 0.05  # the suite wants what is sent during a call to arrive apart
_RETRY_MS = 100
_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
Call = Context[App, Any]


class FixtureServer(shipped.KaiErpMcpServer):
    """The shipped server, with the fixtures."""

    def __init__(self, *, app: App) -> None:
        super().__init__(app=app)
        _add_content(self)
        _add_changes(self)
        _add_resources(self)
        _add_prompts(self)
        _add_older_handlers(self)
        add_asking(self)

    def streamable_http_app(self, **given: Any) -> Starlette:  # noqa: ANN401  # whatever the base class takes
        """Return the app, which lets a client take up a broken stream again."""
        return super().streamable_http_app(event_store=_Events(), retry_interval=_RETRY_MS, **given)


class _Events(EventStore):
    """What has been sent, numbered from 0."""

    def __init__(self) -> None:
        self._sent: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self._sent.append((stream_id, message))
        return str(len(self._sent) - 1)

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        last = int(last_event_id)
        stream = self._sent[last][0]
        for number, (other, message) in enumerate(self._sent[last + 1 :], last + 1):
            if other == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def test_simple_text() -> str:
    """Return a text."""
    return "Nothing but text."


def test_image_content() -> Image:
    """Return an image."""
    return Image(data=b64decode(_PIXEL), format="png")


def test_audio_content() -> AudioContent:
    """Return a sound."""
    return AudioContent(data=_SILENCE, mime_type="audio/wav")


def test_embedded_resource() -> EmbeddedResource:
    """Return a resource."""
    return _embedded("test://embedded-resource", "text/plain", "A resource within an answer.")


def test_multiple_content_types() -> list[TextContent | Image | EmbeddedResource]:
    """Return a text, an image and a resource."""
    return [
        TextContent(text="Of several kinds:"),
        test_image_content(),
        _embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ]


def test_error_handling() -> str:
    """Fail."""
    raise ToolError("This tool fails on purpose.")


async def test_tool_with_logging(ctx: Call) -> str:
    """Send three messages to the client's log."""
    for text in ("started", "half-way", "done"):
        await ctx.session.send_log_message("info", text, related_request_id=ctx.request_id)
        await asyncio.sleep(_PAUSE)
    return "Logged."


async def test_tool_with_progress(ctx: Call) -> str:
    """Report progress three times."""
    for percent in (0, 50, 100):
        await ctx.report_progress(percent, 100)
        await asyncio.sleep(_PAUSE)
    return "Done."


async def test_reconnection(ctx: Call) -> str:
    """Close the stream before the answer, which then waits for the client to come back."""
    await ctx.close_sse_stream()
    await asyncio.sleep(2 * _PAUSE)
    return "Taken up again."


def test_x_mcp_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
) -> str:
    """Return an argument that is sent as a header too."""
    return region


def json_schema_2020_12_tool(name: str = "") -> str:
    """Have a schema of many words."""
    return name


def test_changing() -> str:
    """Be there or not."""
    return "Here."


def _embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def _add_content(server: FixtureServer) -> None:
    for tool in (
        test_simple_text,
        test_image_content,
        test_audio_content,
        test_embedded_resource,
        test_multiple_content_types,
        test_error_handling,
        test_tool_with_logging,
        test_tool_with_progress,
        test_reconnection,
        test_x_mcp_header,
        json_schema_2020_12_tool,
    ):
        server.add_tool(tool, structured_output=False)
    server.add_tool(test_tool_with_logging, "test_logging_tool", structured_output=False)
    schematic = server._tool_manager.get_tool(json_schema_2020_12_tool.__name__)
    assert schematic
    schematic.parameters = _SCHEMA


def _add_changes(server: FixtureServer) -> None:
    """Add tools that change which tools and prompts there are, and say so."""

    async def test_trigger_tool_change(ctx: Call) -> str:
        """Add a tool and take it away."""
        server.add_tool(test_changing, structured_output=False)
        server.remove_tool(test_changing.__name__)
        await ctx.notify_tools_changed()
        return "Changed."

    async def test_trigger_prompt_change(ctx: Call) -> str:
        """Add a prompt and take it away."""
        server.prompt(test_changing.__name__)(test_changing)
        server.remove_prompt(test_changing.__name__)
        await ctx.notify_prompts_changed()
        return "Changed."

    server.add_tool(test_trigger_tool_change, structured_output=False)
    server.add_tool(test_trigger_prompt_change, structured_output=False)


def _add_resources(server: FixtureServer) -> None:
    @server.resource("test://static-text", mime_type="text/plain")
    def static_text() -> str:
        """A text."""
        return "What the text says."

    @server.resource("test://static-binary", mime_type="image/png")
    def static_binary() -> bytes:
        """An image."""
        return b64decode(_PIXEL)

    @server.resource("test://watched-resource", mime_type="text/plain")
    def watched_resource() -> str:
        """A text to be watched."""
        return "What the watched text says."

    @server.resource("test://template/{id}/data", mime_type="application/json")
    def template(id: str) -> dict[str, object]:  # noqa: A002  # the suite's name
        """What is known of a thing."""
        return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


def _add_prompts(server: FixtureServer) -> None:
    @server.prompt()
    def test_simple_prompt() -> str:
        """Say one thing."""
        return "A prompt without arguments."

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        """Say what is given."""
        return f"A prompt with '{arg1}' and '{arg2}'."

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803  # the suite's name
        """Show a resource."""
        return [UserMessage(_embedded(resourceUri, "text/plain", "A resource.")), UserMessage("Read it.")]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """Show an image."""
        return [UserMessage(test_image_content()), UserMessage("Look at it.")]


def _add_older_handlers(server: FixtureServer) -> None:
    """Accept what the newer era has no more, and the shipped server never offers."""

    async def accept(_: ServerRequestContext[App, Any], __: RequestParams) -> EmptyResult:
        return EmptyResult()

    add = server._lowlevel_server.add_request_handler
    add("logging/setLevel", SetLevelRequestParams, accept)
    add("resources/subscribe", SubscribeRequestParams, accept)
    add("resources/unsubscribe", UnsubscribeRequestParams, accept)


def main() -> None:
    """Serve on a free port, and say on stderr which."""
    shipped.KaiErpMcpServer = FixtureServer  # type: ignore[assignment, misc]  # `/mcp` makes its server of this class
    serve(demo=True, host="127.0.0.1", port=0)


if __name__ == "__main__":
    main()
