"""No page has a fault that axe calls serious or critical: light and dark, on a desk and on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.test_console.browser import DESKTOP, PHONE, Site, Watch, eventually, settled, violations, visiting

PAGES = (
    "/?work_center=WELD",
    "/?work_center=NOWHERE",
    "/?at=2020-01-01T00:00:00Z",
    "/console/operation?of=none",
    "/console/orders?days_out=2",
    "/console/inventory?item=FB-10*&low_stock_only=true",
    "/console/customers",
    "/console/customers?query=county",
    "/console/status",
    "/console/tools",
    "/console/tools/open_orders?ask=1&limit=3",
    "/console/tools/open_orders?ask=1&limit=0&days_out=-1",
    "/console/nothing",
    "/sign-in",
)
OF_COLOURS = ("color-contrast", "link-in-text-block")


@pytest.fixture
def watch(site: Site) -> Watch:
    return Watch(site.url, expected=("Failed to load resource",))


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desk", "phone"])
def sized_page(request: pytest.FixtureRequest, chromium_browser: Browser, watch: Watch) -> Iterator[Page]:
    with visiting(chromium_browser, watch, request.param, color_scheme="light") as opened:
        yield opened


def check(page: Page) -> None:
    """Check a page in light and, as far as colours go, in dark."""
    page.emulate_media(color_scheme="light")
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert violations(page, OF_COLOURS) == []


def fits(page: Page) -> None:
    """Check that nobody has to scroll a page sideways."""
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible(sized_page: Page, path: str) -> None:
    sized_page.goto(path)
    settled(sized_page)
    check(sized_page)
    fits(sized_page)


def test_what_is_opened_on_a_page_is_accessible(sized_page: Page, site: Site) -> None:
    sized_page.goto("/?work_center=WELD&include_completed=true&weeks=2")
    sized_page.locator("a.bar").first.click()
    expect(sized_page.locator("#card section.card")).to_be_visible()
    check(sized_page)
    order = site.api("/sales/orders", limit=1)["data"][0]
    sized_page.goto(f"/console/customers/{order['customer_num']}")
    sized_page.locator("details.order > summary").first.click()
    check(sized_page)
    fits(sized_page)
    sized_page.goto("/console/status?check=1")
    expect(sized_page.get_by_role("heading", name="Tenant")).to_be_visible()
    check(sized_page)
    fits(sized_page)


def test_axe_does_find_faults(page: Page) -> None:
    """The checks above can fail: a page with faults of each kind is found out."""
    page.goto("/console/customers")
    page.evaluate("""() => {
      document.querySelector('main').append(document.createElement('input'));
      const sheet = new CSSStyleSheet();
      sheet.replaceSync('.empty p { color: #ddd; background: #eee; }');
      document.adoptedStyleSheets = [sheet];
    }""")
    found = " ".join(violations(page))
    assert "color-contrast (serious)" in found
    assert "label (critical)" in found


@pytest.mark.parametrize(
    ("deed", "noticed"),
    [
        ("fetch('http://127.0.0.1:1/').catch(() => 0)", "Content Security Policy"),
        ("location = 'http://127.0.0.1:1/'", "a request left for http://127.0.0.1:1/"),
        ("setTimeout('1')", "Content Security Policy"),
        ("setTimeout(() => { throw new Error('made up'); })", "made up"),
        ("setTimeout(() => alert('made up'))", "a dialog opened: made up"),
        ("console.warn('made up')", "warning on the console: made up"),
    ],
)
def test_what_no_page_may_do_is_noticed(chromium_browser: Browser, site: Site, deed: str, noticed: str) -> None:
    watch = Watch(site.url)
    with pytest.raises(AssertionError), visiting(chromium_browser, watch) as page:  # noqa: PT012  # it fails at the end
        page.goto("/sign-in")
        page.evaluate(f"() => {{ {deed}; }}")
        eventually(page, lambda: bool(watch.wrong))
    assert noticed in " ".join(watch.wrong)
