"""How each connector stands with a tenant, as `check_connectors` finds out with one small read per collection."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from kai_erp.app import App
from kai_erp.connectors import BedrockOpsScheduler
from kai_erp.core import ido
from kai_erp.errors import PropertyMissing, UpstreamAuth, UpstreamDenied, UpstreamFault, UpstreamUnavailable
from kai_erp.preflight import CollectionCheck, ConnectorCheck, check_connectors, rights_to_ask_for
from kai_erp.simulator import Answer, Fault, RunningSimulator

COLLECTIONS = ("SLJobRoutes", "SLJobs", "SLJrtSchs", "SLItems", "SLItemwhses", "SLWcs")
NAMES = sorted(COLLECTIONS)
Lack = Callable[..., None]


@dataclass
class Tenant:
    """Gives one row of anything, but for the failures that are raised again and again, by collection."""

    failures: dict[str, Exception] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()
    rows: int = 1
    asked: list[ido.LoadRequest] = field(default_factory=list)

    async def log_on(self) -> None:
        await asyncio.sleep(0)

    async def property_names(self, collection: str) -> frozenset[str]:  # noqa: ARG002  # it does not tell
        return frozenset()

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        self.asked.append(request)
        await asyncio.sleep(0)
        if request.collection in self.failures:
            raise self.failures[request.collection]
        for name in request.properties:
            if f"{request.collection}.{name}" in self.lacks:
                raise PropertyMissing(request.collection, name.upper())
        return ido.Page({name: ["x"] * self.rows for name in request.properties}, self.rows, None, more_rows=False)


async def checks_of(tenant: Tenant) -> tuple[ConnectorCheck, dict[str, CollectionCheck]]:
    (check,) = await check_connectors(tenant, [BedrockOpsScheduler()])  # type: ignore[list-item]  # any connector
    return check, {found.name: found for _, found in check.collections}


async def test_each_collection_is_tried_once_with_one_row_and_all_its_properties() -> None:
    tenant = Tenant()
    check, found = await checks_of(tenant)
    assert sorted(request.collection for request in tenant.asked) == NAMES == sorted(found)
    assert {request.record_cap for request in tenant.asked} == {1}
    assert {request.filter for request in tenant.asked} == {None}
    asked = {request.collection: set(request.properties) for request in tenant.asked}
    assert {entry.name: set(entry.properties) for entry, _ in check.collections} == asked
    assert {"QtyReceived", "JobItem", "JshEndDate", "ItmDescription", "WcDescription"} <= asked["SLJobRoutes"]


async def test_every_request_stays_within_the_length_that_servers_take() -> None:
    tenant = Tenant()
    await checks_of(tenant)
    for request in tenant.asked:
        ido.query_string(request)


async def test_a_tenant_that_gives_everything_can_be_asked() -> None:
    check, found = await checks_of(Tenant())
    assert check.answers
    assert {one.grant for one in found.values()} == {"granted"}
    assert rights_to_ask_for([check]) == []


async def test_collections_without_rows_are_no_obstacle() -> None:
    check, found = await checks_of(Tenant(rows=0))
    assert check.answers
    assert {(one.grant, one.readable) for one in found.values()} == {("empty", True)}


@pytest.mark.parametrize("name", COLLECTIONS)
async def test_a_denied_collection_is_named_and_stops_only_what_needs_it(name: str) -> None:
    check, found = await checks_of(Tenant({name: UpstreamDenied(name, "no")}))
    assert (found[name].grant, found[name].readable) == ("denied", False)
    assert rights_to_ask_for([check, check]) == [name]
    assert check.answers is (name not in {"SLJobs", "SLJobRoutes"})


@pytest.mark.parametrize("name", COLLECTIONS)
@pytest.mark.parametrize(
    "failure", [UpstreamUnavailable("The ERP cannot be reached"), UpstreamFault("Die Maschine brennt")], ids=repr
)
async def test_another_failure_is_quoted_and_is_no_matter_of_rights(failure: Exception, name: str) -> None:
    check, found = await checks_of(Tenant({name: failure}))
    assert (found[name].grant, found[name].said) == ("failing", str(failure))
    assert rights_to_ask_for([check]) == []
    assert check.answers is (name not in {"SLJobs", "SLJobRoutes"})


async def test_a_tenant_that_does_not_let_us_in_is_an_error() -> None:
    with pytest.raises(UpstreamAuth, match="refused"):
        await checks_of(Tenant({"SLItems": UpstreamAuth("refused")}))


@pytest.mark.parametrize(
    ("lacking", "answers"),
    [
        ("SLJobs.Whse", True),
        ("SLJobs.QtyReleased", False),
        ("SLJobRoutes.QtyReceived", True),
        ("SLJobRoutes.Complete", False),
        ("SLJobRoutes.JshEndDate", True),
        ("SLJobRoutes.JobItem", True),
        ("SLItems.Item", True),
        ("SLWcs.Description", True),
    ],
)
async def test_a_missing_property_is_named_as_it_is_spelt_and_counts_where_it_is_needed(
    lacking: str, answers: bool
) -> None:
    name, _, prop = lacking.partition(".")
    check, found = await checks_of(Tenant(lacks=frozenset({lacking})))
    assert (found[name].missing, found[name].grant) == ((prop,), "granted")
    assert check.answers is answers
    assert all(not one.missing for one in found.values() if one.name != name)


async def test_several_missing_properties_are_found_one_after_the_other() -> None:
    lacking = frozenset({"SLJobs.Whse", "SLJobs.Job", "SLJobs.JschEndDate"})
    tenant = Tenant(lacks=lacking)
    _, found = await checks_of(tenant)
    assert set(found["SLJobs"].missing) == {"Whse", "Job", "JschEndDate"}
    assert sum(request.collection == "SLJobs" for request in tenant.asked) == 4


async def test_a_collection_with_none_of_its_properties_is_failing() -> None:
    lacking = frozenset({"SLWcs.Wc", "SLWcs.Description"})
    _, found = await checks_of(Tenant(lacks=lacking))
    assert (found["SLWcs"].grant, found["SLWcs"].said) == ("failing", "it has none of the properties")


async def test_a_missing_property_that_was_not_asked_for_does_not_go_on_for_ever() -> None:
    _, found = await checks_of(Tenant({"SLJobs": PropertyMissing("SLJobs", "Elsewhere")}))
    assert (found["SLJobs"].grant, found["SLJobs"].missing) == ("failing", ())


# Over a socket


@pytest.fixture
def lack(simulator: RunningSimulator) -> Iterator[Lack]:
    """Turn switches of the shared simulator until the test ends."""

    def turn(language: str = "en", **collections: set[str]) -> None:
        simulator.state.turn({"drop_properties": collections, "language": language})

    yield turn
    simulator.state.turn({"drop_properties": {}, "language": "en"})


async def found_by(app: App) -> tuple[bool, dict[str, CollectionCheck]]:
    check = next(check for check in await app.preflight() if check.name == "production_schedule")
    return check.answers, {found.name: found for _, found in check.collections}


async def test_the_simulator_passes_with_one_request_a_collection(app: App, simulator: RunningSimulator) -> None:
    answers, found = await found_by(app)
    assert answers
    assert {one.grant for one in found.values()} == {"granted"}
    asked = [str(request.collection) for request in simulator.state.requests]
    assert len(asked) == len(set(asked))
    assert set(asked) >= set(NAMES)
    assert simulator.state.token_requests == 1


async def test_rights_and_properties_are_told_apart(app: App, simulator: RunningSimulator, lack: Lack) -> None:
    simulator.state.deny("SLJrtSchs")
    lack(SLJobs={"Whse"}, SLItems={"Description"})
    answers, found = await found_by(app)
    assert answers
    assert found["SLJrtSchs"].grant == "denied"
    assert (found["SLJobs"].missing, found["SLItems"].missing) == (("Whse",), ("Description",))


async def test_a_denial_that_is_not_understood_is_quoted(
    app: App, simulator: RunningSimulator, lack: Lack
) -> None:
    lack("de")
    simulator.state.deny("SLWcs")
    answers, found = await found_by(app)
    assert answers
    assert (found["SLWcs"].grant, found["SLWcs"].readable) == ("failing", False)
    assert "Benutzer benötigt die Berechtigung" in found["SLWcs"].said


async def test_a_missing_property_is_found_in_any_language(app: App, lack: Lack) -> None:
    lack("de", SLJobs={"Whse"})
    answers, found = await found_by(app)
    assert found["SLJobs"].missing == ("Whse",)
    assert answers


@pytest.mark.usefixtures("without_waiting")
async def test_an_erp_that_fails_is_said_to_fail(app: App, simulator: RunningSimulator) -> None:
    simulator.state.faults.add(Fault(Answer(503, body="busy"), on="SLJobs", times=None))
    answers, found = await found_by(app)
    assert not answers
    assert found["SLJobs"].grant == "failing"
    assert "busy" in found["SLJobs"].said
