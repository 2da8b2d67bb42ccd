"""What lies in `examples` runs, and the package there brings its question to every surface."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kai_erp.config import Settings
from kai_erp.plugins import all_connectors, refresh
from tests.test_api.serving import serving
from tests.test_cli.commands import COMMAND

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PACKAGE = EXAMPLES / "kai-erp-shortages"
NAME = "material_shortages"
PLUGINS = ("pytest_asyncio.plugin", "pytest_timeout", "xdist.plugin")  # those that our settings name
PYTEST = (sys.executable, "-m", "pytest", "-q", *(f"-p{name}" for name in ("no:cacheprovider", *PLUGINS)))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the example package as an installer would put it there: built, unpacked."""
    folder = tmp_path_factory.mktemp("shortages")
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "wheels"))
    subprocess.run(build, cwd=PACKAGE, capture_output=True, check=True)  # noqa: S603  # our own code
    (wheel,) = (folder / "wheels").iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example package, installed for this process."""
    monkeypatch.syspath_prepend(site)
    refresh()
    yield
    monkeypatch.undo()
    sys.modules.pop("kai_erp_shortages", None)
    refresh()


def run(*arguments: str | Path, beside: Path | None = None, cwd: Path | None = None) -> str:
    """Return what a program prints, with the packages of a folder installed; it must succeed."""
    paths = [str(beside)] if beside else []
    paths += os.environ.get("PYTHONPATH", "").split(os.pathsep)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # to load them all takes longer than the tests
    }
    done = subprocess.run(  # noqa: S603  # our own programs
        arguments, cwd=cwd, env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_is_one_module_and_its_metadata(site: Path) -> None:
    assert sorted(path.name for path in site.iterdir()) == [
        "kai_erp_shortages-0.1.0.dist-info",
        "kai_erp_shortages.py",
    ]


def test_the_examples_own_tests_pass(site: Path) -> None:
    said = run(*PYTEST, beside=site, cwd=PACKAGE)
    assert " passed" in said


def test_what_every_connector_owes_the_example_owes_too(site: Path) -> None:
    tests = ROOT / "tests" / "contract"
    said = run(*PYTEST, "-k", NAME, tests, beside=site, cwd=ROOT)
    assert " passed" in said


@pytest.mark.usefixtures("installed")
def test_it_stands_behind_the_built_in_connectors() -> None:
    assert all_connectors()[-1].name == NAME


@pytest.mark.usefixtures("installed")
async def test_the_api_has_its_route_its_catalogue_entry_and_its_schema(settings: Settings) -> None:
    async with serving(settings) as client:
        answer = (await client.get("/materials/shortages", params={"item": "HY-*"})).json()
        entries = {entry["name"]: entry for entry in (await client.get("/connectors")).json()}
        schema = (await client.get("/openapi.json")).json()
        refused = await client.get("/materials/shortages", params={"itme": "HY-*"})
    assert answer["summary"]["total"] == len(answer["data"]) > 0
    assert {record["item"][:3] for record in answer["data"]} == {"HY-"}
    assert {read["collection"] for read in answer["meta"]["upstream"]} == {
        "SLJobmatls",
        "SLJobs",
        "SLItemwhses",
        "SLItems",
    }
    assert [(entry["name"], entry["required"]) for entry in entries[NAME]["collections"]] == [
        ("SLJobmatls", True),
        ("SLJobs", True),
        ("SLItemwhses", True),
        ("SLItems", False),
    ]
    assert "/materials/shortages" in schema["paths"]
    assert "MaterialShortage" in schema["components"]["schemas"]
    assert refused.status_code == 422


def test_the_command_line_has_its_verb(site: Path) -> None:
    said = json.loads(run(COMMAND, "shortages", "--demo", "--item", "HY-*", "--format", "json", beside=site))
    assert said["meta"]["connector"] == NAME
    assert said["data"]
    assert "Material shortages" in run(COMMAND, "shortages", "--demo", "--item", "HY-*", beside=site)


def test_the_command_lines_catalogue_lists_it(site: Path) -> None:
    entries = json.loads(run(COMMAND, "connectors", "--json", beside=site))
    assert [entry["name"] for entry in entries][-1] == NAME


def test_the_python_api_has_its_method(site: Path) -> None:
    code = (
        "import kai_erp\n"
        "with kai_erp.connect_sync(demo=True) as erp:\n"
        "    answer = erp.shortages(item='HY-*')\n"
        "    print(answer.to_arrow() == erp.ask('material_shortages', item='HY-*').to_arrow())\n"
    )
    assert run(sys.executable, "-c", code, beside=site) == "True\n"


def test_without_the_package_there_is_no_such_question() -> None:
    assert NAME not in [connector.name for connector in all_connectors()]


def test_the_example_of_the_asynchronous_api_tells_what_is_late() -> None:
    lines = run(sys.executable, EXAMPLES / "late_operations.py").splitlines()
    counts = [int(line.split()[1]) for line in lines]
    assert lines[-1].startswith("all ")
    assert sum(counts[:-1]) == counts[-1] > 0


def test_the_notebook_runs_from_its_first_cell_to_its_last() -> None:
    said = run(sys.executable, EXAMPLES / "notebook.py")
    assert "qty_remaining" in said
    assert "on_track" in said


def test_every_example_is_run_by_a_test() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.iterdir():
        assert f'"{path.name}"' in tests
