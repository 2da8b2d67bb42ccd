"""The control API: what a program beside the simulator may see and turn, below /simulator on its own port.

It asks for no credentials and is answered to programs on the same machine only.
"""

import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kai_erp.simulator.answers import json
from kai_erp.simulator.documents import Catalogue, WrongDocument, read_collection, read_json
from kai_erp.simulator.lake_documents import write_job, write_request
from kai_erp.simulator.lake_results import plain
from kai_erp.simulator.postings import post, write_change
from kai_erp.simulator.rules import action_name, read_faults, write_fault
from kai_erp.simulator.state import RecordedRequest, SimulatorState
from kai_erp.simulator.switches import read_switches, write_switches

BASE = "/simulator"

Answering = Callable[[Request], Awaitable[object]]


def control_routes(state: SimulatorState) -> list[Route]:
    """Return the routes of the control API."""
    control = _Control(state)
    return [
        _route("", "GET", control.overview),
        _route("/faults", "GET", control.faults),
        _route("/faults", "POST", control.add_faults),
        _route("/faults", "DELETE", control.clear_faults),
        _route("/denied", "POST", control.deny),
        _route("/denied/{collection}", "DELETE", control.allow),
        _route("/tokens/revoke", "POST", control.revoke_tokens),
        _route("/options", "PATCH", control.turn),
        _route("/changes", "GET", control.changes),
        _route("/changes", "POST", control.change),
        _route("/changes", "DELETE", control.forget_changes),
        _route("/clock", "POST", control.advance),
        _route("/clock", "DELETE", control.reset_clock),
        _route("/lake", "GET", control.lake),
        _route("/lake", "DELETE", control.forget_lake),
        _route("/requests", "GET", control.requests),
        _route("/requests", "DELETE", control.forget_requests),
    ]


def _route(path: str, method: str, answer: Answering) -> Route:
    async def endpoint(request: Request) -> Response:
        if not _from_here(request):
            return json({"error": "The control API answers programs on the simulator's own machine only."}, 403)
        try:
            return json(await answer(request))
        except WrongDocument as wrong:
            said = {"member": wrong.member, "problem": wrong.problem, "allowed": wrong.allowed or None}
            return json({"error": str(wrong), **said}, 422)

    return Route(f"{BASE}{path}", endpoint, methods=[method])


def _from_here(request: Request) -> bool:
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


class _Control:
    """The endpoints over one simulator's state."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state

    @property
    def _catalogue(self) -> Catalogue:
        return {name: found for plant in self._state.plants.values() for name, found in plant.collections.items()}

    async def overview(self, _: Request) -> object:
        """Return the plants, what is turned, and what was asked."""
        state = self._state
        return {
            "tenant": state.options.tenant,
            "plants": {
                configuration: {
                    "scale": plant.scale,
                    "seed": plant.seed,
                    "now": plant.now.isoformat(),
                    "rows": {name: len(found.visible()) for name, found in plant.collections.items()},
                }
                for configuration, plant in state.plants.items()
            },
            "options": write_switches(state.options),
            "denied": self._denied(),
            "faults": [write_fault(rule) for rule in state.faults.rules],
            "requests": _counts(state.requests),
            "token_requests": state.token_requests,
        }

    def _denied(self) -> list[str]:
        return [name for name in self._catalogue if name.lower() in self._state.denied]

    async def faults(self, _: Request) -> object:
        """Return the rules in force, with how often each matched and acted."""
        return {"faults": [write_fault(rule) for rule in self._state.faults.rules]}

    async def add_faults(self, request: Request) -> object:
        """Put one rule, or a list of them, in force."""
        for rule in read_faults(read_json(await request.body()), self._catalogue):
            self._state.faults.add(rule)
        return await self.faults(request)

    async def clear_faults(self, request: Request) -> object:
        """Take all rules away, and put rows back that they moved."""
        self._state.faults.clear()
        return await self.faults(request)

    async def deny(self, request: Request) -> object:
        """Take the right to read a collection away."""
        document = read_json(await request.body())
        if not isinstance(document, dict) or set(document) != {"collection"}:
            raise WrongDocument("", "an object with one member is needed", ("collection",))
        self._state.deny(read_collection(document["collection"], self._catalogue, "collection"))
        return {"denied": self._denied()}

    async def allow(self, request: Request) -> object:
        """Give the right to read a collection back."""
        name = request.path_params["collection"]
        self._state.allow(read_collection(name, self._catalogue, "collection"))
        return {"denied": self._denied()}

    async def revoke_tokens(self, _: Request) -> object:
        """End every token."""
        return {"revoked": self._state.revoke_tokens()}

    async def turn(self, request: Request) -> object:
        """Turn switches; those that are not named stay."""
        self._state.turn(read_switches(read_json(await request.body()), self._catalogue))
        return {"options": write_switches(self._state.options)}

    async def changes(self, _: Request) -> object:
        """Return what was changed in the ERP."""
        return {"changes": [write_change(change) for change in self._state.changes.log]}

    async def change(self, request: Request) -> object:
        """Change or delete a row of the ERP, or several."""
        post(read_json(await request.body()), self._state)
        return await self.changes(request)

    async def forget_changes(self, request: Request) -> object:
        """Put all rows back."""
        self._state.forget_changes()
        return await self.changes(request)

    async def advance(self, request: Request) -> object:
        """Let time pass at once."""
        document = read_json(await request.body())
        seconds = document.get("advance") if isinstance(document, dict) else None
        if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
            raise WrongDocument("advance", "seconds are needed, from 0")
        self._state.clock.advance(seconds)
        return self._clock()

    async def reset_clock(self, _: Request) -> object:
        """Take back what was advanced."""
        self._state.clock.reset()
        return self._clock()

    def _clock(self) -> object:
        state = self._state
        return {"seconds": round(state.clock.seconds(), 3), "now": plain(state.lake.time.now(state.options))}

    async def lake(self, _: Request) -> object:
        """Return the jobs of the lake and the requests to it, the newest last."""
        lake = self._state.lake
        return {
            "jobs": [write_job(job) for job in lake.jobs],
            "requests": [write_request(request) for request in lake.requests],
        }

    async def forget_lake(self, request: Request) -> object:
        """Forget the jobs of the lake and the requests to it."""
        self._state.lake.forget()
        return await self.lake(request)

    async def requests(self, request: Request) -> object:
        """Return the recorded requests after the first `since`, the newest last."""
        state, text = self._state, request.query_params.get("since", "0")
        if not text.isdecimal():
            raise WrongDocument("since", f"{text!r} is not the number of a request")
        first = max(int(text) - state.forgotten, 0)
        shown = state.requests[first:]
        return {
            "requests": [
                {"number": state.forgotten + first + n, **_written(record, state.born)}
                for n, record in enumerate(shown, 1)
            ],
            "last": state.forgotten + len(state.requests),
        }

    async def forget_requests(self, _: Request) -> object:
        """Forget the recorded requests; the next one has the number 1."""
        self._state.forget_requests()
        return {"requests": [], "last": 0}


def _counts(requests: list[RecordedRequest]) -> dict[str, dict[str, int]]:
    """Return how many requests each collection had by status; one that is not answered yet has the status 0."""
    counted = Counter((record.collection or "other", record.status) for record in requests)
    counts: dict[str, dict[str, int]] = {}
    for (collection, status), count in sorted(counted.items()):
        counts.setdefault(collection, {})[str(status)] = count
    return counts


def _written(record: RecordedRequest, born: float) -> dict[str, object]:
    """Return a request as a document; times are seconds since the simulator was made."""
    return {
        "method": record.method,
        "path": record.path,
        "collection": record.collection,
        "configuration": record.configuration,
        "query_bytes": record.query_bytes,
        "parameters": record.params,
        "started": round(record.started - born, 4),
        "ended": round(record.ended - born, 4) if record.ended else None,
        "status": record.status or None,
        "fault": action_name(record.fault),
    }
