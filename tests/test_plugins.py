"""Connectors of other packages are found by their entry point; a broken one stops nothing."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import structlog
from structlog.testing import capture_logs

from kai_erp.api.main import create_app
from kai_erp.api.routes.questions import PageParameters
from kai_erp.cli import questions
from kai_erp.cli.main import cli
from kai_erp.cli.verbs import OVERVIEW, overview
from kai_erp.config import Settings
from kai_erp.connectors import BedrockOpsScheduler
from kai_erp.plugins import _OWN_PARAMETERS, _OWN_ROOMS, _OWN_VERBS, all_connectors, check_connector, refresh

Install = Callable[..., None]
GOOD = """
from kai_erp.connectors import BedrockOpsScheduler

class Night(BedrockOpsScheduler):
    name = "night_schedule"
    path = "/night/schedule"
    tool = "get_night_schedule"
    verb = "night"
    scope = "night_schedule:read"
"""
WRONG_QUERY = """
from kai_erp.connectors import ScheduleQuery
from pydantic import Field

class Query(ScheduleQuery):
    {field} = Field(None, description="Something.")

class Asking(Night):
    query = Query
    example = Query()
"""
BROKEN = {
    "cannot be imported": ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
    "is no Python": ("class", "SyntaxError"),
    "wants to end the process": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "has no such name": ("", "has no attribute 'Night'"),
    "is no connector": ("Night = dict", "neither a class made from BaseConnector nor an instance"),
    "is no connector at all": ("Night = 'night'", "neither a class made from BaseConnector nor an instance"),
    "is abstract": ("from kai_erp.connectors import BaseConnector\nclass Night(BaseConnector): pass", "abstract"),
    "fails when it is made": (GOOD + "    def __init__(self): raise KeyError('door')", "KeyError: 'door'"),
    "has a name that is taken": (
        GOOD + "    name, scope = 'production_schedule', 'production_schedule:read'",
        "its name 'production_schedule' is taken",
    ),
    "has a path that is taken": (GOOD + "    path = '/bedrock/schedule'", "its path '/bedrock/schedule' is taken"),
    "has a path of kai-erp's own": (GOOD + "    path = '/health/night'", "its path '/health/night' is taken"),
    "has a path with a parameter": (GOOD + "    path = '/night/{job}'", "its path is '/night/{job}', allowed is"),
    "has a tool that is taken": (
        GOOD + "    tool = 'get_production_schedule'",
        "its tool 'get_production_schedule' is taken",
    ),
    "has a verb that is taken": (GOOD + "    verb = 'schedule'", "its verb 'schedule' is taken"),
    "has a verb of kai-erp's own": (GOOD + "    verb = 'serve'", "its verb 'serve' is taken"),
    "has a scope that is taken": (
        GOOD + "    name, scope = 'schedule', 'schedule:read'",
        "its scope 'schedule:read' is taken",
    ),
    "has a scope with another name": (
        GOOD + "    scope = '*'",
        "its scope is '*', allowed is 'night_schedule:read'",
    ),
    "has a name that is no word": (GOOD + "    name = 'Night shift'", "its name is 'Night shift', allowed is"),
    "has no description": (GOOD + "    description = ' '", "no title or no description"),
    "has a record that is no model": (GOOD + "    record = dict", "its record is not made from BaseModel"),
    "has an example of another query": (GOOD + "    example = None", "its example is not one of its queries"),
    "shows what is no field": (GOOD + "    table_fields = ('moon',)", "its tables show moon"),
    "fails when it is to say what it reads": (
        GOOD + "    def get_rest_spec(self, query, moment): raise KeyError('moon')",
        "KeyError: 'moon'",
    ),
    "has a parameter named as one of every question": (
        GOOD + WRONG_QUERY.format(field="limit: int | None"),
        "its parameter limit has the name",
    ),
    "has a parameter that is a fraction": (
        GOOD + WRONG_QUERY.format(field="share: float | None"),
        "its parameter share is neither",
    ),
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put packages on the path as an installer leaves them: a module, its metadata and its entry points."""
    modules: list[str] = []

    def put(module: str, source: str, value: str = "Night") -> None:
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(dedent(source), encoding="utf-8")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(
            f"[kai_erp.connectors]\n{module} = {module}:{value}\n", encoding="utf-8"
        )
        monkeypatch.syspath_prepend(tmp_path)
        refresh()

    yield put
    monkeypatch.undo()
    for module in modules:
        sys.modules.pop(module, None)
    refresh()


def names() -> list[str]:
    return [connector.name for connector in all_connectors()]


def named(name: str) -> str:
    """Return the source of a good connector with other names."""
    return GOOD.replace("night", name)


def test_the_built_in_connectors_come_first() -> None:
    assert isinstance(all_connectors()[0], BedrockOpsScheduler)


def test_a_class_and_an_instance_are_found_and_stand_behind_the_built_in_ones_by_name(install: Install) -> None:
    built_in = names()
    install("a_package", named("zebra"))
    install("z_package", named("antelope") + "\nnight = Night()\n", "night")
    assert names() == [*built_in, "antelope_schedule", "zebra_schedule"]


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_package_is_left_out_with_a_warning_when_it(source: str, reason: str, install: Install) -> None:
    built_in = names()
    install("good_package", named("day"))
    install("odd_package", source, "Asking" if "class Asking" in source else "Night")
    with capture_logs() as lines:
        assert names() == [*built_in, "day_schedule"]
    ((line),) = lines
    assert (line["event"], line["log_level"], line["distribution"]) == (
        "connector left out",
        "warning",
        "odd_package",
    )
    assert line["entry_point"].startswith("odd_package = odd_package:")
    assert reason in line["because"]


def test_the_good_package_of_these_tests_is_good(install: Install) -> None:
    """What the test above rests on: only what it changes is wrong."""
    install("good_package", GOOD + WRONG_QUERY.format(field="share: int | None"), "Asking")
    with capture_logs() as lines:
        assert names()[-1] == "night_schedule"
    assert lines == []


def test_of_two_packages_with_the_same_names_the_first_by_entry_point_is_taken(install: Install) -> None:
    install("b_package", GOOD)
    install("a_package", GOOD)
    with capture_logs() as lines:
        assert names().count("night_schedule") == 1
    assert [(line["distribution"], line["because"]) for line in lines] == [
        ("b_package", "ValueError: its name 'night_schedule' is taken")
    ]


def test_the_warning_goes_to_stderr_before_the_log_is_set_up(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.reset_defaults()
    install("odd_package", "import nothing_of_this_name")
    all_connectors()
    seen = capsys.readouterr()
    assert seen.out == ""
    assert "odd_package" in seen.err
    assert "nothing_of_this_name" in seen.err


def test_packages_are_looked_for_once_until_they_are_to_be_looked_for_again(install: Install) -> None:
    install("odd_package", "import nothing_of_this_name")
    with capture_logs() as lines:
        assert all_connectors() == all_connectors()
        assert len(lines) == 1
        refresh()
        all_connectors()
    assert len(lines) == 2


def test_the_list_that_is_returned_is_the_callers() -> None:
    all_connectors().clear()
    assert all_connectors()


def test_a_connector_without_a_driving_collection_is_refused() -> None:
    class Idle(BedrockOpsScheduler):
        name, scope = "idle", "idle:read"

        def get_rest_spec(self, query: object, moment: object) -> object:  # type: ignore[override]
            spec = super().get_rest_spec(query, moment)  # type: ignore[arg-type]
            return type(spec)(spec.collections[1:], spec.sql, spec.zone)

    with pytest.raises(ValueError, match="driving"):
        check_connector(Idle())


def test_its_verb_stands_after_ours_in_the_overview(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("kai_erp_night", GOOD)
    assert list(overview()) == [*OVERVIEW, "night"]
    cli(["night", "--help"], standalone_mode=False)
    assert "--work-center" in capsys.readouterr().out


def test_no_command_room_or_parameter_of_kai_erp_can_be_taken() -> None:
    ours = all_connectors()
    assert set(overview()) - {connector.verb for connector in ours} <= _OWN_VERBS
    paths = {str(getattr(route, "path", "/")) for route in create_app(Settings()).routes}
    others = paths - {connector.path for connector in ours}
    rooms = {match[1] for path in others if (match := re.match(r"/([a-z-]+)(?:/|\Z)", path))}
    assert rooms <= _OWN_ROOMS
    assert {*PageParameters.model_fields, *questions._COMMON} <= _OWN_PARAMETERS
