"""Status, and every question with its form, in a browser."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from kai_erp.plugins import all_connectors
from kai_erp.simulator import RunningSimulator
from tests.test_console.browser import Site, Watch, settled, visiting

TOOLS = "/console/tools"
SCHEDULE = f"{TOOLS}/production_schedule"


def document(page: Page) -> dict[str, object]:
    """Return the answer that the page shows as JSON."""
    shown: dict[str, object] = json.loads(page.locator("#json").inner_text())
    return shown


def test_the_status_says_that_the_erp_answers_and_checks_the_tenant(page: Page, erp: RunningSimulator) -> None:
    erp.state.denied.add("slcustomers")
    page.goto("/console/status")
    expect(page.get_by_text("✓ ready")).to_be_visible()
    page.get_by_role("button", name="Check the tenant").click()
    expect(page.locator("#answer")).to_contain_text("Read privilege on the IDO")
    expect(page.locator("#answer")).to_contain_text("SLCustomers")
    expect(page.get_by_text("✓ can answer").first).to_be_visible()
    expect(page.get_by_text("! cannot answer").first).to_be_visible()
    erp.state.denied.clear()


def test_the_status_is_read_anew_in_place(page: Page, site: Site, watch: Watch) -> None:
    page.goto("/console/status")
    page.locator("#answer").evaluate("answer => { answer.dataset.mark = 'old'; }")
    watch.requests.clear()
    page.get_by_role("button", name="Refresh").click()
    expect(page.locator("#answer")).not_to_have_attribute("data-mark", "old")
    assert watch.kinds() & {"document", "fetch"} == {"fetch"}
    expect(page).to_have_url(f"{site.url}/console/status")


def test_every_tool_is_listed_and_answers_its_example(page: Page) -> None:
    page.goto(TOOLS)
    links = page.locator(f"main a[href^='{TOOLS}/']")
    expect(links).to_have_count(len(all_connectors()))
    for connector in all_connectors():
        page.goto(f"{TOOLS}/{connector.name}")
        for name, value in connector.example.model_dump(mode="json", exclude_defaults=True).items():
            page.locator(f"#field-{name}").fill(str(value))
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#json")).to_contain_text('"meta"')
        meta = document(page)["meta"]
        assert isinstance(meta, dict)
        assert meta["connector"] == connector.name


@pytest.mark.parametrize("scripts", [True, False])
def test_an_answer_is_that_of_the_api_and_goes_on(page: Page, plain_page: Page, site: Site, scripts: bool) -> None:
    visitor = page if scripts else plain_page
    visitor.goto(SCHEDULE)
    visitor.get_by_label("Work center").fill("WELD")
    visitor.get_by_label("Limit").fill("5")
    visitor.get_by_role("button", name="Ask").click()
    expect(visitor).to_have_url(re.compile("work_center=WELD"))
    expect(visitor.get_by_role("region", name="Records").locator("tbody tr")).to_have_count(5)
    records = site.api("/bedrock/schedule", work_center="WELD", limit=10)["data"]
    assert document(visitor)["data"] == records[:5]
    visitor.get_by_role("link", name="Next page of the same answer").click()
    expect(visitor.locator("#json")).to_contain_text(f'"operation_num": {records[5]["operation_num"]}')
    assert document(visitor)["data"] == records[5:10]


def test_what_is_wrong_is_told_beside_the_field(page: Page, watch: Watch) -> None:
    watch.expected = ("Failed to load resource",)
    page.goto(SCHEDULE)
    page.get_by_label("Work center").fill("W" * 201)
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#error-work_center")).to_be_visible()
    expect(page.get_by_label("Work center")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("alert").get_by_role("link").click()
    expect(page.get_by_label("Work center")).to_be_focused()


def test_a_cursor_that_has_lapsed_leads_back_to_the_question(page: Page, watch: Watch) -> None:
    watch.expected = ("Failed to load resource",)
    page.goto(f"{SCHEDULE}?ask=1&work_center=WELD&cursor={'A' * 24}.3")
    expect(page.locator("section.failure")).to_have_attribute("data-code", "cursor_expired")
    page.get_by_role("link", name="Ask the question again").click()
    settled(page)
    expect(page.locator("#json")).to_be_visible()


def test_a_recipe_is_copied(chromium_browser: Browser, site: Site) -> None:
    with visiting(chromium_browser, Watch(site.url), permissions=["clipboard-read", "clipboard-write"]) as page:
        page.goto(f"{SCHEDULE}?ask=1&work_center=WELD&limit=5")
        page.get_by_role("button", name="Copy: curl").click()
        expect(page.locator("#live")).to_have_text(re.compile("Copied"))
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == page.locator("#curl").inner_text()
        assert f"{site.url}/bedrock/schedule" in copied


@pytest.fixture(autouse=True)
def _allowed(erp: RunningSimulator) -> Iterator[None]:
    yield
    erp.state.denied.clear()
