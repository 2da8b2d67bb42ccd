"""Texts of the ERP that look like markup are shown as they are: no element, no script, no dialog comes of them."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from kai_erp.demo import plant_now
from kai_erp.simulator import Plant, RunningSimulator, build_plant, run_simulator
from kai_erp.simulator.columns import Origin
from tests.test_console.browser import Site, settled

NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' x='",
    "\u202egnp.exe\u202c",
    "&lt;b&gt; &amp;amp; </textarea><h1>",
)
TEXT = " ".join(NASTY)
CODE = "</title><img src=x onerror=alert(1)>'"
CENTER = '" onfocus="alert(1)" x="'
CHANGED = {
    "SLItems": ("Description",),
    "SLWcs": ("Description",),
    "SLCustomers": (
        "Name",
        "City",
        "Contact_1",
        "Phone_1",
        "ExternalEmailAddr",
        "CustomerEmailAddr",
        "BillToEmail",
    ),
    "SLCustAddrs": ("Name", "Addr_1", "City"),
    "SLCos": ("CustPo", "BillToName", "ShipToCity", "ShipToName", "AdrName", "CadrName"),
    "SLCoitems": ("Description", "AdrName", "ItDescription", "CoCustPo", "CustPo"),
}
FOREIGN = (
    "main img, main script, main h1 ~ h1, main b, main textarea, main iframe,"
    " main [onerror], main [onmouseover], main [onclick], main [onfocus]"
)


@pytest.fixture(scope="module")
def erp() -> Iterator[RunningSimulator]:
    """A plant in which every text holds markup, and so do the codes of items that are worked on or ordered."""
    plant = build_plant("small", 1, plant_now())
    for name, properties in CHANGED.items():
        for text in properties:
            column = plant.collections[name].columns[text]
            for row in range(plant.collections[name].size):
                column.change(row, TEXT)
    append(plant, ("Item", "JobItem"), CODE)
    append(plant, ("Wc",), CENTER)
    with run_simulator(plant) as running:
        yield running


def append(plant: Plant, properties: Sequence[str], markup: str) -> None:
    """Append markup to codes wherever they stand; they keep their order."""
    columns = (plant.collections[name].columns.get(text) for name in plant.collections for text in properties)
    for column in filter(None, columns):
        if column.origin is Origin.BOUND:
            for row, code in enumerate(list(column.natives)):
                column.change(row, f"{code}{markup}" if code else code)


def unharmed(page: Page, *texts: str) -> None:
    """Check that texts are shown, and that nothing was made of them."""
    settled(page)
    content = page.locator("main")
    for text in texts:
        expect(content).to_contain_text(text)
    assert page.locator(FOREIGN).count() == 0
    assert page.evaluate("[...document.querySelectorAll('bdi')].every(one => one.children.length === 0)")


def test_the_board_the_list_and_the_card(page: Page) -> None:
    page.goto("/?weeks=8")
    unharmed(page, *NASTY, CODE)
    titles = page.locator(".bar title").all_text_contents()
    assert any(CODE in title for title in titles)
    assert any(
        CENTER in str(track.get_attribute("aria-label")) for track in page.locator(".track[aria-label]").all()
    )
    page.locator("a.bar").first.click()
    expect(page.locator("#card")).to_contain_text(NASTY[0])
    unharmed(page, CODE)
    page.locator("#card a").first.click()
    expect(page.get_by_label("Item", exact=True)).to_have_value(re.compile(re.escape(CODE)))
    unharmed(page)


def test_orders_and_customers(page: Page, site: Site) -> None:
    order = site.api("/sales/orders", limit=1)["data"][0]
    page.goto("/console/orders")
    page.locator("details.order > summary").first.click()
    unharmed(page, *NASTY)
    page.goto("/console/orders?view=customer")
    unharmed(page, *NASTY)
    page.goto(f"/console/customers?query={order['customer_num']}")
    unharmed(page, *NASTY)
    page.locator("#part th a").first.click()
    unharmed(page, *NASTY)
    assert NASTY[0] in page.title()


def test_inventory_and_status(page: Page) -> None:
    page.goto("/console/inventory")
    unharmed(page, *NASTY, CODE)
    page.goto("/console/status")
    unharmed(page)


def test_an_answer_among_the_tools(page: Page) -> None:
    page.goto("/console/tools/production_schedule?ask=1&limit=2")
    unharmed(page, *NASTY, CODE)


@pytest.mark.parametrize(
    "path",
    [
        "/?work_center={}",
        "/console/orders?customer={}",
        "/console/inventory?query={}",
        "/console/customers?query={}",
        "/console/tools/production_schedule?ask=1&work_center={}",
    ],
)
def test_what_a_visitor_types(page: Page, path: str) -> None:
    page.goto(path.format(quote(TEXT, safe="")))
    unharmed(page)
    values = page.locator("form.filters input:not([type=hidden])").evaluate_all("all => all.map(one => one.value)")
    assert TEXT in values
