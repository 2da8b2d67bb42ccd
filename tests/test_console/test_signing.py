"""Signing in: a key in a cookie lets a browser into the console, and nowhere else."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from kai_erp.access.keys import KeysFile
from kai_erp.api.rooms import KEY_COOKIE, SECURE_KEY_COOKIE
from kai_erp.config import Settings
from kai_erp.simulator import RunningSimulator
from tests.conftest import SettingsFor
from tests.test_api.serving import problem, serving

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
TOKEN = re.compile(r'name="token" value="([^"]+)"')


@pytest.fixture
def keys(tmp_path: Path) -> KeysFile:
    return KeysFile(tmp_path / "keys.json")


@pytest.fixture
def key(keys: KeysFile) -> str:
    return keys.create("anna", frozenset({"schedule:read", "customers:read"}), datetime.now(UTC))


@pytest.fixture
def closed(settings_for: SettingsFor, simulator: RunningSimulator, keys: KeysFile, key: str) -> Settings:
    assert key
    return settings_for(simulator, api_keys_file=keys.path)


@pytest.fixture
async def browser(closed: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(closed) as client:
        client.headers.update(BROWSER)
        yield client


async def form(browser: httpx2.AsyncClient, path: str = "/sign-in") -> str:
    """Return the token of a form on a page."""
    found = TOKEN.search((await browser.get(path)).text)
    assert found
    return found[1]


async def sign_in(browser: httpx2.AsyncClient, key: str, **fields: str) -> httpx2.Response:
    token = await form(browser)
    return await browser.post("/sign-in", data={"key": key, "token": token} | fields)


async def test_a_browser_without_a_key_is_led_to_the_form_and_back(browser: httpx2.AsyncClient, key: str) -> None:
    led = await browser.get("/?work_center=WELD")
    assert led.status_code == 303
    assert led.headers["location"] == "/sign-in?next=%2F%3Fwork_center%3DWELD"
    page = await browser.get(led.headers["location"])
    assert 'name="next" value="/?work_center=WELD"' in page.text
    back = await sign_in(browser, key, next="/?work_center=WELD")
    assert (back.status_code, back.headers["location"]) == (303, "/?work_center=WELD")
    assert "Shop floor" in (await browser.get("/?work_center=WELD")).text


async def test_a_program_without_a_key_gets_a_problem(browser: httpx2.AsyncClient) -> None:
    for path in ("/", "/console/orders", "/console/events", "/console/download/open_orders.csv"):
        problem(await browser.get(path, headers={"Accept": "*/*"}), 401, "auth_required")


async def test_htmx_is_told_to_load_the_form(browser: httpx2.AsyncClient) -> None:
    htmx = {"HX-Request": "true", "HX-Current-URL": "http://127.0.0.1:8100/console/orders?late_only=true"}
    answer = await browser.get("/console/orders?order=1", headers=htmx)
    back = "/sign-in?next=%2Fconsole%2Forders%3Flate_only%3Dtrue"
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, back)
    assert answer.headers["www-authenticate"].startswith("Bearer ")


async def test_the_cookie_is_for_the_browser_alone(browser: httpx2.AsyncClient, key: str) -> None:
    signed = await sign_in(browser, key)
    cookie = next(c for c in signed.headers.get_list("set-cookie") if c.startswith(f"{KEY_COOKIE}="))
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert key not in (await browser.get("/")).text


async def test_behind_https_the_cookie_is_sent_over_https_only(closed: Settings, key: str) -> None:
    async with serving(closed.model_copy(update={"public_url": "https://erp.example"})) as browser:
        browser.base_url = httpx2.URL("https://erp.example")
        signed = await sign_in(browser, key)
    cookies = signed.headers.get_list("set-cookie")
    cookie = next(c for c in cookies if c.startswith(f"{SECURE_KEY_COOKIE}="))
    assert "Secure" in cookie
    assert not any(c.startswith(f"{KEY_COOKIE}=") for c in cookies)


async def test_the_cookie_opens_the_console_and_not_the_api(browser: httpx2.AsyncClient, key: str) -> None:
    await sign_in(browser, key)
    assert (await browser.get("/")).status_code == 200
    for path in ("/bedrock/schedule", "/connectors", "/metrics", "/mcp", "/docs", "/sign-outs", "/consoles"):
        problem(
            await browser.get(path, headers={"Accept": "application/json, text/event-stream"}),
            401,
            "auth_required",
        )


@pytest.mark.parametrize("bad", ["", "wrong", "kai_0000", "a b", "é", "x" * 5000, "a\nb", "a;b", '"'])
async def test_a_wrong_key_is_told_and_not_kept(browser: httpx2.AsyncClient, bad: str) -> None:
    refused = await sign_in(browser, bad)
    assert refused.status_code == 403
    assert 'role="alert"' in refused.text
    assert len(bad) < 4 or bad not in refused.text
    assert not any(c.startswith(KEY_COOKIE) for c in refused.headers.get_list("set-cookie"))


async def test_guessing_is_slowed_down(browser: httpx2.AsyncClient) -> None:
    for _ in range(31):
        refused = await sign_in(browser, "kai_guess")
    assert refused.status_code == 429
    assert "Too many keys or tokens were refused" in refused.text


@pytest.mark.parametrize("token", ["", "another"])
async def test_a_form_of_another_site_signs_nobody_in(browser: httpx2.AsyncClient, key: str, token: str) -> None:
    await form(browser)
    refused = await browser.post("/sign-in", data={"key": key, "token": token})
    assert refused.status_code == 403
    foreign = {"Origin": "https://evil.example"}
    refused = await browser.post("/sign-in", data={"key": key, "token": await form(browser)}, headers=foreign)
    assert refused.status_code == 403
    assert not any(c.startswith(KEY_COOKIE) for c in refused.headers.get_list("set-cookie"))


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/bedrock/schedule", "javascript:alert(1)"],
)
async def test_signing_in_leads_to_nowhere_else(browser: httpx2.AsyncClient, key: str, target: str) -> None:
    assert (await sign_in(browser, key, next=target)).headers["location"] == "/"


async def test_signing_out_forgets_the_key(browser: httpx2.AsyncClient, key: str) -> None:
    await sign_in(browser, key)
    await browser.post("/sign-out", data={"token": "guessed"})
    assert (await browser.get("/")).status_code == 200
    left = await browser.post("/sign-out", data={"token": await form(browser, "/")})
    assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
    assert (await browser.get("/")).status_code == 303


async def test_a_key_that_is_revoked_opens_nothing_any_more(closed: Settings, keys: KeysFile, key: str) -> None:
    async with serving(closed) as browser:
        browser.headers.update(BROWSER)
        await sign_in(browser, key)
        keys.revoke("anna", datetime.now(UTC))
    async with serving(closed) as later:
        refused = await later.get("/", headers=BROWSER | {"Cookie": f"{KEY_COOKIE}={key}"})
    assert refused.status_code == 303


async def test_a_visitor_sees_the_pages_that_the_key_allows(browser: httpx2.AsyncClient, key: str) -> None:
    await sign_in(browser, key)
    page = (await browser.get("/")).text
    assert 'href="/console/customers"' in page
    assert 'href="/console/orders"' not in page
    denied = await browser.get("/console/orders")
    assert denied.status_code == 403
    assert "forbidden" in denied.text
    assert (await browser.get("/console/download/open_orders.csv")).status_code == 403


async def test_a_key_in_a_header_opens_the_console_too(browser: httpx2.AsyncClient, key: str) -> None:
    assert (await browser.get("/", headers={"X-API-Key": key})).status_code == 200


@pytest.mark.parametrize("cookie", ['prefs={"a":1}; ', "a b; ", "x[y]=1; ", "a@b=1; ", "%C3%A9=1; "])
async def test_cookies_of_others_lock_nobody_out(browser: httpx2.AsyncClient, key: str, cookie: str) -> None:
    signed_in = [("Accept", "text/html"), ("Cookie", f"{cookie}{KEY_COOKIE}={key}")]
    assert (await browser.get("/", headers=signed_in)).status_code == 200


async def test_behind_a_proxy_with_a_host_of_its_own_people_sign_in(closed: Settings, key: str) -> None:
    async with serving(closed.model_copy(update={"public_url": "https://erp.example"})) as browser:
        browser.base_url = httpx2.URL("https://127.0.0.1")
        token = await form(browser)
        public = {"Origin": "https://erp.example"}
        signed = await browser.post("/sign-in", data={"key": key, "token": token}, headers=public)
    assert signed.status_code == 303


@pytest.mark.parametrize(
    "cookie", ["kai-erp-key=", "kai-erp-key=\x7f", "=;;=", 'kai-erp-key="', "kai-erp-key=%C3%A9"]
)
async def test_odd_cookies_let_nobody_in(browser: httpx2.AsyncClient, cookie: str) -> None:
    answer = await browser.get("/", headers=[("Accept", "text/html"), ("Cookie", cookie)])
    assert answer.status_code == 303


async def test_where_nobody_is_asked_for_a_key_the_form_says_so(settings: Settings) -> None:
    async with serving(settings) as browser:
        page = await browser.get("/sign-in?next=/console/orders")
        assert page.status_code == 200
        assert "asks nobody for a key" in page.text
        assert 'href="/console/orders"' in page.text


async def test_a_form_offers_no_values_to_who_may_not_see_them(closed: Settings, keys: KeysFile, key: str) -> None:
    orders = keys.create("bert", frozenset({"orders:read"}), datetime.now(UTC))
    async with serving(closed) as browser:
        browser.headers.update(BROWSER)
        await browser.get("/", headers={"X-API-Key": key})
        assert '<option value="WELD">' in (await browser.get("/", headers={"X-API-Key": key})).text
        denied = await browser.get("/", headers={"X-API-Key": orders})
    assert denied.status_code == 403
    assert "WELD" not in denied.text
