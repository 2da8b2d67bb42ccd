"""The pages, as any browser gets them, without its scripts."""

import csv
import io
import re
from collections.abc import AsyncIterator
from html import unescape
from html.parser import HTMLParser

import httpx2
import pyarrow.parquet as pq
import pytest

from kai_erp.app import DEFAULT_LIMIT
from kai_erp.config import Settings
from kai_erp.simulator import Answer, Fault, Plant, RunningSimulator
from tests.conftest import SettingsFor
from tests.test_api.serving import serving

MARKUP = "<script>alert('\"x\"')</script> \u202eright to left\u202c &amp; <img src=x onerror=alert(1)>"
PAGES = (
    "/",
    "/console/orders",
    "/console/inventory?query=flat",
    "/console/customers",
    "/console/customers?query=county",
    "/console/status",
    "/console/tools",
    "/sign-in",
)


@pytest.fixture
async def browser(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(settings, simulated=True) as client:
        client.headers["Accept"] = "text/html"
        yield client


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


async def page(browser: httpx2.AsyncClient, path: str, status: int = 200) -> Elements:
    answer = await browser.get(path)
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Elements(answer.text)


def shown(elements: Elements, tag: str, **attributes: str) -> list[dict[str, str | None]]:
    return [
        found
        for name, found in elements.found
        if name == tag and all(found.get(key.strip("_")) == value for key, value in attributes.items())
    ]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_but_files_of_ours_and_runs_nothing_inline(
    browser: httpx2.AsyncClient, path: str
) -> None:
    answer = await browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "default-src 'none'" in policy
    for tag, attributes in Elements(answer.text).found:
        assert not {name for name in attributes if name.startswith("on") or name == "style"}, (tag, attributes)
        for name in ("src", "href", "action", "hx-get", "hx-post"):
            target = attributes.get(name)
            assert target is None or target.startswith(("/", "#", "?")), (tag, attributes)
            assert target is None or not target.startswith("//")
        if tag == "script":
            assert attributes.get("src")


@pytest.mark.parametrize("path", PAGES)
async def test_every_field_has_a_label_and_the_page_one_heading(browser: httpx2.AsyncClient, path: str) -> None:
    elements = await page(browser, path)
    assert len(shown(elements, "h1")) == 1
    identities = [found["id"] for _, found in elements.found if found.get("id")]
    assert len(identities) == len(set(identities))


async def test_what_pages_load_is_there(browser: httpx2.AsyncClient) -> None:
    elements = await page(browser, "/")
    files = [
        found.get("src") or found.get("href") for tag, found in elements.found if tag in {"script", "link", "img"}
    ]
    assert len(files) >= 6
    for file in files:
        answer = await browser.get(str(file))
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        again = await browser.get(str(file), headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", PAGES)
async def test_the_head_of_a_page_is_that_of_the_page(browser: httpx2.AsyncClient, path: str) -> None:
    assert (await browser.head(path)).status_code == 200


async def test_the_head_of_a_stream_is_not_waited_for(browser: httpx2.AsyncClient) -> None:
    assert (await browser.head("/console/events")).status_code == 405


async def test_the_board_and_the_list_show_the_whole_answer(browser: httpx2.AsyncClient) -> None:
    answer = (await browser.get("/bedrock/schedule?limit=10000", headers={"Accept": "application/json"})).json()
    text, skip, bars, rows, lanes = (await browser.get("/?weeks=8&from=2020-01-06")).text, 0, 0, 0, 0
    elsewhere = 0
    at = re.findall(r"at=([^\"&]+)", text)[0]
    while skip < 10_000:
        part = (await browser.get(f"/console/lanes?weeks=8&skip={skip}&at={unescape(at)}")).text
        found = Elements(part)
        lanes += len(shown(found, "svg", class_="track"))
        bars += len(shown(found, "a", class_="bar"))
        elsewhere += sum(int(number) for number in re.findall(r"(\d+) (?:earlier|later|not scheduled)", part))
        if "more work centers" not in part:
            break
        skip += 8
    assert lanes == len(answer["summary"]["work_centers"])
    assert bars + elsewhere == answer["summary"]["total"]
    for skip in range(0, answer["summary"]["total"], 100):
        rows += (await browser.get(f"/console/operations?skip={skip}&at={unescape(at)}")).text.count('scope="row"')
    assert rows == answer["summary"]["total"]


async def test_a_list_that_is_gone_says_so(browser: httpx2.AsyncClient) -> None:
    for path in ("/console/lanes", "/console/operations", "/console/orders", "/console/download/open_orders.csv"):
        elements = await page(browser, f"{path}?at=2026-01-01T00:00:00%2B00:00", 410)
        assert shown(elements, "section", data_code="cursor_expired") or "cursor_expired" in elements.text
        assert "What to do" in elements.text


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "nonsense", "", "2026-02-30"])
async def test_any_day_shows_a_board(browser: httpx2.AsyncClient, day: str) -> None:
    for weeks in ("1", "8", "-3", "9" * 5000):
        elements = await page(browser, f"/?from={day}&weeks={weeks}&lanes={weeks}&rows={weeks}&skip={weeks}")
        assert shown(elements, "svg", class_="track")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/?at=yesterday", 422), ("/console/orders?days_out=many", 422), ("/console/orders?days_out=999", 422)],
)
async def test_a_wrong_field_is_told_beside_the_form(browser: httpx2.AsyncClient, path: str, status: int) -> None:
    elements = await page(browser, path, status)
    assert "invalid_parameter" in elements.text
    assert shown(elements, "form", role="search")


async def test_an_erp_that_is_down_is_told_and_the_form_stays(
    browser: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(Fault(Answer(403, {}), times=None))
    for path in ("/", "/console/orders?late_only=true", "/console/inventory?query=flat"):
        elements = await page(browser, path, 502)
        assert "upstream_auth" in elements.text
        assert shown(elements, "form", role="search")


async def test_a_denied_collection_is_told_where_it_matters(
    browser: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    simulator.state.denied.add("sljrtschs")
    elements = await page(browser, "/?work_center=WELD")
    assert shown(elements, "p", data_code="collection_denied") or "collection denied" in elements.text
    simulator.state.denied.add("sljobs")
    elements = await page(browser, "/?work_center=SAW", 502)
    assert "upstream_denied" in elements.text
    assert "SLJobs" in elements.text


async def test_an_empty_answer_says_what_comes_near(browser: httpx2.AsyncClient) -> None:
    await page(browser, "/")
    elements = await page(browser, "/?work_center=WELT")
    assert "No operation fits." in elements.text
    assert "WELD" in elements.text


async def test_nothing_is_asked_for_a_search_without_a_text(
    browser: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    elements = await page(browser, "/console/customers?query=%20")
    assert "Whom are you looking for?" in elements.text
    assert simulator.state.requests == []


async def test_a_download_has_the_rows_that_the_page_shows_in_its_order(browser: httpx2.AsyncClient) -> None:
    text = (await browser.get("/?work_center=WELD&sort=hours")).text
    path = unescape(re.findall(r'href="(/console/download/production_schedule\.csv[^"]*)"', text)[0])
    answer = await browser.get(path)
    assert answer.headers["content-type"].startswith("text/csv")
    assert re.search(r'filename="production_schedule-[\d-]+\.csv"', answer.headers["content-disposition"])
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == len(re.findall(r'<th scope="row">', text))
    hours = [float(row["hours_remaining"]) for row in rows if row["hours_remaining"]]
    assert hours == sorted(hours, reverse=True)
    parquet = await browser.get(path.replace(".csv", ".parquet"))
    assert pq.read_table(io.BytesIO(parquet.content)).column("job").to_pylist() == [row["job"] for row in rows]


@pytest.mark.parametrize("path", ["/console/download/nope.csv", "/console/download/open_orders.exe"])
async def test_there_is_no_other_download(browser: httpx2.AsyncClient, path: str) -> None:
    assert (await browser.get(path)).status_code == 404


async def test_drilling_goes_from_a_customer_to_orders_to_items(browser: httpx2.AsyncClient) -> None:
    orders = await page(browser, "/console/orders?view=customer")
    customer = next(
        str(found["href"]) for found in shown(orders, "a") if str(found["href"]).startswith("/console/customers/")
    )
    elements = await page(browser, customer)
    assert "Open orders" in elements.text
    item = next(
        str(f["href"]) for f in shown(elements, "a") if str(f["href"]).startswith("/console/inventory?item=")
    )
    assert "On hand" in (await page(browser, item)).text


async def test_a_customer_who_does_not_exist_is_a_page_that_does_not(browser: httpx2.AsyncClient) -> None:
    assert "There is no such page" in (await page(browser, "/console/customers/nobody", 404)).text
    assert "There is no such page" in (await page(browser, "/console/nothing", 404)).text


async def test_hidden_fields_are_on_no_page(settings_for: SettingsFor, simulator: RunningSimulator) -> None:
    hidden = [
        "unit_price",
        "open_amount",
        "total_amount",
        "total_value",
        "credit_limit",
        "hours_remaining",
        "item",
    ]
    async with serving(settings_for(simulator, hidden_fields=hidden)) as browser:
        browser.headers["Accept"] = "text/html"
        for path in ("/", "/?sort=hours", "/console/orders?view=amount", "/console/customers?query=county"):
            elements = await page(browser, path)
            assert not [found for found in shown(elements, "data") if "data-money" in found]
        assert not shown(await page(browser, "/console/orders"), "a", href="/console/inventory?item=")


@pytest.mark.parametrize(
    "hidden",
    [
        "job,suffix,operation_num,status,work_center,sched_start",
        "lines,customer_num,customer_name,order_num",
        "warehouse_stock,is_low_stock,item",
        "active,credit_hold,customer_num,addresses",
        "open_amount,total_value,hours_remaining,due_date,is_late,days_until_due",
    ],
)
async def test_what_is_hidden_is_not_told_as_something_else(
    settings_for: SettingsFor, simulator: RunningSimulator, hidden: str
) -> None:
    paths = ("/", "/console/orders", "/console/inventory?query=flat", "/console/customers?query=county")
    async with serving(settings_for(simulator, hidden_fields=hidden.split(","))) as browser:
        browser.headers["Accept"] = "text/html"
        pages = [await page(browser, path) for path in paths]
    floor, _, inventory, customers = (elements.text for elements in pages)
    assert "None" not in "".join(elements.text for elements in pages)
    for elements in pages:
        assert not [
            one for _, one in elements.found if "None" in f"{one.get('href', '')} {one.get('aria-label', '')}"
        ]
        assert not shown(elements, "a", href="/console/customers/")
    assert "status" not in hidden or "? not scheduled" not in floor
    assert "warehouse_stock" not in hidden or "no stock rows" not in inventory
    assert "credit_hold" not in hidden or "\nactive\n" not in customers


async def test_pages_show_the_whole_of_an_answer_that_programs_get_in_pages(
    settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    async with serving(settings_for(simulator)) as client:
        first = (await client.get("/inventory/status?limit=1")).json()["meta"]
        assert first["total_count"] > DEFAULT_LIMIT
        for _ in range(5):
            file = await client.get("/console/download/inventory_status.parquet?renew=1")
            assert pq.read_table(io.BytesIO(file.content)).num_rows == first["total_count"]
            assert file.headers["x-kai-truncated"] == "false"
        again = await client.get("/inventory/status", params={"limit": 1, "cursor": first["next_cursor"]})
        assert again.status_code == 200
        kept = re.search(r"^kai_erp_kept_answers (\d+)", (await client.get("/metrics")).text, re.MULTILINE)
        assert kept
        assert kept[1] in {"1", "1.0"}


async def test_markup_in_a_text_of_the_erp_is_text(
    browser: httpx2.AsyncClient, simulator: RunningSimulator, plant: Plant
) -> None:
    center = next(row for row in plant.rows("SLWcs") if str(row["Wc"]).strip() == "WELD")
    simulator.state.change("SLWcs", {"Wc": str(center["Wc"])}, {"Description": MARKUP})
    operation = next(row for row in plant.rows("SLJobs") if row["Stat"] == "R" and row["Item"])
    simulator.state.change("SLItems", {"Item": str(operation["Item"])}, {"Description": MARKUP})
    customer = plant.rows("SLCustomers")[0]
    key = {"CustNum": str(customer["CustNum"]), "CustSeq": "0"}
    simulator.state.change("SLCustomers", key, {"Name": MARKUP, "Contact_1": MARKUP})
    number = str(customer["CustNum"]).strip()
    for path in (
        "/?sort=job",
        f"/console/inventory?item={str(operation['Item']).strip()}",
        f"/console/customers/{number}",
    ):
        elements = await page(browser, path)
        assert MARKUP.strip() in elements.text
        assert not [found for found in shown(elements, "script") if not found.get("src")]
        assert not shown(elements, "img", src="x")
    assert MARKUP.strip() in (await page(browser, "/")).text
