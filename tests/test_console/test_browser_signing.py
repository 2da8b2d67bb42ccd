"""Signing in and out in a browser, and what a key does not open."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from kai_erp.access.keys import KeysFile
from kai_erp.simulator import RunningSimulator
from tests.conftest import settings_of
from tests.test_console.browser import Site, Watch, served
from tests.test_console.conftest import MANY

COOKIE = "kai-erp-key"
EVERYTHING = frozenset({"*"})


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeysFile:
    return KeysFile(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def site(erp: RunningSimulator, keys: KeysFile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that asks for a key."""
    keys.create("first", EVERYTHING, datetime.now(UTC))
    folder: Path = tmp_path_factory.mktemp("closed")
    with served(settings_of(erp, folder / "tenant.ionapi", api_keys_file=keys.path, **MANY), erp) as running:
        yield running


@pytest.fixture
def watch(site: Site) -> Watch:
    return Watch(site.url, expected=("Failed to load resource",))


def sign_in(page: Page, key: str) -> None:
    """Put a key into the form that is shown."""
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()
    assert "had lapsed" not in page.locator("main").inner_text()


def made(keys: KeysFile, name: str, *scopes: str) -> str:
    """Return a new key."""
    return keys.create(name, frozenset(scopes) or EVERYTHING, datetime.now(UTC))


def test_who_has_no_key_is_led_to_the_form_and_from_there_where_they_wanted_to_go(
    page: Page, site: Site, keys: KeysFile
) -> None:
    page.goto("/?work_center=WELD")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
    expect(page.get_by_label("API key")).to_be_focused()
    sign_in(page, "kai_wrong")
    expect(page.get_by_role("alert")).to_be_visible()
    assert page.context.cookies(f"{site.url}/console/orders") == []
    key = made(keys, "anna")
    sign_in(page, key)
    expect(page).to_have_url(f"{site.url}/?work_center=WELD")
    expect(page.get_by_role("heading", level=1)).to_have_text("Shop floor")
    assert key not in page.content()


def test_scripts_cannot_read_the_key_and_other_sites_cannot_use_it(page: Page, keys: KeysFile) -> None:
    page.goto("/sign-in")
    sign_in(page, made(keys, "bert"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Shop floor")
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (COOKIE, True, "Lax")
    assert cookie["expires"] == -1
    assert page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("scripts", [True, False])
def test_who_signs_out_is_out(page: Page, plain_page: Page, keys: KeysFile, scripts: bool) -> None:
    visitor = page if scripts else plain_page
    visitor.goto("/sign-in")
    sign_in(visitor, made(keys, f"carla-{scripts}"))
    visitor.get_by_role("button", name="Sign out").click()
    expect(visitor).to_have_url(re.compile("/sign-in$"))
    assert not [cookie for cookie in visitor.context.cookies() if cookie["name"] == COOKIE]
    visitor.goto("/console/orders")
    expect(visitor).to_have_url(re.compile(r"/sign-in\?next=%2Fconsole%2Forders"))


def test_a_key_shows_the_pages_that_it_opens(page: Page, keys: KeysFile) -> None:
    page.goto("/sign-in")
    sign_in(page, made(keys, "dora", "schedule:read", "customers:read"))
    nav = page.get_by_role("navigation", name="Pages").get_by_role("link")
    expect(nav.first).to_be_visible()
    assert nav.all_inner_texts() == ["Shop floor", "Customers", "Try the tools"]
    page.goto("/console/orders")
    expect(page.locator("section.failure")).to_have_attribute("data-code", "forbidden")
    expect(page.locator("section.failure")).to_contain_text("orders:read")
    assert page.evaluate("performance.getEntriesByType('navigation')[0].responseStatus") == 403
    page.goto("/console/customers?query=county")
    page.locator("#part th a").first.click()
    expect(page.get_by_role("heading", name="Who they are")).to_be_visible()
    expect(page.get_by_role("heading", name="Open orders")).to_have_count(0)


def test_a_key_that_was_revoked_leads_back_to_the_form(page: Page, keys: KeysFile) -> None:
    page.goto("/sign-in")
    sign_in(page, made(keys, "emil"))
    page.goto("/console/orders")
    keys.revoke("emil", datetime.now(UTC))
    page.get_by_label("late only").click()
    expect(page.get_by_label("API key")).to_be_visible()
    page.goto("/console/inventory")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Fconsole%2Finventory"))


def test_a_form_that_the_server_did_not_give_is_refused(page: Page, keys: KeysFile, site: Site) -> None:
    key = made(keys, "fritz")
    page.goto("/sign-in")
    for token in ("", "made-up"):
        refused = page.request.post("/sign-in", form={"key": key, "token": token}, max_redirects=0)
        assert refused.status == 403
    assert page.context.cookies(f"{site.url}/console/orders") == []
    page.goto("/sign-in")
    sign_in(page, key)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    assert page.request.post("/sign-out", form={"token": "made-up"}, max_redirects=0).status == 303
    page.reload()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_nobody_is_led_to_another_server(page: Page, keys: KeysFile, site: Site) -> None:
    page.goto("/sign-in?next=https://elsewhere.example/")
    sign_in(page, made(keys, "gerda"))
    expect(page).to_have_url(f"{site.url}/")
