"""The shop floor in a browser: the board, the list beside it, the keyboard."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.test_console.browser import DESKTOP, PHONE, Site, Watch, figure, settled

SCHEDULE = "/bedrock/schedule"
BARS = "a.bar"
BOXES = "all => all.map(one => one.getBoundingClientRect()).map(box => [box.top, box.left, box.right])"
FOCUSED = "document.activeElement"


def lanes(page: Page) -> Locator:
    """Return the lanes of the board, the axis aside."""
    return page.locator(".lanes > .lane:not(.axis)")


def whole_board(page: Page) -> None:
    """Scroll until every lane is there."""
    further = page.locator(".lanes > p.more")
    while further.count():
        before = lanes(page).count()
        further.scroll_into_view_if_needed()
        expect(lanes(page).nth(before)).to_be_attached()
        settled(page)


def operations(page: Page) -> list[str]:
    """Return the operations in the list, by job, suffix and number."""
    cells = page.locator(".list tbody tr:not(.more) > th").all_inner_texts()
    return [re.sub(r"\s+", " ", text.splitlines()[0]) for text in cells]


def test_the_page_shows_what_the_api_answers(page: Page, site: Site) -> None:
    summary = site.api(SCHEDULE, limit=1)["summary"]
    page.goto("/")
    assert figure(page, "operations") == summary["total"]
    assert figure(page, "jobs") == summary["jobs"]
    assert figure(page, "work centers") == len(summary["work_centers"])
    expect(page).to_have_title("Shop floor · kai-erp")
    expect(page.get_by_role("link", name="Shop floor")).to_have_attribute("aria-current", "page")
    expect(page.locator(".provenance")).to_contain_text("the running ERP (simulated)")


def test_the_board_loads_lanes_as_they_come_into_view_and_shows_every_operation_once(
    page: Page, site: Site
) -> None:
    page.goto("/?weeks=8")
    total = figure(page, "work centers")
    assert lanes(page).count() < total
    whole_board(page)
    assert lanes(page).count() == total
    heads = " ".join(page.locator(".lane-head").all_inner_texts())
    elsewhere = sum(int(count) for count in re.findall(r"(\d+) (?:earlier|later|not scheduled)", heads))
    bars = page.locator(BARS).evaluate_all("bars => bars.map(bar => bar.dataset.op)")
    assert len(set(bars)) == len(bars) > 0
    assert len(bars) + elsewhere == site.api(SCHEDULE, limit=1)["summary"]["total"]


def test_the_list_goes_on_where_it_ends_until_it_is_whole(page: Page, site: Site) -> None:
    page.goto("/")
    more = page.locator(".list").get_by_role("link", name=re.compile(r"Show \d+ more"))
    while more.count():
        before = len(operations(page))
        more.click()
        expect(page.locator(".list tbody tr:not(.more)").nth(before)).to_be_attached()
        settled(page)
    records = site.api(SCHEDULE, limit=10_000)["data"]
    expected = {f"{one['job']}-{one['suffix']} · {one['operation_num']}" for one in records}
    assert sorted(operations(page)) == sorted(expected)


def test_a_filter_changes_the_address_and_the_answer_and_nothing_else(
    page: Page, site: Site, watch: Watch
) -> None:
    page.goto("/")
    page.locator("form.filters").evaluate("form => { form.dataset.mark = 'kept'; }")
    watch.requests.clear()
    page.get_by_role("combobox", name="Work center").fill("WELD")
    page.keyboard.press("Tab")
    expect(page).to_have_url(re.compile(r"work_center=WELD"))
    expect(lanes(page)).to_have_count(1)
    assert figure(page, "operations") == site.api(SCHEDULE, work_center="WELD", limit=1)["meta"]["total_count"]
    expect(page.locator("form.filters")).to_have_attribute("data-mark", "kept")
    assert watch.kinds() & {"document", "script", "stylesheet", "fetch"} == {"fetch"}
    page.go_back()
    expect(page).to_have_url(f"{site.url}/")
    expect(lanes(page).nth(1)).to_be_visible()


def test_the_list_is_sorted_as_asked(page: Page, site: Site) -> None:
    page.goto("/?work_center=WELD")
    page.get_by_label("Sort the list by").select_option("Most hours first")
    expect(page).to_have_url(re.compile(r"sort=hours"))
    settled(page)
    shown = page.locator(".list tbody tr:not(.more) > td:nth-child(6)").evaluate_all(
        "cells => cells.map(cell => Number(cell.querySelector('data')?.value ?? -1))"
    )
    records = site.api(SCHEDULE, work_center="WELD", limit=10_000)["data"]
    hours = sorted((one["hours_remaining"] for one in records if one["hours_remaining"] is not None), reverse=True)
    assert shown[: len(hours)] == hours[:100]


def test_the_board_moves_in_time(page: Page) -> None:
    page.goto("/?work_center=WELD")
    weeks = page.locator("[data-week]")
    first = weeks.first.get_attribute("data-week")
    page.get_by_role("link", name="One week later").click()
    expect(weeks.first).not_to_have_attribute("data-week", str(first))
    page.get_by_role("link", name="today").click()
    expect(weeks.first).to_have_attribute("data-week", str(first))
    page.get_by_label("Board shows").select_option("2 weeks")
    expect(weeks).to_have_count(2)
    expect(page.locator(".axis text.faint")).to_have_count(14)
    page.get_by_label("Board shows").select_option("1 week")
    expect(page.locator("[data-weekday]")).to_have_count(7)


@pytest.mark.parametrize("weeks", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_the_words_of_the_axis_do_not_cover_each_other(page: Page, weeks: int, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"/?work_center=WELD&weeks={weeks}")
    boxes = page.locator(".axis text:not(.now)").evaluate_all(BOXES)
    assert boxes
    for (top, _, end), (other_top, start, _) in pairwise(sorted(boxes)):
        assert top != other_top or end <= start


def test_without_scripts_forms_and_links_do_the_same(plain_page: Page, site: Site) -> None:
    plain_page.goto("/")
    total = figure(plain_page, "operations")
    shown = len(operations(plain_page))
    plain_page.locator(".list").get_by_role("link", name=re.compile(r"Show \d+ more")).click()
    plain_page.wait_for_url(re.compile(r"rows=\d+"))
    further = operations(plain_page)
    assert shown == 100
    assert len(further) == min(200, total)
    plain_page.goto("/")
    plain_page.get_by_role("combobox", name="Work center").fill("WELD")
    plain_page.get_by_role("button", name="Show").click()
    expect(lanes(plain_page)).to_have_count(1)
    assert figure(plain_page, "operations") == len(site.api(SCHEDULE, work_center="WELD", limit=10_000)["data"])
    plain_page.locator(BARS).first.click()
    expect(plain_page).to_have_url(re.compile(r"/\?job="))
    assert figure(plain_page, "jobs") == 1


def test_without_scripts_a_link_leads_to_the_other_work_centers(plain_page: Page) -> None:
    plain_page.goto("/")
    total, seen = figure(plain_page, "work centers"), lanes(plain_page).all_inner_texts()
    plain_page.get_by_role("link", name=re.compile("more work centers")).click()
    assert len(seen) < total
    expect(lanes(plain_page)).to_have_count(total)


def test_bars_are_reached_opened_and_left_with_the_keyboard(page: Page, site: Site) -> None:
    page.goto("/?work_center=WELD")
    bars = page.locator(BARS)
    first, second = bars.nth(0), bars.nth(1)
    page.get_by_role("region", name="Board by work center").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(second).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    card = page.locator("#card")
    title = str(second.locator("title").text_content())
    job, operation = re.match(r"(.+)-\d+ · (\d+)", title).groups()  # type: ignore[union-attr]
    expect(card).to_contain_text(f"{job}-")
    expect(card).to_contain_text(f"· {operation}")
    expect(second).to_be_focused()
    expect(page).to_have_url(f"{site.url}/?work_center=WELD")
    page.keyboard.press("Escape")
    expect(card).to_be_empty()


def test_a_card_leads_to_the_whole_job(page: Page, site: Site) -> None:
    page.goto("/")
    page.locator(BARS).first.click()
    card = page.locator("#card")
    card.get_by_role("button", name="Close").click()
    expect(card).to_be_empty()
    page.locator(BARS).first.click()
    card.get_by_role("link", name="The whole job").click()
    expect(page).to_have_url(re.compile(r"/\?job="))
    job = page.get_by_label("Job", exact=True).input_value()
    expect(page.locator(".list tbody tr").first).to_contain_text(job)
    assert figure(page, "operations") == site.api(SCHEDULE, job=job, limit=1)["meta"]["total_count"]


def test_the_first_tab_leads_past_the_navigation(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate(f"{FOCUSED}.id") == "content"


def test_the_theme_is_switched_and_remembered(page: Page) -> None:
    page.goto("/console/customers")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Switch between light and dark").click()
    dark = page.evaluate(ground)
    assert light != dark
    page.goto("/console/tools")
    assert page.evaluate(ground) == dark
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate(ground) == light


def test_numbers_and_moments_are_written_for_the_reader_in_the_zone_of_the_plant(page: Page, site: Site) -> None:
    page.goto("/")
    hours = site.api(SCHEDULE, limit=1)["summary"]["hours_remaining"]
    tile = page.locator(".tile").filter(has_text="hours remaining").locator("strong")
    expect(tile).to_have_text(f"{hours:,.8f}".rstrip("0").rstrip("."))
    moment = page.locator(".provenance time").first
    written = page.evaluate(
        "iso => new Intl.DateTimeFormat('en-US', {month: 'short', day: 'numeric', hour: 'numeric',"
        " minute: '2-digit', timeZone: 'America/Chicago'}).format(new Date(iso))",
        moment.get_attribute("datetime"),
    )
    expect(moment).to_have_text(written)
