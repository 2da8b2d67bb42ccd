"""How a page is renewed in a browser: on request, or by a stream of which a page has one at most."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from kai_erp.simulator import RunningSimulator
from tests.test_console.browser import Site, Watch, eventually, settled, visiting

EVENTS = "/console/events"
ITEMS = "/console/inventory?item={}"
HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden});
  document.dispatchEvent(new Event('visibilitychange'));
}"""
GROW_OLD = """() => {
  const form = document.querySelector('[data-live]');
  const address = new URL(form.dataset.live, location);
  address.searchParams.set('at', new Date(Date.now() - 600_000).toISOString());
  form.dataset.live = address.pathname + address.search;
}"""


@pytest.fixture
def item(site: Site, erp: RunningSimulator) -> Iterator[str]:
    """An item whose description a test changes."""
    found: str = site.api("/inventory/status", query="flat", limit=1)["data"][0]["item"]
    yield found
    erp.state.forget_changes()


def choose(page: Page, every: str) -> None:
    """Choose how often the page is renewed."""
    page.get_by_role("combobox", name="Refresh").select_option(every)


def test_all_who_look_share_a_reading(page: Page, chromium_browser: Browser, site: Site) -> None:
    page.goto("/console/orders")
    asked = len(site.simulator.state.requests)
    with visiting(chromium_browser, Watch(site.url)) as other:
        other.goto("/console/orders")
        moment = other.locator(".provenance time").first.get_attribute("datetime")
    assert len(site.simulator.state.requests) == asked
    assert page.locator(".provenance time").first.get_attribute("datetime") == moment


def test_the_button_reads_the_erp_anew(page: Page, site: Site, erp: RunningSimulator, item: str) -> None:
    page.goto(ITEMS.format(item))
    erp.state.change("SLItems", {"Item": item}, {"Description": "Now quite another thing"})
    page.reload()
    expect(page.locator("#part")).not_to_contain_text("Now quite another thing")
    eventually(page, lambda: renewed(page, "Now quite another thing"))
    expect(page.get_by_label("Item", exact=True)).to_have_value(item)
    expect(page).to_have_url(site.url + ITEMS.format(item))


def test_the_button_does_so_without_scripts(plain_page: Page, erp: RunningSimulator, item: str) -> None:
    plain_page.goto(ITEMS.format(item))
    erp.state.change("SLItems", {"Item": item}, {"Description": "Something else again"})
    eventually(plain_page, lambda: renewed(plain_page, "Something else again"))
    expect(plain_page.get_by_label("Item", exact=True)).to_have_value(item)


def renewed(page: Page, text: str) -> bool:
    """Ask for a new reading, and tell whether it brought a text."""
    page.get_by_role("button", name="Refresh now").click()
    settled(page)
    return text in page.locator("#part").inner_text()


def test_a_choice_opens_one_stream_that_a_hidden_page_closes(page: Page, watch: Watch) -> None:
    page.goto("/console/orders?late_only=true")
    assert watch.paths(EVENTS) == []
    choose(page, "every minute")
    eventually(page, lambda: len(watch.paths(EVENTS)) == 1)
    (address,) = watch.paths(EVENTS)
    assert "connector=open_orders" in address
    assert "late_only=true" in address
    assert "every=60" in address
    with page.expect_event("requestfailed", lambda request: EVENTS in request.url):
        page.evaluate(HIDE, True)  # noqa: FBT003  # an argument of the script
    with page.expect_request(lambda request: EVENTS in request.url):
        page.evaluate(HIDE, False)  # noqa: FBT003
    with page.expect_event("requestfailed", lambda request: EVENTS in request.url):
        choose(page, "on request")
    assert len(watch.paths(EVENTS)) == 2


def test_the_choice_holds_for_the_pages_after(page: Page, watch: Watch) -> None:
    page.goto("/console/orders")
    choose(page, "every 5 minutes")
    page.goto("/console/inventory?query=flat")
    expect(page.get_by_role("combobox", name="Refresh")).to_have_value("300")
    eventually(page, lambda: any("query=flat" in path and "every=300" in path for path in watch.paths(EVENTS)))


def test_a_page_shows_what_was_read_anew_and_stays_where_it_was(page: Page, site: Site, watch: Watch) -> None:
    page.set_viewport_size({"width": 1600, "height": 400})
    page.goto("/console/orders?late_only=true")
    page.evaluate("window.scrollTo(0, 200)")
    page.locator("#answer").evaluate("answer => { answer.dataset.mark = 'old'; }")
    page.evaluate(GROW_OLD)
    choose(page, "every minute")
    expect(page.locator("#live")).to_have_text("The page was refreshed.")
    expect(page.locator("#answer")).not_to_have_attribute("data-mark", "old")
    expect(page).to_have_url(f"{site.url}/console/orders?late_only=true")
    assert page.evaluate("window.scrollY") == 200
    expect(page.get_by_role("combobox", name="Refresh")).to_have_value("60")
    eventually(page, lambda: len(watch.paths(EVENTS)) == 2)


def test_a_page_that_renews_itself_keeps_open_what_is_open(page: Page) -> None:
    page.goto("/console/orders")
    page.locator("details.order > summary").nth(1).click()
    page.evaluate(GROW_OLD)
    choose(page, "every minute")
    expect(page.locator("#live")).to_have_text("The page was refreshed.")
    assert page.locator("details.order").nth(1).get_attribute("open") is not None


def test_the_keyboard_stays_at_the_button(page: Page) -> None:
    page.goto("/console/orders?late_only=true")
    page.locator("#answer").evaluate("answer => { answer.dataset.mark = 'old'; }")
    page.get_by_role("button", name="Refresh now").press("Enter")
    expect(page.locator("#answer")).not_to_have_attribute("data-mark", "old")
    settled(page)
    assert page.get_by_role("button", name="Refresh now").evaluate("button => button === document.activeElement")


def test_a_reading_that_failed_is_told_and_the_page_stays(page: Page, erp: RunningSimulator) -> None:
    page.goto("/console/orders?days_out=17")
    expect(page.locator("#answer .tiles")).to_be_visible()
    erp.state.denied.add("slcoitems")
    page.evaluate("document.querySelector('[data-live]').dataset.live += '&days_out=18'")
    page.evaluate(GROW_OLD)
    choose(page, "every minute")
    expect(page.locator("#live")).to_contain_text("Refreshing failed: ")
    expect(page.locator("#answer .tiles")).to_be_visible()
    erp.state.denied.clear()
