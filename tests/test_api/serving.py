"""The server within the process, asked over HTTP without a socket."""

import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI

from kai_erp.access.doorkeeping import Doorkeeper
from kai_erp.access.limits import InboundLimits
from kai_erp.api.main import create_app
from kai_erp.api.security import Keeping
from kai_erp.app import App
from kai_erp.config import Settings

SCHEDULE = "/bedrock/schedule"
JSON = "application/json"
JSONL = "application/jsonl"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
PROBLEM = "application/problem+json"

Body = dict[str, Any]


@asynccontextmanager
async def serving(settings: Settings, *, simulated: bool = False) -> AsyncIterator[httpx2.AsyncClient]:
    """Start a server, yield a client of it, and stop it."""
    api = create_app(settings, simulated=simulated)
    async with api.router.lifespan_context(api), client_of(api) as client:
        yield client


def client_of(api: FastAPI) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(api, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8100", timeout=60)


def put_behind(api: FastAPI, app: App) -> None:
    """Let a server that was not started answer from an app, whoever asks."""
    api.state.kai_erp = app
    api.state.guarded = Keeping(Doorkeeper("none", None), InboundLimits(10_000, 100))


async def schedule(client: httpx2.AsyncClient, **parameters: object) -> Body:
    """Return the envelope of an answer that is given."""
    response = await client.get(SCHEDULE, params={name: str(value) for name, value in parameters.items()})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == JSON
    body: Body = response.json()
    return body


def problem(response: httpx2.Response, status: int, code: str) -> Body:
    """Return a problem, after checking that it is one of this kind in every respect."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    body: Body = response.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body.keys() - {"errors"} == {
        "type",
        "title",
        "status",
        "detail",
        "code",
        "suggestion",
        "request_id",
    }
    assert all(body[name] for name in ("type", "title", "detail", "suggestion"))
    assert body["request_id"] == response.headers["x-request-id"]
    return body


def lines(content: bytes) -> list[Body]:
    """Return the records of JSON Lines."""
    return [json.loads(line) for line in io.BytesIO(content)]


def secrets_of(document: Mapping[str, str]) -> Sequence[str]:
    """Return what of an `.ionapi` file nobody may ever see."""
    return [document[name] for name in ("cs", "saak", "sask")]
