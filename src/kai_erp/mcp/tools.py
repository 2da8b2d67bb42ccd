"""The tools: one for each connector, made from its declaration.

Definitions are sent to the model with every conversation, so they say each thing once: what a name says already is
not described, and what never changes the next step is left out of the output schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp.types import CallToolResult, ToolAnnotations

from kai_erp.app import App
from kai_erp.mcp.arguments import Connector, arguments_model
from kai_erp.mcp.handlers import answer_call
from kai_erp.mcp.schemas import Schema, arguments_schema, shape

_META: Schema = {"type": "object", "properties": {"next_cursor": {"type": ["string", "null"]}}}
_NEXT = {
    "production_schedule": "Next: get_open_orders order=order_num for who waits, "
    "get_inventory_status item= for stock.",
    "open_orders": "Next: get_inventory_status item= for stock elsewhere, get_production_schedule for the jobs "
    "that make it.",
    "customer_search": "Next: get_open_orders customer=customer_num.",
    "inventory_status": "Next: get_open_orders item= for who needs it.",
}
_COUNTED = "Totals cover the whole answer: count from them, don't page."


class ConnectorTool(Tool):
    """A connector as a tool: it checks its arguments itself, so that what is wrong is said in our words."""

    async def run(
        self,
        arguments: dict[str, Any],
        context: Context[Any, Any],
        convert_result: bool = False,  # noqa: ARG002  # the result is one already
    ) -> CallToolResult:
        """Return the answer to a call; what goes wrong is an answer too."""
        result: CallToolResult = await self.fn(arguments, context)
        return result


def connector_tools(connectors: Iterable[Connector]) -> list[Tool]:
    """Return a tool for each connector."""
    return [_tool(connector) for connector in connectors]


def _tool(connector: Connector) -> ConnectorTool:
    async def answer(arguments: Mapping[str, Any], context: Context[App, Any]) -> CallToolResult:
        return await answer_call(connector, arguments, context)

    return ConnectorTool(
        fn=answer,
        name=connector.tool,
        title=connector.title,
        description=_description(connector),
        parameters=arguments_schema(arguments_model(connector)),
        fn_metadata=FuncMetadata(arg_model=ArgModelBase, output_schema=_output_schema(connector)),
        is_async=True,
        annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False),
    )


def _description(connector: Connector) -> str:
    example = json.dumps(connector.example.model_dump(exclude_defaults=True), ensure_ascii=False)
    parts = (connector.description, _NEXT.get(connector.name, ""), _COUNTED, f"Example: {example}")
    return " ".join(part for part in parts if part)


def _output_schema(connector: Connector) -> Schema:
    return {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": shape(connector.record)},
            "summary": shape(connector.summary),
            "meta": _META,
        },
        "required": ["data", "summary", "meta"],
    }
