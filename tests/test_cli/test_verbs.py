"""The overview of the verbs: quick, and true to what there is."""

import subprocess
import sys

from typer.main import get_command

from kai_erp.cli import verbs
from kai_erp.cli.main import cli
from kai_erp.plugins import all_connectors
from tests.test_cli.commands import Run

_ASK = """
import sys
sys.argv[1:] = ["--help"]
from kai_erp.cli.main import cli
cli(standalone_mode=False)
print(*sorted({"duckdb", "fastapi", "mcp", "numpy", "pyarrow", "pydantic"} & sys.modules.keys()), file=sys.stderr)
"""


def test_the_overview_imports_nothing_that_only_answers_need() -> None:
    done = subprocess.run([sys.executable, "-c", _ASK], capture_output=True, text=True, check=True)  # noqa: S603  # ours
    assert "schedule" in done.stdout
    assert done.stderr.split() == []


def test_the_overview_names_every_connector_and_every_verb_is_there() -> None:
    shown = list(verbs.OVERVIEW)
    connectors = [name for name, verb in verbs.OVERVIEW.items() if verb.module == "questions"]
    assert connectors == [connector.verb for connector in all_connectors()]
    group = get_command(cli)
    assert isinstance(group, verbs.VerbGroup)
    assert [group.commands[name].name for name in shown] == shown


def test_each_line_of_the_overview_fits_a_terminal(run: Run) -> None:
    listed = run("--help").out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(verbs.OVERVIEW)


def test_a_verb_that_is_spelled_wrongly_is_answered_by_the_nearest(run: Run) -> None:
    outcome = run("schedul")
    assert outcome.code == 2
    assert "Did you mean 'schedule'?" in outcome.err
