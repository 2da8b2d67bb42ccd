"""Orders, inventory and customers in a browser: filters, the rest of a list, ways between pages, files."""

import csv
import io
import re
from pathlib import Path
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.test_console.browser import Site, Watch, figure, settled

ORDERS, INVENTORY, CUSTOMERS = "/console/orders", "/console/inventory", "/console/customers"

KEYS = {
    "/": ("job", "suffix", "operation_num"),
    ORDERS: ("order_num",),
    INVENTORY: ("item",),
    CUSTOMERS: ("customer_num",),
}
APIS = {
    "/": "/bedrock/schedule",
    ORDERS: "/sales/orders",
    INVENTORY: "/inventory/status",
    CUSTOMERS: "/customers/search",
}


def entries(page: Page) -> Locator:
    """Return the entries of a list, whatever they are."""
    return page.locator("#part > details.order, #part > tr:not(.more)")


def names(page: Page) -> list[str]:
    """Return what tells the entries of a list apart."""
    found: list[str] = entries(page).evaluate_all(
        "all => all.map(one => (one.querySelector('summary strong') ?? one.querySelector('th a')).textContent)"
    )
    return found


def whole_list(page: Page) -> None:
    """Ask for more until there is no more."""
    more = page.get_by_role("link", name=re.compile(r"Show \d+ more"))
    while more.count():
        before = entries(page).count()
        more.click()
        expect(entries(page).nth(before)).to_be_attached()
        settled(page)


@pytest.mark.parametrize(("path", "query"), [(ORDERS, {}), (INVENTORY, {"query": "flat"})])
def test_a_list_goes_on_until_it_is_whole(page: Page, site: Site, path: str, query: dict[str, str]) -> None:
    page.goto(f"{path}?{urlencode(query)}")
    (key,) = KEYS[path]
    expected = [one[key] for one in site.api(APIS[path], limit=10_000, **query)["data"]]
    assert len(expected) > entries(page).count() == 100
    whole_list(page)
    assert sorted(names(page)) == sorted(expected)


@pytest.mark.parametrize("path", [ORDERS, INVENTORY])
def test_without_scripts_a_link_leads_to_the_rest_of_a_list(plain_page: Page, path: str) -> None:
    plain_page.goto(path)
    first = names(plain_page)
    plain_page.get_by_role("link", name=re.compile(r"Show \d+ more")).click()
    plain_page.wait_for_url(re.compile(r"rows=\d+"))
    both = names(plain_page)
    assert len(both) > len(first)
    assert both[: len(first)] == first


def test_orders_are_filtered(page: Page, site: Site, watch: Watch) -> None:
    page.goto(ORDERS)
    summary = site.api("/sales/orders", limit=1)["summary"]
    assert figure(page, "late orders") == summary["late_orders"]
    page.locator("form.filters").evaluate("form => { form.dataset.mark = 'kept'; }")
    watch.requests.clear()
    page.get_by_label("late only").check()
    expect(page).to_have_url(re.compile("late_only=true"))
    settled(page)
    assert entries(page).count() == min(100, summary["late_orders"])
    assert all("late" in text for text in page.locator("summary .key").all_inner_texts())
    expect(page.locator("form.filters")).to_have_attribute("data-mark", "kept")
    assert watch.kinds() & {"document", "script", "stylesheet", "fetch"} == {"fetch"}


def test_orders_are_grouped_by_customer(page: Page) -> None:
    page.goto(ORDERS)
    page.get_by_label("Ordered by").select_option("Customer")
    heads = page.locator("#part > h3 a")
    expect(heads.first).to_be_visible()
    shown = heads.all_inner_texts()
    assert shown == sorted(shown)


def test_a_customer_leads_to_orders_an_order_to_items_and_back(page: Page, site: Site) -> None:
    order = site.api("/sales/orders", limit=1)["data"][0]
    page.goto(f"{CUSTOMERS}?query={order['customer_num']}")
    page.locator("#part th a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(order["customer_name"])
    expect(page.get_by_role("heading", name="Open orders")).to_be_visible()
    page.get_by_role("link", name="In the list of orders").click()
    expect(page).to_have_url(f"{site.url}{ORDERS}?customer={order['customer_num']}")
    number = order["order_num"]
    shown = entries(page).filter(has=page.locator("strong", has_text=re.compile(f"^{number}$")))
    lines = shown.locator("table")
    if not lines.is_visible():
        shown.locator("summary").click()
    expect(lines.locator("tbody tr")).to_have_count(len(order["lines"]))
    item = str(lines.locator("tbody td a").first.text_content())
    lines.locator("tbody td a").first.click()
    expect(page).to_have_url(re.compile(r"/console/inventory\?item="))
    expect(page.get_by_label("Item", exact=True)).to_have_value(item)
    assert item in names(page)
    page.go_back()
    expect(page).to_have_url(re.compile(ORDERS))


@pytest.mark.parametrize("path", ["/", ORDERS, INVENTORY])
def test_the_keyboard_goes_on_at_the_rest_of_a_list(page: Page, path: str) -> None:
    page.goto(path)
    more = page.get_by_role("link", name=re.compile(r"Show \d+ more"))
    rows = page.locator("#part > *, .list tbody > tr")
    before = rows.count()
    more.press("Enter")
    expect(rows).not_to_have_count(before)
    settled(page)
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_an_item_shows_its_stock_by_warehouse(page: Page, site: Site) -> None:
    item = next(
        one for one in site.api("/inventory/status", query="flat", limit=50)["data"] if one["warehouse_stock"]
    )
    page.goto(f"{INVENTORY}?item={item['item']}")
    expect(entries(page)).to_have_count(1)
    stock = page.locator("table.inner tbody tr")
    expect(stock).to_have_count(len(item["warehouse_stock"]))
    expect(stock.first).to_be_visible()
    expect(stock.first).to_contain_text(item["warehouse_stock"][0]["warehouse"])


def test_what_is_missing_comes_first(page: Page) -> None:
    page.goto(INVENTORY)
    states = page.locator("#part > tr:not(.more) > td:nth-child(2)").all_inner_texts()
    ranks = [0 if "out of stock" in text else 1 if "low" in text else 2 for text in states]
    assert ranks == sorted(ranks)
    assert ranks[0] == 0


def test_inventory_is_filtered_without_scripts(plain_page: Page, site: Site) -> None:
    plain_page.goto(INVENTORY)
    plain_page.get_by_label("Description").fill("flat")
    plain_page.get_by_label("low stock only").check()
    plain_page.get_by_role("button", name="Show").click()
    expect(plain_page).to_have_url(re.compile("query=flat&.*low_stock_only=true"))
    expected = site.api("/inventory/status", query="flat", low_stock_only="true", limit=1)["meta"]["total_count"]
    assert figure(plain_page, "items") == expected


def test_a_search_begins_with_the_third_letter_and_waits_for_a_pause(page: Page, watch: Watch) -> None:
    page.goto(CUSTOMERS)
    page.clock.install()
    watch.requests.clear()
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    field.press_sequentially("co")
    page.clock.run_for(2_000)
    assert watch.paths(CUSTOMERS) == []
    field.press_sequentially("unt")
    page.clock.run_for(300)
    assert watch.paths(CUSTOMERS) == []
    page.clock.run_for(300)
    expect(page).to_have_url(re.compile("query=count"))
    expect(entries(page).first).to_be_visible()
    assert len(watch.paths(CUSTOMERS)) == 1
    expect(field).to_be_focused()
    expect(field).to_have_value("count")


def test_a_search_without_scripts(plain_page: Page, site: Site) -> None:
    plain_page.goto(CUSTOMERS)
    expect(plain_page.locator("#answer")).to_contain_text("Whom are you looking for?")
    plain_page.get_by_role("searchbox").fill("county")
    plain_page.get_by_role("button", name="Search").click()
    found = site.api("/customers/search", query="county", limit=1)["meta"]["total_count"]
    assert figure(plain_page, "customers") == found


def test_nothing_found_is_told_with_what_comes_near(page: Page) -> None:
    page.goto("/?work_center=WELDD")
    expect(page.locator("#answer .empty")).to_contain_text("No operation fits.")
    expect(page.locator("#answer .warning")).to_contain_text("WELD")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/", {"work_center": "WELD"}),
        (ORDERS, {"late_only": "true"}),
        (INVENTORY, {"query": "flat"}),
        (CUSTOMERS, {"query": "county"}),
    ],
)
def test_files_hold_every_row_in_the_order_of_the_page(
    page: Page, site: Site, path: str, query: dict[str, str]
) -> None:
    page.goto(f"{path}?{urlencode(query)}")
    expected = site.api(APIS[path], limit=1, **query)["meta"]["total_count"]
    files = {kind: downloaded(page, kind) for kind in ("CSV", "Parquet")}
    rows = list(csv.DictReader(io.StringIO(files["CSV"].decode("utf-8-sig"))))
    table = pq.read_table(io.BytesIO(files["Parquet"]))
    columns = [table.column(name).to_pylist() for name in KEYS[path]]
    keys = [tuple(map(str, one)) for one in zip(*columns, strict=True)]
    assert len(keys) == expected
    assert list(dict.fromkeys(tuple(row[name] for name in KEYS[path]) for row in rows)) == keys


def downloaded(page: Page, kind: str) -> bytes:
    """Return the file that a page offers."""
    with page.expect_download() as started:
        page.get_by_role("link", name=kind, exact=True).click()
    name = started.value.suggested_filename
    assert re.fullmatch(rf"\w+-\d{{4}}-\d\d-\d\d-\d{{4}}\.{kind.lower()}", name)
    return Path(started.value.path()).read_bytes()


def test_what_is_being_asked_is_asked_once(page: Page, watch: Watch) -> None:
    page.goto(ORDERS)
    watch.requests.clear()
    page.get_by_label("Item", exact=True).fill("FB-1162-BLK")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/console/orders\?item=FB-1162-BLK$"))
    settled(page)
    assert watch.paths(ORDERS) == ["/console/orders?item=FB-1162-BLK"]
