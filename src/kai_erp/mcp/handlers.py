"""A call of a tool: check what is asked, ask the app, shape the answer."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine, Mapping
from datetime import tzinfo
from typing import Any, TypeVar

import anyio
import structlog
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, TextContent

from kai_erp import formats
from kai_erp.app import Answer, App, Asked
from kai_erp.core.types import CollectionReport
from kai_erp.errors import ConfigurationError, CursorExpired, InvalidParameter, KaiErpError
from kai_erp.mcp.arguments import Connector, WrongArguments, asked_by
from kai_erp.mcp.calling import caller_of
from kai_erp.mcp.rendering import rendered
from kai_erp.mcp.untrusted import plain, plain_values

_LAST_WORD_SECONDS = 1.0
_CLEANING_UP_SECONDS = 10.0
_BEFORE_READING = (ConfigurationError, CursorExpired, InvalidParameter, WrongArguments)
T = TypeVar("T")
log = structlog.get_logger(__name__)


async def answer_call(
    connector: Connector, arguments: Mapping[str, Any], context: Context[App, Any]
) -> CallToolResult:
    """Return the answer to a call; an error says what to do, and its details go to the log only."""
    call, started = uuid.uuid4().hex[:12], time.perf_counter()
    app: App = context.request_context.lifespan_context
    outcome = "cancelled"
    with structlog.contextvars.bound_contextvars(call=call):
        try:
            caller = caller_of(context.request_context.request)
            answer = await _ask(app, asked_by(connector, arguments, caller), context)
            outcome = "answered"
            return result(answer, connector, app.settings.zone)
        except KaiErpError as failure:
            outcome = failure.code
            log.warning("question failed", code=failure.code, reason=str(failure))
            return refusal(told(failure))
        except Exception:  # the outermost handler of a call
            outcome = "internal_error"
            log.exception("defect")
            return refusal(
                f"internal_error: a defect in kai-erp kept it from answering. Report it with call {call}."
            )
        finally:
            ms = round((time.perf_counter() - started) * 1000, 1)
            log.info("call", tool=connector.tool, outcome=outcome, ms=ms)


def result(answer: Answer, connector: Connector, zone: tzinfo) -> CallToolResult:
    """Return an answer as a tool's result: the envelope, and a text that a model reads."""
    envelope = {
        "data": plain_values(formats.rows(answer.records, zone)),  # type: ignore[arg-type]  # JSON as it is read
        "summary": plain_values(connector.summary.model_validate(answer.summary).model_dump(mode="json")),
        "meta": plain_values(answer.meta.model_dump(mode="json")),
    }
    text = rendered(answer, connector, zone)
    return CallToolResult(content=[TextContent(text=text)], structured_content=envelope)


def refusal(text: str) -> CallToolResult:
    """Return an error that a model can act on."""
    return CallToolResult(content=[TextContent(text=plain(text))], is_error=True)


def told(failure: KaiErpError) -> str:
    """Return what happened, what to do, and that nothing was read when nothing was."""
    unread = " Nothing was read from the ERP." if isinstance(failure, _BEFORE_READING) else ""
    return f"{failure.code}: {str(failure).rstrip('.')}. {failure.suggestion}{unread}"


async def _ask(app: App, asked: Asked, context: Context[App, Any]) -> Answer:
    """Return the answer, telling the client of each page that is read for it."""
    read: asyncio.Queue[CollectionReport | None] = asyncio.Queue()
    teller = asyncio.create_task(_tell(read, context))
    try:
        answer = await _apart(app.ask(asked, read.put_nowait))
        read.put_nowait(None)
        await asyncio.wait({teller}, timeout=_LAST_WORD_SECONDS)
        return answer
    finally:
        teller.cancel()


async def _apart(work: Coroutine[Any, Any, T]) -> T:
    """Return what some work gives, done by a task of its own; when the wait is cancelled, so is the work, once.

    The SDK cancels at every step until a handler ends, which would break off what the work does to clean up.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
        return task.result()
    finally:
        task.cancel()
        with anyio.move_on_after(_CLEANING_UP_SECONDS, shield=True):
            await asyncio.gather(task, return_exceptions=True)


async def _tell(read: asyncio.Queue[CollectionReport | None], context: Context[App, Any]) -> None:
    rows: dict[str, int] = {}
    step = 0
    while (report := await read.get()) is not None:
        step += 1
        rows[report.collection] = max(rows.get(report.collection, 0), report.rows)
        message = ", ".join(f"{name} {count:,}" for name, count in rows.items())
        await context.report_progress(step, message=f"Rows read: {message}")
