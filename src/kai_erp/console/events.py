"""Telling pages when what they show has been read anew: one reading for all who look at the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from kai_erp.access.limits import Places
from kai_erp.api.problems import answer_to, problem_of
from kai_erp.api.requests import CallerGone, while_connected
from kai_erp.api.rooms import EVENTS_PATH, with_cookie
from kai_erp.api.security import Keeping, caller_of
from kai_erp.app import Asked
from kai_erp.console.asking import query_of
from kai_erp.console.pages import app_of
from kai_erp.console.tables import number_of
from kai_erp.core.types import DataSource
from kai_erp.errors import AccessError, InvalidParameter, KaiErpError
from kai_erp.questions import Look

router = APIRouter(include_in_schema=False)
SHORTEST_SECONDS, LONGEST_SECONDS = 60, 3600
_HEARTBEAT_SECONDS = 20.0
_EACH, _ALL = 40, 200
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Streams:
    """The open streams of one server: so many for each caller, and so many in all."""

    def __init__(self, each: int = _EACH, most: int = _ALL) -> None:
        self.stopping = asyncio.Event()
        self._each, self._all = Places(each), Places(most)

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Hold a place within the context. Raises RateLimited when all places are taken, or all of a caller's."""
        with self._all.held("all"), self._each.held(name) if name else nullcontext():
            yield

    @property
    def taken(self) -> int:
        """How many are open."""
        return self._all.taken("all")

    def stop(self) -> None:
        """End the streams, which would go on for ever."""
        self.stopping.set()


@router.get(EVENTS_PATH)
async def events(request: Request) -> Response:
    """Send an event each time that the answer to a page's question has been read anew."""
    streams: Streams = request.app.state.streams
    try:
        asked, every = _asked(request), _every(request)
        with streams.held(asked.caller.name):
            pass
    except KaiErpError as error:
        return answer_to(request, error)
    sent = _sent(request, streams, asked, every)
    return StreamingResponse(sent, media_type="text/event-stream", headers=_HEADERS)


async def _sent(request: Request, streams: Streams, asked: Asked, every: int) -> AsyncIterator[bytes]:
    with suppress(CallerGone, AccessError), streams.held(asked.caller.name):
        shown = request.query_params.get("at", "")
        wait = max(every - _age(shown), 1.0)
        while True:
            async for beat in _waiting(request, streams, wait):
                yield beat
            if streams.stopping.is_set():
                return
            await _check_still_welcome(request)
            kind, told, age = await while_connected(request, _read(request, asked))
            if told.get("as_of") != shown:
                yield f"event: {kind}\ndata: {json.dumps(told)}\n\n".encode()
            shown, wait = told.get("as_of", shown), max(every - age, every / 2)


async def _waiting(request: Request, streams: Streams, seconds: float) -> AsyncIterator[bytes]:
    """Yield now and then, to show that the stream lives, until the time has passed or streams are to end."""
    until = asyncio.get_running_loop().time() + seconds
    while (left := until - asyncio.get_running_loop().time()) > 0 and not streams.stopping.is_set():
        with suppress(TimeoutError):
            stop = asyncio.wait_for(streams.stopping.wait(), min(left, _HEARTBEAT_SECONDS))
            await while_connected(request, stop)
        yield b": waiting\n\n"


async def _read(request: Request, asked: Asked) -> tuple[str, dict[str, str], float]:
    """Return what to tell of a reading that is as new as the page wants, and its age."""
    try:
        answer = await app_of(request).ask(asked)
    except AccessError:
        raise
    except KaiErpError as error:
        problem = problem_of(request, error)
        return "failed", {"title": problem.title, "suggestion": problem.suggestion}, 0.0
    meta = answer.meta
    age = _age(meta.as_of.isoformat()) if meta.source is DataSource.REST else 0.0
    return "read", {"as_of": meta.as_of.isoformat()}, age


async def _check_still_welcome(request: Request) -> None:
    """Raise AuthRequired when the key that opened the stream is good no more."""
    guarded: Keeping = request.app.state.guarded
    await guarded.doorkeeper.admit(with_cookie(request.scope)["headers"])


def _asked(request: Request) -> Asked:
    given = request.query_params
    connector = given.get("connector", "")
    if connector not in app_of(request).connectors:
        raise InvalidParameter("connector", "names no connector")
    caller = caller_of(request)
    caller.check(app_of(request).connectors[connector].scope)
    query = query_of(request, connector, given)
    return Asked(connector, query, caller=caller, look=Look(_every(request) - 1.0))


def _every(request: Request) -> int:
    return max(SHORTEST_SECONDS, number_of(request.query_params.get("every"), SHORTEST_SECONDS, LONGEST_SECONDS))


def _age(at: str) -> float:
    """Return how long ago a moment was, in seconds; 0 for what is none."""
    try:
        return max((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0
