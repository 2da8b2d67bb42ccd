"""What the service says about itself: alive, ready, what can be asked, and its documentation."""

import re
from datetime import datetime
from typing import Any

import httpx2
import pytest

from kai_erp import __version__
from kai_erp.api import main
from kai_erp.api.main import create_app
from kai_erp.app import open_app
from kai_erp.config import Settings, load_settings
from kai_erp.errors import UpstreamUnavailable
from kai_erp.models import ScheduledOperation
from kai_erp.plugins import all_connectors
from kai_erp.simulator import Answer, Fault, RunningSimulator
from tests.conftest import HandClock
from tests.test_api.serving import ARROW, CSV, JSON, JSONL, PARQUET, PROBLEM, client_of, problem, serving

Client = httpx2.AsyncClient


async def test_health_touches_nothing(client: Client, simulator: RunningSimulator) -> None:
    response = await client.get("/health")
    assert response.json() == {"status": "ok", "version": __version__}
    assert (simulator.state.requests, simulator.state.token_requests) == ([], 0)


async def test_health_is_fine_without_an_erp() -> None:
    async with serving(load_settings()) as client:
        assert (await client.get("/health")).status_code == 200


async def test_ready_takes_a_token_and_one_small_read(client: Client, simulator: RunningSimulator) -> None:
    response = await client.get("/ready")
    assert response.json() == {"status": "ready"}
    assert [request.params["recordcap"] for request in simulator.state.requests] == ["1"]
    assert simulator.state.token_requests == 1


async def test_a_ready_erp_is_not_asked_again_for_30_seconds(
    settings: Settings, clock: HandClock, simulator: RunningSimulator, now: datetime
) -> None:
    async with open_app(settings, clock=clock, now=lambda: now) as app:
        for _ in range(3):
            await app.check_ready()
            clock.seconds += 14
        assert len(simulator.state.requests) == 1
        await app.check_ready()
        assert len(simulator.state.requests) == 2


@pytest.mark.usefixtures("without_waiting")
async def test_probes_of_an_erp_that_fails_do_not_load_it_either(
    settings: Settings, clock: HandClock, simulator: RunningSimulator, now: datetime
) -> None:
    simulator.state.faults.add(Fault(Answer(503), on="SLJobs", times=4))
    async with open_app(settings, clock=clock, now=lambda: now) as app:
        for _ in range(3):
            with pytest.raises(UpstreamUnavailable):
                await app.check_ready()
        assert len(simulator.state.requests) == 4  # one check with its retries
        clock.seconds += 31
        await app.check_ready()


async def test_an_erp_that_fails_is_not_ready(client: Client, simulator: RunningSimulator) -> None:
    simulator.state.deny("SLJobs")
    problem(await client.get("/ready"), 502, "upstream_denied")


async def test_a_server_without_an_erp_is_not_ready() -> None:
    async with serving(load_settings()) as client:
        problem(await client.get("/ready"), 503, "not_configured")


async def test_the_catalogue_lists_each_connector_with_real_properties(
    client: Client, simulator: RunningSimulator
) -> None:
    entries = (await client.get("/connectors")).json()
    assert [entry["name"] for entry in entries] == [connector.name for connector in all_connectors()]
    for entry in entries:
        assert list(entry) == [
            "name",
            "title",
            "description",
            "path",
            "tool",
            "parameters",
            "record",
            "collections",
        ]
        for collection in entry["collections"]:
            known = simulator.plant.collections[collection["name"]].columns
            assert set(collection["properties"]) <= set(known)
            assert len(collection["properties"]) == len(set(collection["properties"]))
    assert simulator.state.requests == []


async def test_the_catalogue_tells_which_collections_the_schedule_cannot_do_without(idle: Client) -> None:
    entry = (await idle.get("/connectors")).json()[0]
    needed = {collection["name"]: collection["required"] for collection in entry["collections"]}
    assert needed == {
        "SLJobRoutes": True,
        "SLJobs": True,
        "SLJrtSchs": False,
        "SLItems": False,
        "SLItemwhses": False,
        "SLWcs": False,
    }
    assert entry["parameters"]["properties"].keys() == {"work_center", "job", "include_completed"}
    assert list(entry["record"]["properties"]) == list(ScheduledOperation.model_fields)


async def test_the_catalogue_needs_no_erp() -> None:
    async with serving(load_settings()) as client:
        assert (await client.get("/connectors")).status_code == 200


async def test_the_documentation_refers_to_no_foreign_host(idle: Client) -> None:
    page = await idle.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r"https?://|[\"']//", page.text) == []
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(assets) >= 3
    for asset in [*assets, "/openapi.json"]:
        assert (await idle.get(asset)).status_code == 200, asset


async def test_the_style_sheet_loads_nothing_from_elsewhere(idle: Client) -> None:
    style = (await idle.get("/static/swagger-ui/swagger-ui.css")).text
    assert re.findall(r"url\(['\"]?https?:|@import", style) == []


async def test_every_reference_in_the_api_description_leads_somewhere(idle: Client) -> None:
    document = (await idle.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == __version__
    for reference in references(document):
        part: Any = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for value in part.values() for found in references(value)]
    if isinstance(part, list):
        return [found for value in part for found in references(value)]
    return []


async def test_the_api_description_documents_parameters_records_and_formats(idle: Client) -> None:
    document = (await idle.get("/openapi.json")).json()
    for connector in all_connectors():
        operation = document["paths"][connector.path]["get"]
        parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
        assert parameters.keys() == {*connector.query.model_fields, "limit", "cursor", "freshness"}
        assert all(parameter["description"] for parameter in parameters.values())
        assert parameters["limit"]["schema"] == {
            "type": "integer",
            "maximum": 10_000,
            "minimum": 1,
            "description": "Records per page.",
            "default": 500,
            "title": "Limit",
        }
        assert set(operation["responses"]["200"]["content"]) == {JSON, JSONL, CSV, ARROW, PARQUET}
        record = document["components"]["schemas"][connector.record.__name__]["properties"]
        assert list(record) == list(connector.record.model_fields)
        assert all(field.get("description") for field in record.values())


async def test_the_api_description_says_what_a_problem_looks_like(idle: Client) -> None:
    document = (await idle.get("/openapi.json")).json()
    assert "code" in document["components"]["schemas"]["Problem"]["properties"]
    for path in document["paths"].values():
        assert PROBLEM in path["get"]["responses"]["default"]["content"]


async def test_the_parameters_are_described_as_they_are_checked(idle: Client) -> None:
    document = (await idle.get("/openapi.json")).json()
    operation = document["paths"]["/bedrock/schedule"]["get"]
    assert "422" in operation["responses"] or "default" in operation["responses"]
    unprocessable = operation["responses"].get("422", {}).get("content", {})
    assert JSON not in unprocessable, "errors are application/problem+json, never the framework's own shape"


def test_importing_the_server_reads_no_settings() -> None:
    assert "app" not in vars(main)
    with pytest.raises(AttributeError):
        main.nothing  # noqa: B018  # what is tested


async def test_the_server_of_the_environment_is_made_when_first_asked_for() -> None:
    made = main.app
    assert main.app is made
    async with client_of(made) as client:
        assert (await client.get("/health")).status_code == 200
    del main.app


@pytest.mark.parametrize("path", ["/static/../main.py", "/static/%2e%2e/main.py", "/static/swagger-ui/"])
async def test_nothing_but_assets_is_served_from_the_static_folder(idle: Client, path: str) -> None:
    problem(await idle.get(path), 404, "not_found")


def test_a_server_is_made_without_touching_anything() -> None:
    assert create_app(load_settings()).title == "kai-erp"
