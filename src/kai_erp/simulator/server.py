"""The simulator as a web application: token endpoint, gateway and IDO service over seeded plants."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kai_erp.simulator.answers import html, json, page_of_iis, refused, unauthorized
from kai_erp.simulator.control import control_routes
from kai_erp.simulator.deliveries import spoil
from kai_erp.simulator.faults import Answer, Delay, Move
from kai_erp.simulator.lake_endpoints import lake_routes
from kai_erp.simulator.load_requests import read_query
from kai_erp.simulator.moving import serve_moving
from kai_erp.simulator.options import SimulatorOptions, ionapi_document
from kai_erp.simulator.plant import Plant
from kai_erp.simulator.refusals import BadBookmark, Refusal, SessionDeleted, UnknownIdo
from kai_erp.simulator.service import describe_ido, prepare_load
from kai_erp.simulator.state import RecordedRequest, SimulatorState, make_state
from kai_erp.simulator.tokens import GrantRefused

__all__ = ["SimulatorOptions", "create_simulator", "ionapi_document"]

SERVICE = "/IDORequestService"

Answering = Callable[[Request, RecordedRequest], Awaitable[Response]]


def create_simulator(plants: Plant | Mapping[str, Plant], options: SimulatorOptions | None = None) -> Starlette:
    """Return the web application; `app.state.simulator` is its SimulatorState."""
    options = options or SimulatorOptions()
    state = make_state(plants, options)
    direct, gateway = IdoEndpoints(state), IdoEndpoints(state, through_gateway=True)
    oauth = TokenEndpoints(state)
    app = Starlette(
        routes=[
            Route(f"/{options.tenant}/as/token.oauth2", oauth.grant, methods=["POST"]),
            Route(f"/{options.tenant}/as/revoke_token.oauth2", oauth.revoke, methods=["POST"]),
            *direct.routes(SERVICE),
            *gateway.routes(f"/{options.tenant}/{options.suite}{SERVICE}"),
            *lake_routes(state),
            *control_routes(state),
        ],
        exception_handlers={404: page_of_iis, 405: page_of_iis},
    )
    app.state.simulator = state
    return app


class TokenEndpoints:
    """The authorisation server of the gateway."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state

    async def grant(self, request: Request) -> Response:
        """Answer a token request."""
        state = self._state
        state.token_requests += 1
        action = state.faults.match("token")
        if isinstance(action, Delay):
            await asyncio.sleep(action.seconds)
        form = read_query(await request.body(), plus_is_blank=True)
        try:
            response = json(state.tokens.grant(form, request.headers.get("authorization", "")))
        except GrantRefused as refusal:
            response = json({"error": refusal.error, "error_description": refusal.description}, refusal.status)
        return spoil(response, action, None)

    async def revoke(self, request: Request) -> Response:
        """End one token."""
        form = read_query(await request.body(), plus_is_blank=True)
        self._state.tokens.revoke(form.get("token", ""))
        return Response(status_code=200)


class IdoEndpoints:
    """The IDO request service, on its own server or behind the gateway."""

    def __init__(self, state: SimulatorState, *, through_gateway: bool = False) -> None:
        self._state, self._through_gateway = state, through_gateway

    def routes(self, base: str) -> list[Route]:
        """Return the routes below `base`."""
        ido = f"{base}/ido"
        return [
            Route(f"{base}/Ping.aspx", _ping, methods=["GET"]),
            self._route(f"{ido}/configurations", self._configurations),
            self._route(f"{ido}/token/{{configuration}}", self._log_on),
            self._route(f"{ido}/token/{{configuration}}/{{username}}/{{password}}", self._log_on),
            self._route(f"{ido}/load/{{ido}}", self._load),
            self._route(f"{ido}/info/{{ido}}", self._info),
        ]

    def _route(self, path: str, answer: Answering) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._recorded(request, answer)

        return Route(path, endpoint, methods=["GET"])

    async def _recorded(self, request: Request, answer: Answering) -> Response:
        """Answer one request: record it, let latency and faults have their way."""
        state, raw = self._state, request.scope["query_string"]
        record = RecordedRequest(
            request.method,
            request.url.path,
            request.path_params.get("ido"),
            len(raw),
            read_query(raw, plus_is_blank=not state.options.plus_is_not_blank),
            request.headers.get("x-infor-mongooseconfig"),
            time.monotonic(),
        )
        state.record(record)
        response = await self._in_session(request, record, answer)
        record.ended, record.status = time.monotonic(), response.status_code
        return response

    async def _in_session(self, request: Request, record: RecordedRequest, answer: Answering) -> Response:
        """Answer a request that brings a direct token, where such a token bears one request at a time."""
        options = self._state.options
        if self._through_gateway or not options.direct_token_serial or record.collection is None:
            return await self._faulted(request, record, answer)
        try:
            with self._state.tokens.session(request.headers.get("authorization", "")):
                return await self._faulted(request, record, answer)
        except SessionDeleted as refusal:
            return refused(refusal.message(options.language))

    async def _faulted(self, request: Request, record: RecordedRequest, answer: Answering) -> Response:
        state, bookmark = self._state, record.params.get("bookmark", "")
        if state.options.max_query_bytes is not None and record.query_bytes > state.options.max_query_bytes:
            return html(404)
        if state.options.latency_ms:
            await asyncio.sleep(state.options.latency_ms / 1000)
        collection = record.collection or ""
        page = state.page_of(collection, bookmark) if "/ido/load/" in record.path else None
        action = record.fault = state.faults.match(collection, page)
        if isinstance(action, Delay):
            await asyncio.sleep(action.seconds)
        response = Response() if isinstance(action, Answer) else await answer(request, record)
        return spoil(response, action, bookmark)

    async def _configurations(self, _: Request, __: RecordedRequest) -> Response:
        return json({"Message": None, "Success": True, "Configurations": list(self._state.plants)})

    async def _log_on(self, request: Request, _: RecordedRequest) -> Response:
        given = {name: request.headers.get(name, "") for name in ("username", "password")} | request.path_params
        token = self._state.tokens.log_on(given["configuration"], given["username"], given["password"])
        message = None if token else "InvalidCredentials: the user could not be logged on."
        return json({"Message": message, "Success": token is not None, "Token": token})

    async def _load(self, request: Request, record: RecordedRequest) -> Response:
        state = self._state
        plant = self._plant(request)
        if isinstance(plant, Response):
            return plant
        try:
            return await self._page(plant, request.path_params["ido"], record)
        except Refusal as refusal:
            return refused(refusal.message(state.options.language), self._status(refusal))

    def _status(self, refusal: Refusal) -> int:
        if isinstance(refusal, BadBookmark):
            return self._state.options.malformed_bookmark_status
        return self._state.options.unknown_ido_status if isinstance(refusal, UnknownIdo) else 200

    async def _page(self, plant: Plant, ido: str, record: RecordedRequest) -> Response:
        state = self._state
        load = prepare_load(state, plant, ido, record.params)
        limit, heavy = state.options.big_page_limit, load.heavy
        if isinstance(record.fault, Move):
            page, body = serve_moving(load, record.fault, state.faults.movements)
        else:
            page = await asyncio.to_thread(load.page) if heavy else load.page()
            body = b""
        if limit is not None and (load.request.cap > limit or len(page.rows) > limit):
            return html(504)
        if page.bookmark and page.rows:
            state.turn_page(record.collection or "", record.params.get("bookmark", ""), page.bookmark)
        if not body:
            body = await asyncio.to_thread(load.write, page) if heavy else load.write(page)
        return Response(body, media_type="application/json")

    async def _info(self, request: Request, _: RecordedRequest) -> Response:
        plant = self._plant(request)
        if isinstance(plant, Response):
            return plant
        try:
            return json(describe_ido(self._state, plant, request.path_params["ido"]))
        except UnknownIdo as refusal:
            answer = {
                "Message": refusal.message(self._state.options.language),
                "Success": False,
                "Keys": [],
                "Properties": [],
                "SubCollections": [],
            }
            return json(answer, self._state.options.unknown_ido_status)

    def _plant(self, request: Request) -> Plant | Response:
        """Return the plant that the request may read, or the refusal of its credentials."""
        authorization = request.headers.get("authorization", "")
        if not self._through_gateway:
            return self._direct_plant(authorization)
        if not self._state.tokens.accepts(authorization):
            return unauthorized(self._state.options.unauthorized_body)
        plant = self._state.plants.get(request.headers.get("x-infor-mongooseconfig", ""))
        if plant is None:
            message = "invalidcredentials: error authenticating user"
            return refused(message, self._state.options.bad_configuration_status)
        return plant

    def _direct_plant(self, authorization: str) -> Plant | Response:
        configuration = self._state.tokens.configuration_of(authorization)
        if configuration is None:
            return refused("Invalid token", self._state.options.bad_direct_token_status)
        return self._state.plants[configuration]


async def _ping(_: Request) -> Response:
    return PlainTextResponse("OK")
