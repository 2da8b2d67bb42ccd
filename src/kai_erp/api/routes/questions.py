"""One route for each connector, made from its declaration."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from copy import copy
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from kai_erp.api.answers import JSON, MEDIA_TYPES, accepted, response
from kai_erp.api.requests import while_connected
from kai_erp.api.security import caller_of
from kai_erp.app import DEFAULT_LIMIT, LARGEST_LIMIT, App, Asked
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.core.types import Freshness
from kai_erp.errors import InvalidParameter
from kai_erp.models.result import Envelope


class PageParameters(BaseModel):
    """What every question takes beside its own parameters."""

    limit: int = Field(DEFAULT_LIMIT, ge=1, le=LARGEST_LIMIT, description="Records per page.")
    cursor: str | None = Field(None, description="next_cursor of an earlier page: the same answer goes on.")
    freshness: Freshness = Field(Freshness.REALTIME, description="How old the data may be.")


def question_router(connector: BaseConnector[ConnectorQuery]) -> APIRouter:
    """Return the router that answers a connector's question."""
    router = APIRouter(tags=[connector.title])
    envelope = Envelope[connector.record, connector.summary]  # type: ignore[name-defined]  # made at run time
    others: dict[str, dict[str, object]] = {media_type: {} for media_type in MEDIA_TYPES if media_type != JSON}
    router.add_api_route(
        connector.path,
        _endpoint(connector),
        name=connector.name,
        summary=connector.title,
        description=connector.description,
        response_model=None,
        responses={200: {"model": envelope, "content": others, "description": "The answer."}},
    )
    return router


def describe_required(document: dict[str, Any], connectors: Iterable[BaseConnector[ConnectorQuery]]) -> None:
    """Say in an OpenAPI document which parameters are required: with a cursor alone they need not be given."""
    for connector in connectors:
        for parameter in document["paths"][connector.path]["get"]["parameters"]:
            parameter["required"] = parameter["name"] in _required(connector)


def _required(connector: BaseConnector[ConnectorQuery]) -> frozenset[str]:
    return frozenset(name for name, field in connector.query.model_fields.items() if field.is_required())


def _endpoint(connector: BaseConnector[ConnectorQuery]) -> Callable[..., Awaitable[Response]]:
    parameters: Any = create_model(
        f"{connector.query.__name__}Page",
        __base__=(connector.query, PageParameters),
        **{name: _optional(connector.query.model_fields[name]) for name in _required(connector)},
    )

    async def answer(request: Request, page: Annotated[parameters, Query()]) -> Response:
        app: App = request.app.state.kai_erp
        media_type = accepted(request)
        asked = _asked(request, connector, page)
        found = await while_connected(request, app.ask(asked))
        return await asyncio.to_thread(response, found, media_type, connector, app.settings.zone)

    answer.__annotations__ = {"request": Request, "page": Annotated[parameters, Query()], "return": Response}
    return answer


def _optional(field: FieldInfo) -> Any:  # noqa: ANN401  # what create_model takes
    """Return a field that need not be given; what it may be stays as it is."""
    optional = copy(field)
    optional.default = None
    return field.annotation, optional


def _asked(request: Request, connector: BaseConnector[ConnectorQuery], page: Any) -> Asked:  # noqa: ANN401  # made at run time
    """Return what is asked. Raises InvalidParameter when a parameter is given twice."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if given.count(name) > 1:
            raise InvalidParameter(name, "given more than once")
    return Asked(
        connector=connector.name,
        query=_query(connector, page, frozenset(given)),
        freshness=page.freshness,
        limit=page.limit,
        cursor=page.cursor,
        caller=caller_of(request),
        given=frozenset(given) - {"limit", "cursor"},
    )


def _query(connector: BaseConnector[ConnectorQuery], page: Any, given: frozenset[str]) -> ConnectorQuery:  # noqa: ANN401  # made at run time
    """Return the parameters. Raises RequestValidationError when, without a cursor, a required one is missing."""
    missing = _required(connector) - given
    if missing and page.cursor is None:
        raise RequestValidationError(
            [{"type": "missing", "loc": ("query", name), "msg": "Field required"} for name in sorted(missing)]
        )
    values = {name: getattr(page, name) for name in connector.query.model_fields}
    placeholders = {name: getattr(connector.example, name) for name in missing}  # the cursor knows what was asked
    return connector.query.model_validate(values | placeholders)
