"""What a browser sees of a page: helpers for any served node, scripted or real.

``open_page`` gives a ``Seen`` that watches the console and the network while it is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PATIENCE_MS = 15_000

needs_chromium = pytest.mark.skipif(not CHROMIUM.is_file(), reason=f"there is no browser at {CHROMIUM}")


@dataclass
class Seen:
    """A page that is open, and everything it complained of or asked for."""

    base_url: str
    page: Page
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def go(self, view: str) -> None:
        """Open a view: ``map``, ``scan``, ``loop``, ``portfolio`` or ``symbol/AAPL``."""
        self.page.goto(f"{self.base_url}/#/{view}")

    def stage_of(self, symbol: str) -> str:
        """Return the stage that the loop view shows for a ticker; "" while it shows none."""
        row = self.page.locator(f".tickers li[data-symbol='{symbol}']")
        return row.get_attribute("data-stage") or "" if row.count() else ""

    def wait_for_stage(self, symbol: str, stage: str) -> None:
        """Wait until the loop view shows a ticker in a stage."""
        self.page.wait_for_selector(f".tickers li[data-symbol='{symbol}'][data-stage='{stage}']", timeout=PATIENCE_MS)

    def wait_for_fills(self, n: int) -> list[str]:
        """Wait until the portfolio shows at least ``n`` fills; return their lines, newest first."""
        rows = self.page.locator(".deals li")
        rows.nth(n - 1).wait_for(timeout=PATIENCE_MS)
        return rows.all_inner_texts()

    def wait_for_text(self, selector: str, text: str) -> None:
        """Wait until an element holds a text."""
        self.page.locator(selector, has_text=text).first.wait_for(timeout=PATIENCE_MS)

    def market_time(self) -> str:
        """Return the market's time as the header shows it."""
        return self.page.locator(".time").inner_text()

    def drawn_share(self) -> float:
        """Return the share of the map's canvas that is not background."""
        share: float = self.page.evaluate(
            """() => {
                const canvas = document.querySelector(".mapbox canvas");
                const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                let drawn = 0;
                for (let i = 4; i < data.length; i += 4)
                    drawn += data[i] !== data[0] || data[i + 1] !== data[1] || data[i + 2] !== data[2];
                return (4 * drawn) / data.length;
            }"""
        )
        return share

    def is_wider_than_the_screen(self) -> bool:
        """Return whether the page scrolls sideways."""
        wide: bool = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return wide

    def assert_calm(self) -> None:
        """Fail when the console held a warning or an error, or a request left this machine."""
        assert self.complaints == []
        assert self.elsewhere == []


@contextmanager
def open_page(base_url: str, *, width: int = 1440, height: int = 900, scheme: str = "dark") -> Iterator[Seen]:
    """Open a browser with an empty page that is watched from its first request on."""
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
        )
        seen = Seen(base_url, context.new_page())
        _watch(seen)
        yield seen
        context.close()
        browser.close()


def _watch(seen: Seen) -> None:
    def on_request(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            seen.elsewhere.append(request.url)

    seen.page.on("request", on_request)
    seen.page.on("pageerror", lambda error: seen.complaints.append(f"error: {error}"))
    seen.page.on(
        "console",
        lambda said: seen.complaints.append(f"{said.type}: {said.text}") if said.type in ("error", "warning") else None,
    )
