"""`kai-erp doctor`: what it says of a tenant, and how it ends."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kai_erp.config import Settings
from kai_erp.simulator import RunningSimulator
from tests.test_cli.commands import Outcome, Run

NEEDED = ("SLJobRoutes", "SLJobs")
OPTIONAL = ("SLJrtSchs", "SLItems", "SLItemwhses", "SLWcs")
Lack = Callable[..., None]
Lead = Callable[..., None]


def line_of(outcome: Outcome, collection: str) -> list[str]:
    """Return the cells of the line that a collection has in the table of the schedule, the first one."""
    table = re.split(r": (?:can answer|CANNOT ANSWER)\n", outcome.out)[1]
    (line,) = [line for line in table.splitlines() if line.split()[:1] == [collection]]
    return re.split(r"\s{2,}", line.strip())


@pytest.fixture
def lack(simulator: RunningSimulator) -> Iterator[Lack]:
    """Take properties away from the shared simulator until the test ends."""

    def turn(**collections: set[str]) -> None:
        simulator.state.turn({"drop_properties": collections})

    yield turn
    simulator.state.turn({"drop_properties": {}})


@pytest.fixture
def lead(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lead:
    """Put settings in the environment whose credentials are changed as asked."""

    def write(configuration: str = str(settings.sl10_config_name), **members: str) -> None:
        document = json.loads(Path(str(settings.sl10_ionapi_file)).read_text())
        file = tmp_path / "changed.ionapi"
        file.write_text(json.dumps(document | members))
        monkeypatch.setenv("SL10_IONAPI_FILE", str(file))
        monkeypatch.setenv("SL10_CONFIG_NAME", configuration)
        monkeypatch.setenv("SL10_TIMEZONE", str(settings.sl10_timezone))

    return write


@pytest.mark.usefixtures("tenant")
def test_a_tenant_that_gives_everything_passes(run: Run, settings: Settings) -> None:
    outcome = run("doctor")
    assert (outcome.code, outcome.err) == (0, "")
    assert str(settings.sl10_ionapi_file) in outcome.out
    assert "DEMO_TRN_MAIN, whose clock is in America/Chicago" in outcome.out
    assert "Token     granted" in outcome.out
    assert "Production schedule: can answer" in outcome.out
    assert "Ask the ERP administrator" not in outcome.out
    for name in (*NEEDED, *OPTIONAL):
        _, needed, state, milliseconds, *_ = line_of(outcome, name)
        assert (needed, state) == ("needed" if name in NEEDED else "optional", "granted")
        assert milliseconds.isdigit()


@pytest.mark.usefixtures("tenant")
def test_denied_optional_collections_are_named_with_what_still_works(
    run: Run, simulator: RunningSimulator
) -> None:
    for name in ("SLJrtSchs", "SLWcs"):
        simulator.state.deny(name)
    outcome = run("doctor")
    assert outcome.code == 0
    assert "Production schedule: can answer" in outcome.out
    for name in ("SLJrtSchs", "SLWcs"):
        assert line_of(outcome, name)[1:3] == ["optional", "denied"]
        assert line_of(outcome, name)[-1] == "its fields come from elsewhere, or are null"
    assert line_of(outcome, "SLItems")[2] == "granted"
    assert "Ask the ERP administrator for Read privilege on the IDOs SLJrtSchs, SLWcs," in outcome.out


@pytest.mark.usefixtures("tenant")
@pytest.mark.parametrize("name", NEEDED)
def test_a_denied_collection_that_is_needed_is_exit_code_1(
    run: Run, simulator: RunningSimulator, name: str
) -> None:
    simulator.state.deny(name)
    outcome = run("doctor")
    assert (outcome.code, outcome.err) == (1, "")
    assert "Production schedule: CANNOT ANSWER" in outcome.out
    assert line_of(outcome, name)[-1] == "no answer without it"
    assert f"Read privilege on the IDOs {name}," in outcome.out


@pytest.mark.usefixtures("tenant")
def test_an_optional_property_that_is_missing_is_named(run: Run, lack: Lack) -> None:
    lack(SLJobs={"Whse", "CustNum"}, SLItems={"Description"})
    outcome = run("doctor")
    assert outcome.code == 0
    assert "Production schedule: can answer" in outcome.out
    assert line_of(outcome, "SLJobs")[-1] == "lacks Whse, CustNum"
    assert line_of(outcome, "SLItems")[-1] == "lacks Description"


@pytest.mark.usefixtures("tenant")
def test_a_required_property_that_is_missing_is_exit_code_1(run: Run, lack: Lack) -> None:
    lack(SLJobRoutes={"Complete"})
    outcome = run("doctor")
    assert outcome.code == 1
    assert "Production schedule: CANNOT ANSWER" in outcome.out
    assert line_of(outcome, "SLJobRoutes")[-1] == "lacks Complete"


@pytest.mark.usefixtures("tenant")
def test_a_collection_without_rows_is_no_obstacle(run: Run, simulator: RunningSimulator) -> None:
    collection = simulator.plant.collections["SLItemwhses"]
    simulator.state.faults.movements.delete(collection, range(collection.size))
    try:
        outcome = run("doctor")
    finally:
        simulator.state.faults.clear()
    assert outcome.code == 0
    assert line_of(outcome, "SLItemwhses")[2:] == ["empty", line_of(outcome, "SLItemwhses")[3], "no rows yet"]


def test_the_demo_passes_without_any_setting(run: Run) -> None:
    outcome = run("doctor", "--demo")
    assert outcome.code == 0
    assert "Production schedule: can answer" in outcome.out


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_the_direct_way_in_is_checked_as_well(
    run: Run, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    options = simulator.state.options
    monkeypatch.setenv("SL10_BASE_URL", simulator.base_url)
    monkeypatch.setenv("SL10_USERNAME", options.username)
    monkeypatch.setenv("SL10_PASSWORD", options.password if password == "right" else "not-the-right-one")
    monkeypatch.setenv("SL10_CONFIG_NAME", options.configurations[0])
    monkeypatch.setenv("SL10_TIMEZONE", "America/Chicago")
    outcome = run("doctor")
    if password == "right":
        assert outcome.code == 0
        assert simulator.base_url in outcome.out
    else:
        assert outcome.code == 1
        assert "user, password and configuration" in outcome.line()
    assert options.password not in outcome.out + outcome.err
    assert "not-the-right-one" not in outcome.out + outcome.err


# What is wrong before the first read


def test_without_settings_the_line_names_them_and_the_exit_code_is_2(run: Run) -> None:
    outcome = run("doctor")
    assert outcome.code == 2
    assert "SL10_IONAPI_FILE, SL10_CONFIG_NAME, SL10_TIMEZONE not set" in outcome.line()


@pytest.mark.parametrize("member", ["cs", "ci", "sask", "saak"])
def test_wrong_credentials_are_one_line_that_does_not_show_them(run: Run, lead: Lead, member: str) -> None:
    lead(**{member: "not-the-right-one"})
    outcome = run("doctor")
    assert outcome.code == 1
    assert "refuses the credentials" in outcome.line()
    assert "not-the-right-one" not in outcome.line()


def test_a_configuration_that_the_tenant_lacks_is_one_line_that_names_the_setting(run: Run, lead: Lead) -> None:
    lead("ELSEWHERE")
    outcome = run("doctor")
    assert outcome.code == 1
    assert "SL10_CONFIG_NAME" in outcome.line()


def test_a_credentials_file_that_is_not_there_is_exit_code_2(
    run: Run, lead: Lead, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead()
    monkeypatch.setenv("SL10_IONAPI_FILE", str(tmp_path / "none.ionapi"))
    outcome = run("doctor")
    assert outcome.code == 2
    assert "SL10_IONAPI_FILE" in outcome.line()


def test_a_credentials_file_that_lacks_a_member_is_exit_code_2(run: Run, lead: Lead) -> None:
    lead(ci="")
    outcome = run("doctor")
    assert outcome.code == 2
    assert "whose ci is wrong" in outcome.line()


def closed_port() -> str:
    """Return the address of a port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.usefixtures("without_waiting")
def test_an_erp_that_cannot_be_reached_is_exit_code_1_without_a_traceback(run: Run, lead: Lead) -> None:
    address = closed_port()
    lead(iu=address, pu=f"{address}/as/")
    outcome = run("doctor")
    assert outcome.code == 1
    assert "cannot be reached" in outcome.out + outcome.err
    assert "Traceback" not in outcome.out + outcome.err


@pytest.mark.usefixtures("without_waiting")
def test_an_erp_that_cannot_be_reached_is_one_line(run: Run, lead: Lead) -> None:
    address = closed_port()
    lead(iu=address, pu=f"{address}/as/")
    assert "cannot be reached" in run("doctor").line()


@pytest.mark.usefixtures("without_waiting")
def test_a_token_that_was_not_to_be_had_is_not_said_to_be_granted(run: Run, lead: Lead) -> None:
    lead(pu=f"{closed_port()}/as/")
    assert "granted" not in run("doctor").out


@pytest.mark.usefixtures("without_waiting")
def test_a_gateway_that_cannot_be_reached_is_exit_code_1(run: Run, lead: Lead) -> None:
    lead(iu=closed_port())
    outcome = run("doctor")
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    assert "The ERP cannot be reached" in outcome.out + outcome.err


@pytest.mark.usefixtures("tenant")
def test_without_a_lake_the_doctor_says_what_that_means(run: Run) -> None:
    assert "Lake      not enabled: large questions are refused" in run("doctor").out


@pytest.mark.usefixtures("tenant")
def test_of_a_lake_it_is_told_how_recent_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_ENABLED", "true")
    outcome = run("doctor")
    assert re.search(
        r"Lake      granted; its newest row came -?[\d,.]+ (min|h) ago, \d min after the ERP", outcome.out
    )
    assert "LAKE_TIMESTAMPS" not in outcome.out


@pytest.mark.usefixtures("tenant")
def test_clocks_that_do_not_go_together_show_a_wrong_setting(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_ENABLED", "true")
    monkeypatch.setenv("LAKE_TIMESTAMPS", "wall_clock")
    assert "check SL10_TIMEZONE and LAKE_TIMESTAMPS" in run("doctor").out


@pytest.mark.usefixtures("tenant")
def test_a_lake_that_fails_is_no_reason_to_fail(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_ENABLED", "true")
    monkeypatch.setenv("LAKE_TABLE_TEMPLATE", "nowhere_{table}")
    outcome = run("doctor")
    assert outcome.code == 0
    assert "Lake      fails: The data lake could not run the query" in outcome.out
    assert "LAKE_TABLE_TEMPLATE" in outcome.out
