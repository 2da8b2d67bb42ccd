"""Pictures of every page of the console, of the simulated plant: `python -m tests.test_console.screenshots`.

They go to docs/images/console, named by page, theme and size.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import stamina
import structlog
from playwright.sync_api import Browser, Page, expect

from kai_erp.access.keys import KeysFile
from kai_erp.demo import plant_now
from kai_erp.simulator import Abort, Fault, RunningSimulator, build_plant, run_simulator
from tests.conftest import settings_of
from tests.test_console.browser import DESKTOP, NOT_TESTED, PHONE, Site, Watch, chromium, launched, served, settled
from tests.test_console.browser import visiting as visit

FOLDER = Path(__file__).parents[2] / "docs" / "images" / "console"
QUALITY = 80
Show = Callable[[Page], object]


def floor(page: Page) -> None:
    """Show the shop floor, with a bar that was opened where there is room."""
    page.goto("/?weeks=2")
    if page.evaluate("innerWidth") > PHONE[0]:
        page.locator("a.bar", has=page.locator("rect.behind")).nth(3).click()
        expect(page.locator("#card section")).to_be_visible()


def orders(page: Page) -> None:
    """Show the orders with one of them open."""
    page.goto("/console/orders")
    page.locator("details.order > summary").nth(1).click()


def customer(page: Page) -> None:
    """Show a customer who waits for something."""
    page.goto("/console/orders")
    page.locator("details.order > summary").first.click()
    page.locator("details.order").first.get_by_role("link", name="customer").last.click()
    page.locator("details.order > summary").first.click()


PAGES: dict[str, Show] = {
    "shop-floor": floor,
    "orders": orders,
    "inventory": lambda page: page.goto("/console/inventory?low_stock_only=true"),
    "customers": lambda page: page.goto("/console/customers?query=county"),
    "customer": customer,
    "status": lambda page: page.goto("/console/status?check=1"),
    "tools": lambda page: page.goto("/console/tools/production_schedule?ask=1&work_center=WELD&limit=5"),
}


def main() -> None:
    """Make the pictures."""
    executable = chromium()
    if executable is None:
        sys.exit(NOT_TESTED)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with run_simulator(build_plant("small", 1, plant_now())) as erp, launched(executable) as browser:
        for theme in ("light", "dark"):
            for size in (DESKTOP, PHONE):
                picture_all(browser, erp, theme, size)
    total = sum(path.stat().st_size for path in FOLDER.glob("*.jpg"))
    print(json.dumps({"pictures": len(list(FOLDER.glob("*.jpg"))), "bytes": total}))  # noqa: T201  # a program


def picture_all(browser: Browser, erp: RunningSimulator, theme: str, size: tuple[int, int]) -> None:
    """Make the pictures in one theme and size."""
    suffix = f"{theme}-{'desktop' if size == DESKTOP else 'phone'}"
    with opened(erp) as (site, closed):
        for name, show in PAGES.items():
            picture(browser, site, show, size, f"{name}-{suffix}")
        erp.state.faults.add(Fault(Abort(0), times=None))
        with stamina.set_testing(True, attempts=1):
            picture(browser, site, lambda page: page.goto("/?job=1"), size, f"failure-{suffix}")
        erp.state.faults.clear()
        picture(browser, closed, lambda page: page.goto("/"), size, f"sign-in-{suffix}")


def picture(browser: Browser, site: Site, show: Show, size: tuple[int, int], name: str) -> None:
    """Make one picture."""
    watch = Watch(site.url, expected=("Failed to load resource",))
    theme = "dark" if "-dark-" in name else "light"
    with visit(browser, watch, size, color_scheme=theme) as page:
        show(page)
        settled(page)
        page.mouse.move(0, 0)
        page.screenshot(path=FOLDER / f"{name}.jpg", type="jpeg", quality=QUALITY)


@contextmanager
def opened(erp: RunningSimulator) -> Iterator[tuple[Site, Site]]:
    """Serve the console to everybody, and to those with a key."""
    with tempfile.TemporaryDirectory() as folder:
        file, keys = Path(folder) / "tenant.ionapi", KeysFile(Path(folder) / "keys.json")
        keys.create("somebody", frozenset({"*"}), datetime.now(UTC))
        open_to_all = settings_of(erp, file, auth_mode="none", inbound_per_minute=10_000)
        closed = settings_of(erp, file, api_keys_file=keys.path)
        with served(open_to_all, erp) as site, served(closed, erp) as guarded:
            yield site, guarded


if __name__ == "__main__":
    main()
