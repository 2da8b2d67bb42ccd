"""The command run within this process, against the shared simulator."""

import sys
from collections.abc import Iterator

import pytest
import structlog

from kai_erp.cli.main import main
from kai_erp.config import Settings
from tests.test_cli.commands import Outcome, Run


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Run the command as its entry point does, and return what it left behind."""

    def execute(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["kai-erp", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        seen = capsys.readouterr()
        return Outcome(int(end.value.code or 0), seen.out, seen.err)

    yield execute
    structlog.reset_defaults()


@pytest.fixture
def tenant(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the settings that lead to the shared simulator in the environment."""
    monkeypatch.setenv("SL10_IONAPI_FILE", str(settings.sl10_ionapi_file))
    monkeypatch.setenv("SL10_CONFIG_NAME", str(settings.sl10_config_name))
    monkeypatch.setenv("SL10_TIMEZONE", str(settings.sl10_timezone))
