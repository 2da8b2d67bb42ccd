"""Prompts for the jobs of the day, and completions of what they and the resources ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from mcp.server import MCPServer, ServerRequestContext
from mcp.types import CompleteRequestParams, CompleteResult, Completion, ResourceTemplateReference
from pydantic import Field

from kai_erp.app import App
from kai_erp.connectors.parameters import LONGEST_TEXT
from kai_erp.mcp.arguments import Connector
from kai_erp.mcp.calling import caller_of
from kai_erp.mcp.untrusted import plain

_MOST_COMPLETIONS = 100  # the protocol allows no more
_CONNECTOR = "name"
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]


def add_prompts(server: MCPServer[App]) -> None:
    """Add the prompts."""
    server.prompt("shop_floor_review", "Shop-floor review")(shop_floor_review)
    server.prompt("late_order_review", "Late-order review")(late_order_review)
    server.prompt("shortage_check", "Shortage check")(shortage_check)


def shop_floor_review(
    work_center: Annotated[Text, Field(description="One work center; all when left out.")] = "",
) -> str:
    """What runs, what is behind, and what to do first, in one work center or all."""
    where = _given("work_center", work_center)
    return f"""Review the shop floor.
1. Call get_production_schedule with {where}limit=500.
2. From its totals: operations, how many are behind, hours remaining.
3. Name the operations that are behind with pieces to work on (qty_here above 0), by priority and job_due: these \
first. Then those that are behind and wait for pieces.
4. For those that supply a customer order (order_num), call get_open_orders late_only=true once and say who waits.
Close with the three things the supervisor should do now. Say as of when the data are, and repeat any warning."""


def late_order_review(
    customer: Annotated[Text, Field(description="One customer's number or name; all when left out.")] = "",
) -> str:
    """Which orders are late, for whom, worth how much, and which could ship from stock today."""
    whose = _given("customer", customer)
    return f"""Review late orders.
1. Call get_open_orders with {whose}late_only=true, limit=500.
2. From its totals: late orders, late lines, open amount.
3. Lines whose qty_on_hand covers qty_remaining can ship from stock; leave out orders on credit_hold or \
stopped, and say so. Several orders may compete for the same stock.
4. For items that are short, call get_production_schedule once with limit=500 and find the jobs by item.
Close with a list by customer: what ships today, what is being made and until when, what has no cover."""


def shortage_check(
    warehouse: Annotated[Text, Field(description="One warehouse; all when left out.")] = "",
) -> str:
    """Which items run low, what is coming, and which customer orders that threatens."""
    where = _given("warehouse", warehouse)
    return f"""Check shortages.
1. Call get_inventory_status with {where}low_stock_only=true, limit=500.
2. From its totals: items that run low, items out of stock.
3. Split them: covered by total_on_order or total_wip, and not covered.
4. Call get_open_orders with days_out=14, limit=500; name the orders that need items of the second group.
Close with what to buy or make first, and for which order."""


def _given(parameter: str, value: str) -> str:
    text = plain(value).strip()
    return f'{parameter}="{text}", ' if text else ""


def add_completions(server: MCPServer[App], connectors: Iterable[Connector]) -> None:
    """Complete connectors' names, and parameters from the values that answers have shown."""
    known = list(connectors)

    async def complete(context: ServerRequestContext[App, Any], params: CompleteRequestParams) -> CompleteResult:
        name, caller = params.argument.name, caller_of(context.request)
        if isinstance(params.ref, ResourceTemplateReference):
            values = [connector.name for connector in known] if name == _CONNECTOR else []
        else:
            values = _seen(server, [connector for connector in known if caller.may(connector.scope)], name)
        return CompleteResult(completion=_completion(values, params.argument.value))

    server._lowlevel_server.add_request_handler(  # noqa: SLF001  # the decorator hides who asks
        "completion/complete", CompleteRequestParams, complete
    )


def _seen(server: MCPServer[App], connectors: Iterable[Connector], parameter: str) -> list[str]:
    """Return the values of a parameter that answers of some connectors have shown."""
    app = getattr(server, "app", None)
    if not isinstance(app, App):
        return []
    asked = [connector.name for connector in connectors if parameter in connector.vocabulary]
    return sorted({plain(value) for name in asked for value in app.seen(name, parameter)}, key=str.casefold)


def _completion(values: list[str], typed: str) -> Completion:
    """Return the values that begin with what is typed, then those that contain it."""
    wanted = typed.strip().casefold()
    begin = [value for value in values if value.casefold().startswith(wanted)]
    within = [value for value in values if wanted in value.casefold() and value not in begin]
    found = [*begin, *within]
    return Completion(values=found[:_MOST_COMPLETIONS], total=len(found), has_more=len(found) > _MOST_COMPLETIONS)
