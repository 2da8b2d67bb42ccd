"""A browser before a server with a simulated plant of today, for the tests whose names begin with test_browser."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from kai_erp.demo import plant_now
from kai_erp.simulator import Plant, RunningSimulator, build_plant, run_simulator
from tests.conftest import settings_of
from tests.test_console.browser import NOT_TESTED, PATIENCE_MS, Site, Watch, chromium, launched, served, visiting

MANY = {"inbound_per_minute": 100_000, "inbound_concurrency": 64}


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests in a browser together: on one worker they share what takes seconds to start."""
    for item in items:
        if "chromium_browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("browser"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end, where nobody overlooks it, that there was no browser."""
    skipped = terminalreporter.getreports("skipped")
    count = sum(NOT_TESTED in str(report.longrepr) for report in skipped)
    if count:
        terminalreporter.section("the console", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{NOT_TESTED} ({count} tests)", red=True, bold=True)


@pytest.fixture(scope="session")
def executable() -> str:
    """Where Chromium is. Without it the tests are skipped, and on CI fail."""
    found = chromium()
    if found is None and os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(NOT_TESTED)
    if found is None:
        pytest.skip(NOT_TESTED)
    return found


# Playwright keeps a loop running in this thread: it must end before another module's tests need one.
@pytest.fixture(scope="module")
def chromium_browser(executable: str) -> Iterator[Browser]:
    """A browser, for the tests of a module."""
    expect.set_options(timeout=PATIENCE_MS)
    with launched(executable) as browser:
        yield browser


@pytest.fixture(scope="session")
def plant_of_today() -> Plant:
    """A plant whose clock shows the present, so that its bars are on the board."""
    return build_plant("small", 1, plant_now())


@pytest.fixture(scope="module")
def erp(plant_of_today: Plant) -> Iterator[RunningSimulator]:
    """That plant on a socket."""
    with run_simulator(plant_of_today) as running:
        yield running


@pytest.fixture(scope="module")
def site(erp: RunningSimulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server before that plant, which asks nobody for a key."""
    folder: Path = tmp_path_factory.mktemp("console")
    with served(settings_of(erp, folder / "tenant.ionapi", **MANY), erp) as running:
        yield running


@pytest.fixture
def watch(site: Site) -> Watch:
    """What the pages of a test do."""
    return Watch(site.url)


@pytest.fixture
def page(chromium_browser: Browser, watch: Watch) -> Iterator[Page]:
    """A page of a new visitor; at the end nothing that it did may be wrong."""
    with visiting(chromium_browser, watch) as opened:
        yield opened


@pytest.fixture
def plain_page(chromium_browser: Browser, watch: Watch) -> Iterator[Page]:
    """A page of a visitor whose browser runs no scripts."""
    with visiting(chromium_browser, watch, java_script_enabled=False) as opened:
        yield opened
