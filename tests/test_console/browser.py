"""The console in a real browser: Chromium, driven by Playwright, before a server on a loopback port."""

import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, expect, sync_playwright

from kai_erp.api.main import create_app
from kai_erp.cli.serving import _Server
from kai_erp.config import Settings
from kai_erp.simulator import RunningSimulator

NAMES = ("chromium", "chromium-browser", "google-chrome")
NOT_TESTED = (
    "NOT TESTED: the console in a browser, since there is no Chromium on PATH nor at KAI_ERP_CHROMIUM; "
    "install it with: apt-get install chromium"
)
DESKTOP, PHONE = (1600, 1000), (390, 844)
PATIENCE_MS = 20_000
_AXE = Path(__file__).parent / "axe" / "axe.min.js"
_SERIOUS = {"serious", "critical"}


@dataclass(frozen=True, slots=True)
class Site:
    """A server that can be asked at `url`, and the simulator behind it."""

    url: str
    simulator: RunningSimulator

    def api(self, path: str, **parameters: object) -> dict[str, Any]:
        """Return an envelope of the API, to compare a page with."""
        answer: dict[str, Any] = json.loads(self.read(path, **parameters))
        return answer

    def read(self, path: str, **parameters: object) -> bytes:
        """Return the body of an answer to a program."""
        address = f"{self.url}{path}?{urlencode(parameters)}" if parameters else self.url + path
        with urlopen(HttpRequest(address), timeout=60) as answer:  # noqa: S310  # our own server
            body: bytes = answer.read()
        return body


@dataclass
class Watch:
    """What pages did: which requests they sent, and what of all they did is wrong.

    `expected` are parts of messages that are no fault, such as the browser's own about a page of status 502.
    """

    origin: str
    expected: Sequence[str] = ()
    requests: list[Request] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def paths(self, beginning: str) -> list[str]:
        """Return the addresses within the server that were asked for and begin so."""
        within = [request.url.removeprefix(self.origin) for request in self.requests]
        return [path for path in within if path.startswith(beginning)]

    def kinds(self) -> set[str]:
        """Return what was asked for: `document`, `fetch`, `eventsource` and so on."""
        return {request.resource_type for request in self.requests}

    def on_request(self, request: Request) -> None:
        """Take note of a request; it goes to the server, or loads nothing."""
        self.requests.append(request)
        parts = urlsplit(request.url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.wrong.append(f"a request left for {request.url}")

    def on_console(self, message: ConsoleMessage) -> None:
        """Take note of a warning or an error."""
        if message.type in {"error", "warning"} and not any(part in message.text for part in self.expected):
            self.wrong.append(f"{message.type} on the console: {message.text}")

    def on_dialog(self, dialog: Dialog) -> None:
        """Take note of a dialog: the console opens none."""
        self.wrong.append(f"a dialog opened: {dialog.message}")
        dialog.dismiss()


def chromium() -> str | None:
    """Return where Chromium is; None when it is not installed."""
    return os.environ.get("KAI_ERP_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    """Run a browser while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def served(settings: Settings, simulator: RunningSimulator) -> Iterator[Site]:
    """Serve the console over HTTP, in a thread, while the block runs."""
    api, ready = create_app(settings, simulated=True), threading.Event()
    config = uvicorn.Config(api, log_config=None, access_log=False, timeout_graceful_shutdown=1, http="h11")
    server = _Server(config, ready.set, api.state.stop_streams)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="console", daemon=True)
        thread.start()
        assert ready.wait(30), "the server did not start"
        yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", simulator)
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server did not stop"


@contextmanager
def visiting(browser: Browser, watch: Watch, size: tuple[int, int] = DESKTOP, **options: Any) -> Iterator[Page]:  # noqa: ANN401  # Playwright's
    """Open a page of a visitor of its own; nothing that it did may be wrong in the end."""
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(base_url=watch.origin, viewport=viewport, locale="en-US", **options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    context.on("request", watch.on_request)
    context.on("console", watch.on_console)
    context.on("dialog", watch.on_dialog)
    context.on("weberror", lambda failure: watch.wrong.append(f"an error in a script: {failure.error}"))
    yield context.new_page()
    context.close()
    assert watch.wrong == []


def settled(page: Page) -> None:
    """Wait until htmx has put in what it asked for."""
    expect(page.locator(".htmx-request")).to_have_count(0)


def eventually(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until something holds, for as long as for anything else."""
    until = time.monotonic() + PATIENCE_MS / 1000
    while not holds():
        assert time.monotonic() < until, "it did not come to hold"
        page.wait_for_timeout(100)


def figure(page: Page, label: str) -> int:
    """Return the figure of a tile."""
    tile = page.locator(".tile").filter(has=page.locator("span", has_text=label).filter(has_text=label))
    return round(float(tile.locator("data").first.get_attribute("value") or "nan"))


def violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Return what axe finds against a page that is serious or critical."""
    page.evaluate(_AXE.read_text(encoding="utf-8") + "\n;0")
    only = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found = page.evaluate("options => axe.run(document, options)", {"resultTypes": ["violations"], **only})
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in _SERIOUS
        for node in one["nodes"][:3]
    ]
