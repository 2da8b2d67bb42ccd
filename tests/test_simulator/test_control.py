"""The control API: another process sees and turns the simulator."""

from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import Route

from kai_erp.simulator import Fault, Move, Plant, SimulatorOptions, Truncate, create_simulator, run_simulator
from kai_erp.simulator.options import Switches
from tests.test_simulator.conftest import Connect

CONTROL = "http://erp/simulator"


async def post(client: httpx2.AsyncClient, path: str, document: object) -> Any:  # noqa: ANN401  # whatever JSON holds
    response = await client.post(f"{CONTROL}{path}", json=document)
    assert response.status_code == 200, response.text
    return response.json()


async def see(client: httpx2.AsyncClient, path: str = "", **parameters: object) -> Any:  # noqa: ANN401  # likewise
    return (await client.get(f"{CONTROL}{path}", params=parameters)).json()  # type: ignore[arg-type]  # text or numbers


async def wrong(client: httpx2.AsyncClient, method: str, path: str, content: str) -> dict[str, Any]:
    response = await client.request(method, f"{CONTROL}{path}", content=content)
    assert response.status_code == 422, response.text
    said: dict[str, Any] = response.json()
    return said


async def statuses(client: httpx2.AsyncClient, count: int, ido: str = "SLWcs") -> list[int]:
    return [(await client.get(f"load/{ido}")).status_code for _ in range(count)]


async def test_the_overview_shows_plant_switches_rules_rights_and_requests(connect: Connect) -> None:
    async with connect(SimulatorOptions(drop_properties={"SLJobs": {"Stat"}})) as (client, state):
        state.deny("slwcs")
        state.faults.add(Fault(Truncate(0.25), on="SLJobs"))
        await client.get("load/SLJobs")
        await client.get("load/SLNothings")
        await client.get("configurations")
        seen = await see(client)
    plant = seen["plants"]["DEMO_TRN_MAIN"]
    assert (plant["scale"], plant["seed"], plant["now"][:4]) == ("small", 1, "2026")
    assert (plant["rows"]["SLItems"], plant["rows"]["SLWcs"], len(plant["rows"])) == (3000, 12, 13)
    assert (seen["tenant"], seen["denied"], seen["token_requests"]) == ("DEMO_TRN", ["SLWcs"], 1)
    assert seen["requests"] == {"SLJobs": {"200": 1}, "SLNothings": {"200": 1}, "other": {"200": 1}}
    assert seen["options"]["drop_properties"] == {"SLJobs": ["Stat"]}
    assert seen["options"]["default_cap"] == 200
    assert seen["faults"] == [
        {"on": "SLJobs", "page": None, "nth": 1, "times": 1, "truncate": 0.25, "seen": 1, "fired": 1}
    ]


async def test_no_secret_is_shown(connect: Connect) -> None:
    async with connect() as (client, _):
        assert "not-a-real" not in (await client.get(CONTROL)).text


async def test_a_rule_is_put_in_force_and_taken_away(connect: Connect) -> None:
    async with connect() as (client, _):
        answer = {"status": 429, "headers": {"Retry-After": "1"}, "body": "slow", "media_type": "text/plain"}
        rule = {"on": "SLWcs", "times": 2, "answer": answer}
        (shown,) = (await post(client, "/faults", rule))["faults"]
        assert rule.items() <= shown.items()
        response = await client.get("load/SLWcs")
        assert (response.status_code, response.headers["retry-after"], response.text) == (429, "1", "slow")
        assert (await see(client, "/faults"))["faults"][0]["fired"] == 1
        assert (await client.delete(f"{CONTROL}/faults")).json() == {"faults": []}
        assert await statuses(client, 1) == [200]


async def test_a_list_of_rules_is_put_in_force_at_once_or_not_at_all(connect: Connect) -> None:
    async with connect() as (client, _):
        rules = [{"on": "SLWcs", "answer": {"status": 503}}, {"on": "SLJobs", "answer": {"status": 500}}]
        assert len((await post(client, "/faults", rules))["faults"]) == 2
        assert (await statuses(client, 2), await statuses(client, 2, "SLJobs")) == ([503, 200], [500, 200])
        said = await wrong(client, "POST", "/faults", '[{"answer": {"status": 503}}, {"abort": 7}]')
        assert said["member"] == "[1].abort"
        assert len((await see(client, "/faults"))["faults"]) == 2


async def test_the_gateway_can_forbid_the_api_while_tokens_are_granted(connect: Connect) -> None:
    async with connect() as (client, _):
        await post(client, "/faults", {"on": "ido", "times": None, "answer": {"status": 403}})
        response = await client.get("load/SLWcs")
        assert (response.status_code, response.headers["content-type"]) == (403, "text/html; charset=utf-8")
        assert response.text.startswith("<html>")
        assert await statuses(client, 2, "SLJobs") == [403, 403]
        assert (await client.post("http://erp/DEMO_TRN/as/token.oauth2")).status_code == 401


async def test_a_rule_can_hold_for_tokens_only(connect: Connect) -> None:
    async with connect() as (client, _):
        await post(client, "/faults", {"on": "token", "answer": {"status": 503}})
        assert await statuses(client, 1) == [200]
        assert (await client.post("http://erp/DEMO_TRN/as/token.oauth2")).status_code == 503


async def test_rules_find_their_collection_though_a_client_spells_it_otherwise(connect: Connect) -> None:
    async with connect() as (client, _):
        await post(client, "/faults", {"on": "SLWcs", "answer": {"status": 502}})
        assert await statuses(client, 1, "slwcs") == [502]


async def test_a_rule_for_a_page_leaves_metadata_alone(connect: Connect) -> None:
    async with connect() as (client, _):
        await post(client, "/faults", {"on": "SLWcs", "page": 1, "answer": {"status": 502}})
        assert (await client.get("info/SLWcs")).status_code == 200
        assert await statuses(client, 2) == [502, 200]


async def test_rights_are_taken_away_and_given_back(connect: Connect) -> None:
    async with connect() as (client, _):
        assert await post(client, "/denied", {"collection": "SLWcs"}) == {"denied": ["SLWcs"]}
        assert "privilege" in (await client.get("load/SLWcs")).json()["Message"]
        assert (await client.delete(f"{CONTROL}/denied/SLWcs")).json() == {"denied": []}
        assert (await client.get("load/SLWcs")).json()["Success"] is True


async def test_all_tokens_are_revoked(connect: Connect) -> None:
    async with connect() as (client, _):
        assert await post(client, "/tokens/revoke", None) == {"revoked": 1}
        assert await statuses(client, 1) == [401]


async def test_switches_are_turned_while_it_runs_and_the_others_stay(connect: Connect) -> None:
    async with connect(SimulatorOptions(default_cap=5, latency_ms=1)) as (client, _):
        assert len((await client.get("load/SLWcs")).json()["Items"]) == 5
        query = {"filter": "Dept <> '\"'", "properties": "Wc"}
        assert (await client.get("load/SLWcs", params=query)).json()["Success"] is False
        turned = await client.patch(
            f"{CONTROL}/options",
            json={"max_cap": 3, "double_quote_anywhere": False, "accept_basic": False},
        )
        options = turned.json()["options"]
        assert (options["max_cap"], options["default_cap"], options["latency_ms"]) == (3, 5, 1)
        assert len((await client.get("load/SLWcs", params=query)).json()["Items"]) == 3
        dropped = {"drop_properties": {"SLWcs": ["Dept"]}}
        assert (await client.patch(f"{CONTROL}/options", json=dropped)).status_code == 200
        assert (await client.get("load/SLWcs", params=query)).json()["Message"].startswith("Property Dept not")
        form = {"grant_type": "password", "username": "DEMO_TRN#not-a-real-account", "password": "not-a-real-key"}
        grant = await client.post(
            "http://erp/DEMO_TRN/as/token.oauth2",
            data=form,
            auth=("DEMO_TRN~not-a-real-client", "not-a-real-secret"),
        )
        assert grant.status_code == 401


async def test_requests_are_listed_with_what_became_of_them(connect: Connect) -> None:
    async with connect() as (client, _):
        await post(client, "/faults", {"on": "SLJobs", "answer": {"status": 503}})
        await client.get("load/SLWcs", params={"recordCap": 2, "filter": "Wc='SAW'"})
        await client.get("load/SLJobs")
        answer = await see(client, "/requests")
        first, second = answer["requests"]
        assert (first["number"], second["number"], answer["last"]) == (1, 2, 2)
        assert first["parameters"] == {"recordcap": "2", "filter": "Wc='SAW'"}
        assert (first["collection"], first["configuration"], first["status"]) == ("SLWcs", "DEMO_TRN_MAIN", 200)
        assert (second["status"], second["fault"], first["fault"]) == (503, "answer", None)
        assert 0 <= first["started"] <= first["ended"] <= second["started"]
        assert (await see(client, "/requests", since=1))["requests"] == [second]
        assert (await see(client, "/requests", since=2)) == {"requests": [], "last": 2}


async def test_requests_are_forgotten_and_counted_anew(connect: Connect) -> None:
    async with connect() as (client, state):
        await statuses(client, 3)
        assert (await client.delete(f"{CONTROL}/requests")).json() == {"requests": [], "last": 0}
        assert (await see(client))["token_requests"] == 0
        await statuses(client, 1)
        assert [request["number"] for request in (await see(client, "/requests"))["requests"]] == [1]
        assert len(state.requests) == 1


async def test_numbers_go_on_when_requests_of_long_ago_are_dropped(connect: Connect) -> None:
    async with connect() as (client, state):
        await statuses(client, 1)
        for _ in range(50_000):
            state.record(state.requests[0])
        assert len(state.requests) == 25_001
        answer = await see(client, "/requests", since=50_000)
        assert ([request["number"] for request in answer["requests"]], answer["last"]) == ([50_001], 50_001)
        assert (await see(client, "/requests"))["requests"][0]["number"] == 25_001


async def test_what_the_control_api_does_is_not_recorded_nor_spoilt(connect: Connect) -> None:
    async with connect(SimulatorOptions(latency_ms=1)) as (client, state):
        await post(client, "/faults", {"on": "*", "times": None, "answer": {"status": 500}})
        assert (await client.get(CONTROL)).status_code == 200
        assert state.requests == []


@pytest.mark.parametrize(
    ("path", "document", "member", "problem", "allowed"),
    [
        ("/faults", "{", "", "this is not JSON", None),
        ("/faults", "7", "", "Input should be an object", None),
        ("/faults", "{}", "", "what is to happen is missing", "repeat_bookmark"),
        ("/faults", '{"abort": 0.1, "delay": 1}', "", "abort and delay exclude each other", "answer"),
        ("/faults", '{"abort": 0, "pge": 1}', "pge", "it is not known", "page"),
        ("/faults", '{"abort": 0, "on": "SLJob"}', "on", '"SLJob" is not known', "SLJobs"),
        ("/faults", '{"abort": 0, "page": 0}', "page", "Input should be greater than 0", None),
        ("/faults", '{"abort": 0, "times": "1"}', "times", "Input should be a valid integer", None),
        ("/faults", '{"truncate": 1.5}', "truncate", "Input should be less than or equal to 1", None),
        ("/faults", '{"delay": -1}', "delay", "Input should be greater than or equal to 0", None),
        ("/faults", '{"repeat_bookmark": false}', "repeat_bookmark", "Input should be True", None),
        ("/faults", '{"answer": {"body": ""}}', "answer.status", "Field required", None),
        ("/faults", '{"answer": {"status": 99}}', "answer.status", "Input should be greater than", None),
        ("/faults", '{"answer": {"status": 500, "text": ""}}', "answer.text", "it is not known", "media_type"),
        ("/faults", '{"drip": {"piece": 3}}', "drip.piece", "it is not known", "pieces"),
        (
            "/faults",
            '{"answer": {"status": 500, "headers": {"X": "a\\r\\nb"}}}',
            "answer.headers.X",
            "String should match pattern",
            None,
        ),
        (
            "/faults",
            '{"answer": {"status": 500, "headers": {"Content-Length": "3"}}}',
            "answer.headers.Content-Length",
            "the simulator sets it itself",
            None,
        ),
        ("/faults", '{"move": {}}', "move", "no rows are to move", "delete_ahead"),
        ("/faults", '{"move": {"rows": 1}}', "move.rows", "it is not known", "insert_ahead"),
        (
            "/faults",
            '{"on": "SLJobs", "move": {"change_ahead": 1, "property": "Job"}}',
            "move.property",
            '"Job" is not known',
            "QtyReleased",
        ),
        ("/denied", '{"collection": "SLNothings"}', "collection", '"SLNothings" is not known', "SLWcs"),
        ("/denied", '{"ido": "SLWcs"}', "", "an object with one member is needed", "collection"),
        ("/denied", '"SLWcs"', "", "an object with one member is needed", "collection"),
        ("/options", "[]", "", "an object is needed", None),
        ("/options", '{"tenant": "X"}', "tenant", "it is no switch that can be turned", "big_page_limit"),
        ("/options", '{"default_cap": 0}', "default_cap", "Input should be greater than 0", None),
        ("/options", '{"empty_items_null": 1}', "empty_items_null", "Input should be a valid boolean", None),
        ("/options", '{"language": "fr"}', "language", "Input should be 'en' or 'de'", None),
        ("/options", '{"unknown_ido_status": 20}', "unknown_ido_status", "Input should be greater", None),
        (
            "/options",
            '{"drop_properties": {"SLJob": []}}',
            "drop_properties",
            '"SLJob" is not known',
            "SLJobs",
        ),
        (
            "/options",
            '{"drop_properties": {"SLJobs": ["Jb"]}}',
            "drop_properties.SLJobs",
            '"Jb" is not known',
            "Job",
        ),
    ],
)
async def test_a_wrong_document_is_told_by_member_and_by_what_is_allowed(
    connect: Connect, *, path: str, document: str, member: str, problem: str, allowed: str | None
) -> None:
    async with connect() as (client, state):
        before = state.options
        said = await wrong(client, "PATCH" if path == "/options" else "POST", path, document)
        assert said["member"] == member
        assert problem in said["problem"]
        assert allowed is None or allowed in said["allowed"]
        assert said["error"].startswith(f"{member}: " if member else said["problem"])
        assert (state.options, state.faults.rules, state.denied) == (before, [], set())


async def test_a_wrong_path_or_number_is_told(connect: Connect) -> None:
    async with connect() as (client, _):
        assert (await wrong(client, "DELETE", "/denied/SLNothings", ""))["member"] == "collection"
        assert (await wrong(client, "GET", "/requests?since=x", ""))["member"] == "since"


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("127.0.0.1", 200),
        ("127.8.8.8", 200),
        ("::1", 200),
        ("::ffff:127.0.0.1", 200),
        ("192.168.1.5", 403),
        ("::ffff:10.0.0.1", 403),
        ("2001:db8::1", 403),
        ("client", 403),
    ],
)
async def test_only_programs_on_the_same_machine_are_answered(plant: Plant, peer: str, status: int) -> None:
    app = create_simulator(plant)
    transport = httpx2.ASGITransport(app=app, client=(peer, 1))
    async with httpx2.AsyncClient(transport=transport) as client:
        assert (await client.get(CONTROL)).status_code == status
        response = await client.post(f"{CONTROL}/faults", json={"abort": 0})
        assert (response.status_code, len(app.state.simulator.faults.rules)) == (status, int(status == 200))


def test_on_a_socket_a_rule_of_another_program_acts_and_is_counted(plant: Plant) -> None:
    with run_simulator(plant) as simulator, httpx2.Client(base_url=simulator.base_url) as client:
        rules = [{"on": "ido", "abort": 0.0}, {"on": "ido", "nth": 2, "drip": {"pieces": 3, "seconds": 0.001}}]
        assert client.post("/simulator/faults", json=rules).status_code == 200
        url = "/IDORequestService/ido/configurations"
        with pytest.raises(httpx2.TransportError):
            client.get(url)
        assert client.get(url).json()["Configurations"] == ["DEMO_TRN_MAIN"]
        shown = client.get("/simulator/requests").json()["requests"]
        assert Counter(request["fault"] for request in shown) == {"abort": 1, "drip": 1}


@pytest.mark.parametrize(
    "action",
    [
        {"answer": {"status": 503, "headers": {}, "body": "busy", "media_type": "text/plain"}},
        {"truncate": 0.5},
        {"abort": 0.0},
        {"delay": 0.5},
        {"drip": {"pieces": 2, "seconds": 0.5}},
        {"repeat_bookmark": True},
        {"drop_bookmark": True},
    ],
)
async def test_each_action_is_shown_as_it_was_given(connect: Connect, action: dict[str, object]) -> None:
    async with connect() as (client, _):
        rule = {"on": "SLWcs", "page": 2, "nth": 3, "times": None, **action}
        (shown,) = (await post(client, "/faults", rule))["faults"]
        assert shown == rule | {"seen": 0, "fired": 0}


async def test_bookmarks_fail_as_the_rule_says(connect: Connect) -> None:
    async with connect() as (client, _):
        parameters = {"recordCap": "4", "loadType": "NEXT", "bookmark": ""}
        parameters["bookmark"] = (await client.get("load/SLWcs", params=parameters)).json()["Bookmark"]
        await post(client, "/faults", [{"repeat_bookmark": True}, {"nth": 2, "drop_bookmark": True}])
        said = [(await client.get("load/SLWcs", params=parameters)).json()["Bookmark"] for _ in range(2)]
        assert said == [parameters["bookmark"], None]


def test_the_documentation_names_every_switch_action_and_route(plant: Plant) -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    routes = [
        r for r in create_simulator(plant).routes if isinstance(r, Route) and r.path.startswith("/simulator")
    ]
    paths = {route.path.replace("{collection}", "SLItems") for route in routes}
    rules = {"compass", "compass.submit", "compass.status", "compass.result", "compass.cancel"}
    members = {field.name for kind in (Switches, Move) for field in fields(kind)}
    actions = {"answer", "delay", "drip", "truncate", "abort", "repeat_bookmark", "drop_bookmark", "move"}
    assert len(paths) == 10
    assert [name for name in (*members, *actions, *paths, *rules) if name not in page] == []


async def test_an_answer_without_a_body_has_none(connect: Connect) -> None:
    async with connect() as (client, _):
        await post(client, "/faults", {"answer": {"status": 204}})
        response = await client.get("load/SLWcs")
        assert (response.status_code, response.content) == (204, b"")
