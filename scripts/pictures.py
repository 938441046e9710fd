"""Take the pictures of the documentation from the page of a node that is starting: ``pictures.py URL [FOLDER]``.

In: the address that ``tapeline demo`` prints.  Out: PNG files below docs/pictures.  Refuses nothing.
Each picture waits for its moment of the day, so start it together with the demo.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
WAIT_MS = 300_000
SETTLE_MS = 900


def take(page: Page, folder: Path, name: str) -> None:
    """Let transitions end, then save what is seen."""
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=folder / f"{name}.png")
    print(folder / f"{name}.png")


def main(url: str, folder: Path) -> None:
    """Follow the day and take a picture of each view."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="dark")
        phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="light")
        page.goto(f"{url}/#/loop")
        page.locator(".tickers li[data-stage='trading']").nth(2).wait_for(timeout=WAIT_MS)
        page.screenshot(path=folder / "loop.png")
        page.goto(f"{url}/#/portfolio")
        page.locator(".time", has_text="12:").wait_for(timeout=WAIT_MS)
        take(page, folder, "portfolio")
        page.goto(f"{url}/#/scan")
        take(page, folder, "scan")
        page.goto(f"{url}/#/map")
        page.locator(".time", has_text="14:4").wait_for(timeout=WAIT_MS)
        take(page, folder, "map")
        page.locator(".state[data-state='closed']").wait_for(timeout=WAIT_MS)
        page.goto(f"{url}/#/loop")
        symbol = page.locator(".tickers li[data-stage='traded']").first.get_attribute("data-symbol")
        page.goto(f"{url}/#/symbol/{symbol}")
        page.locator(".chart canvas").first.wait_for(timeout=WAIT_MS)
        take(page, folder, "symbol")
        for name in ("map", "loop"):
            phone.goto(f"{url}/#/{name}")
            take(phone, folder, f"{name}-phone")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "docs/pictures"))
