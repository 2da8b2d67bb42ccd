"""Deliver an answer as a fault has it: late, in drops, cut short, or not at all."""

import asyncio
import json

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kai_erp.simulator.faults import Abort, Action, Answer, Drip, DropBookmark, RepeatBookmark, Truncate

TRANSPORT = "simulator.transport"
"""The key of the ASGI scope under which the server leaves the connection, so that it can be cut."""


class _AbortedResponse(Response):
    """Sends a part of the body, then cuts the connection."""

    share = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = bytes(self.body)[: int(len(self.body) * self.share)]
        if sent:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": sent, "more_body": True})
            await asyncio.sleep(0)
        transport = scope.get(TRANSPORT)
        if transport is None:
            raise ConnectionResetError("the simulator cut the connection")
        # What was written must leave before the cut; an abort would drop it.
        await (_close(transport) if sent else _abort(transport))
        await receive()


async def _close(transport: asyncio.Transport) -> None:
    transport.close()
    await asyncio.sleep(0)


async def _abort(transport: asyncio.Transport) -> None:
    transport.abort()
    await asyncio.sleep(0)


class _DrippedResponse(Response):
    """Sends the body in pieces with pauses."""

    drip = Drip()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body = bytes(self.body)
        size = max(1, -(-len(body) // self.drip.pieces))
        for start in range(0, len(body), size):
            await asyncio.sleep(self.drip.seconds)
            more = start + size < len(body)
            await send({"type": "http.response.body", "body": body[start : start + size], "more_body": more})


def spoil(response: Response, action: Action | None, bookmark: str | None) -> Response:
    """Return the response as the action delivers it; `bookmark` is the one that the request carried."""
    if isinstance(action, Answer):
        return Response(action.body, action.status, dict(action.headers), action.media_type)
    if isinstance(action, RepeatBookmark):
        return _rewritten(response, bookmark)
    if isinstance(action, DropBookmark):
        return _rewritten(response, None)
    return _broken(response, action)


def _broken(response: Response, action: Action | None) -> Response:
    body, status, kind = bytes(response.body), response.status_code, response.media_type
    kept = {name: value for name, value in response.headers.items() if name == "content-encoding"}
    if isinstance(action, Truncate):
        return Response(body[: int(len(body) * action.share)], status, kept, kind)
    if isinstance(action, Abort):
        aborted = _AbortedResponse(body, status, kept, kind)
        aborted.share = action.share
        return aborted
    if isinstance(action, Drip):
        dripped = _DrippedResponse(body, status, kept, kind)
        dripped.drip = action
        return dripped
    return response


def _rewritten(response: Response, bookmark: str | None) -> Response:
    answer = json.loads(bytes(response.body))
    if "Items" not in answer:
        return response
    answer |= {"Bookmark": bookmark, "MoreRowsExist": True}
    return Response(json.dumps(answer), response.status_code, None, response.media_type)
