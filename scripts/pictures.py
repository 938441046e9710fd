"""Take the pictures of the documentation from a demo that it starts itself: ``pictures.py [FOLDER] [demo's options]``.

In: this checkout, Chromium.  Out: PNG files below docs/pictures, each of 256 colours.
Refuses nothing. Each picture waits for a fact that stays (a minute that is over, tickers that are decided), never for a
stage that may be gone before one has looked; the day is held to a pace at which its moments can be met.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
PACE = {"TAPELINE_REPLAY__SPEED": "120", "TAPELINE_WEB__PORT": "0", "TAPELINE_SCAN__SECOND_EVERY_MIN": "60"}
"""Two market minutes a second; a closer look, as without one the scan's table has no options and companies."""
PATIENCE_S = 1_200.0
LOOK_S = 0.1
SETTLE_MS = 900
COLOURS = 256
DECIDED = ("trading", "traded", "failed")


@contextmanager
def demo(options: list[str]) -> Iterator[str]:
    """Run a demo; yield the address of its page."""
    command = [sys.executable, "-m", "tapeline.cli", "demo", "--exit", *options]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, env={**os.environ, **PACE}, stdin=subprocess.DEVNULL, stderr=pipe, text=True
    ) as node:
        assert node.stderr is not None
        try:
            url = next(line for line in node.stderr if line.startswith("page: ")).split()[1]
            Thread(target=node.stderr.read, daemon=True).start()  # a pipe that nobody empties would stop the demo
            yield url
        finally:
            node.terminate()


class Camera:
    """Pages of one node and the folder that their pictures go to."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def ask(self, path: str) -> Any:
        """Return an answer of the node's API."""
        with urllib.request.urlopen(f"{self.url}/api/{path}", timeout=30) as answer:
            return json.load(answer)

    def until(self, fact: Callable[[], bool]) -> None:
        """Wait for a fact."""
        ends = time.monotonic() + PATIENCE_S
        while not fact():
            if time.monotonic() > ends:
                raise TimeoutError(f"the demo did not get there within {PATIENCE_S:.0f} s")
            time.sleep(LOOK_S)

    def until_minute(self, minute: int) -> None:
        """Wait until so many minutes of the session are done."""
        self.until(lambda: self.ask("status")["minutes_done"] >= minute)

    def some_are_decided(self, least: int) -> bool:
        """Tell whether so many tickers have been thought through, or the run is over."""
        loop = self.ask("bot/loop-status")
        stages = [ticker["stage"] for ticker in loop["tickers"]]
        return sum(stage in DECIDED for stage in stages) >= least or ("skipped" in stages and not loop["running"])

    def go(self, page: Page, view: str) -> None:
        """Open a view and let it come to rest."""
        page.goto(f"{self.url}/#/{view}")
        page.wait_for_timeout(SETTLE_MS)

    def take(self, page: Page, name: str) -> None:
        """Save what is seen."""
        path = self.folder / f"{name}.png"
        page.screenshot(path=path)
        with Image.open(path) as seen:
            few = seen.convert("RGB").quantize(
                COLOURS, method=Image.Quantize.MAXCOVERAGE, kmeans=1
            )  # rare colours stay
        few.save(path, optimize=True)
        print(f"{path} {path.stat().st_size // 1000} kB")

    def most_told(self) -> str:
        """Return the symbol with a dossier whose page shows most: a company's name, then fills."""
        symbols: list[str] = [t["symbol"] for t in self.ask("bot/loop-status")["tickers"] if t["stage"] in DECIDED]
        pages = {symbol: self.ask(f"symbols/{symbol}") for symbol in symbols}
        return max(pages, key=lambda symbol: (bool(pages[symbol]["name"]), len(pages[symbol]["deals"])))


def follow_the_day(camera: Camera, desk: Page, phone: Page) -> None:
    """Take each picture at its moment."""
    camera.go(desk, "loop")
    camera.until(lambda: camera.some_are_decided(3))
    camera.take(desk, "loop")
    camera.until_minute(100)
    for view in ("portfolio", "scan"):
        camera.go(desk, view)
        camera.take(desk, view)
    for view in ("loop", "scan"):
        camera.go(phone, view)
        camera.take(phone, f"{view}-phone")
    for page in (desk, phone):
        camera.go(page, "map")
    camera.until_minute(314)  # a quarter to three: two minutes before the low of the flash crash
    camera.take(desk, "map")
    camera.take(phone, "map-phone")
    camera.until_minute(340)
    camera.go(desk, f"symbol/{camera.most_told()}")
    camera.take(desk, "symbol")


def main(folder: Path, options: list[str]) -> None:
    """Start a demo and take its pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with demo(options) as url, sync_playwright() as player:
        browser = player.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=FLAGS)
        # without motion no picture shows tiles on their way
        desk = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="dark", reduced_motion="reduce")
        phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="light", reduced_motion="reduce")
        follow_the_day(Camera(url, folder), desk, phone)
        browser.close()


if __name__ == "__main__":
    named = sys.argv[1:2] if sys.argv[1:2] and not sys.argv[1].startswith("-") else []
    main(Path(*named) if named else Path("docs/pictures"), sys.argv[1 + len(named) :])
