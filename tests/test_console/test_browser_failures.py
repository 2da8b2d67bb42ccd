"""What a browser shows when there is no answer, or not all of it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import stamina
from playwright.sync_api import Browser, Locator, Page, expect

from kai_erp.simulator import Abort, Fault, RunningSimulator
from tests.conftest import settings_of
from tests.test_console.browser import Site, Watch, eventually, figure, served, settled, visiting
from tests.test_console.conftest import MANY

UNTOLD = "Failed to load resource"  # what the browser itself says of every status from 400 on


@pytest.fixture(autouse=True)
def _mended(erp: RunningSimulator) -> Iterator[None]:
    yield
    erp.state.faults.clear()
    erp.state.denied.clear()


@pytest.fixture
def watch(site: Site) -> Watch:
    return Watch(site.url, expected=(UNTOLD,))


@pytest.fixture
def own_page(erp: RunningSimulator, chromium_browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page of a server that nobody else asks, where answers are kept for a second."""
    settings = settings_of(erp, tmp_path / "tenant.ionapi", snapshot_ttl_seconds=1, **MANY)
    with (
        served(settings, erp) as site,
        visiting(chromium_browser, Watch(site.url, expected=(UNTOLD,))) as page,
    ):
        yield page


def panel(page: Page) -> Locator:
    """Return the panel of a failure."""
    return page.locator("#answer section.failure")


def told(page: Page, status: str, code: str) -> None:
    """Check that a failure is told with all that helps."""
    expect(panel(page)).to_have_attribute("data-code", code)
    expect(panel(page)).to_have_attribute("role", "alert")
    expect(panel(page)).to_contain_text("What to do:")
    expect(panel(page)).to_contain_text(re.compile(rf"{code} · request [0-9a-f]{{32}}"))
    expect(panel(page).get_by_role("heading")).not_to_be_empty()
    assert status in page.evaluate("String(performance.getEntriesByType('navigation')[0].responseStatus)")


@pytest.mark.parametrize("path", ["/", "/console/orders", "/console/inventory", "/console/customers?query=county"])
def test_an_erp_that_is_down_is_told_and_the_page_can_be_tried_again(
    own_page: Page, erp: RunningSimulator, path: str
) -> None:
    erp.state.faults.add(Fault(Abort(0), times=None))
    with stamina.set_testing(True, attempts=1):
        own_page.goto(path)
    told(own_page, "50", "upstream_unavailable")
    expect(own_page.locator("form.filters")).to_be_visible()
    erp.state.faults.clear()
    own_page.reload()
    expect(own_page.locator("#answer .tiles")).to_be_visible()


def test_a_way_to_try_again_is_offered(own_page: Page, erp: RunningSimulator) -> None:
    erp.state.denied.add("sljobs")
    own_page.goto("/?work_center=WELD&sort=hours")
    told(own_page, "502", "upstream_denied")
    erp.state.denied.clear()
    own_page.get_by_role("link", name="Try again").click()
    expect(own_page.locator("#answer .tiles")).to_be_visible()
    assert "work_center=WELD" in own_page.url
    assert "sort=hours" in own_page.url


def test_a_customer_without_the_erp(own_page: Page, erp: RunningSimulator) -> None:
    erp.state.denied.add("slcustomers")
    own_page.goto("/console/customers/C000246")
    told(own_page, "502", "upstream_denied")


def test_a_collection_that_may_not_be_read_is_named_and_the_rest_is_shown(
    own_page: Page, erp: RunningSimulator
) -> None:
    erp.state.denied.add("sljrtschs")
    own_page.goto("/")
    warning = own_page.locator("#answer .warning[data-code]")
    expect(warning.first).to_contain_text("SLJrtSchs")
    assert figure(own_page, "operations") > 0


def test_a_failure_after_a_filter_takes_the_place_of_the_answer(own_page: Page, erp: RunningSimulator) -> None:
    own_page.goto("/console/orders")
    expect(own_page.locator("#answer .tiles")).to_be_visible()
    erp.state.denied.add("slcoitems")
    own_page.get_by_label("late only").check()
    expect(panel(own_page)).to_have_attribute("data-code", "upstream_denied")
    expect(own_page.locator("#answer")).to_have_count(1)
    expect(own_page.locator("#answer .tiles")).to_have_count(0)
    expect(own_page.get_by_label("late only")).to_be_checked()
    erp.state.denied.clear()
    own_page.get_by_role("button", name="Show").click()
    expect(own_page.locator("#answer .tiles")).to_be_visible()


def test_a_wrong_parameter_is_told(page: Page) -> None:
    page.goto("/console/orders?days_out=366")
    told(page, "422", "invalid_parameter")
    expect(panel(page)).to_contain_text("days_out")
    page.goto("/?at=yesterday")
    told(page, "422", "invalid_parameter")


@pytest.mark.parametrize(
    "path",
    [
        "/console/orders",
        "/console/inventory",
        "/",
    ],
)
def test_a_list_that_is_kept_no_more_says_so_and_leads_to_a_new_one(own_page: Page, path: str) -> None:
    own_page.goto(path)
    more = own_page.get_by_role("link", name=re.compile(r"Show \d+ more"))
    lapse(own_page, str(more.get_attribute("hx-get")))
    more.click()
    expect(panel(own_page)).to_have_attribute("data-code", "cursor_expired")
    expect(own_page.locator("#answer")).to_have_count(1)
    own_page.get_by_role("link", name="Try again").click(timeout=5_000)
    expect(own_page.locator("#answer .tiles")).to_be_visible()


def test_a_bar_of_a_board_that_is_kept_no_more_says_so(own_page: Page) -> None:
    own_page.goto("/?work_center=WELD")
    of = own_page.locator("[data-of]").get_attribute("data-of")
    lapse(own_page, f"{of}&of=1&op=10")
    own_page.locator("a.bar").first.click()
    expect(own_page.locator("#card section.failure")).to_have_attribute("data-code", "cursor_expired")


def lapse(page: Page, address: str) -> None:
    """Wait until an address leads to an answer that is kept no more."""
    eventually(page, lambda: page.request.get(address).status == 410)


def test_an_address_of_a_moment_that_is_not_kept_says_so(page: Page) -> None:
    page.goto("/?at=2020-01-01T00:00:00%2B00:00")
    told(page, "410", "cursor_expired")
    page.goto("/console/download/open_orders.csv?at=2020-01-01T00:00:00%2B00:00")
    told(page, "410", "cursor_expired")


@pytest.mark.parametrize("path", ["/console/nothing", "/console/customers/NOBODY-1", "/console/tools/nothing"])
def test_there_is_a_page_for_what_there_is_not(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
    page.get_by_role("link", name="To the shop floor").click()
    settled(page)
    expect(page.locator("#answer .tiles")).to_be_visible()
