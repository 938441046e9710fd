"""The page of a real demo in a real browser: tickers on their way, a fill arriving, nothing amiss."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.web.browser import Seen, needs_chromium, open_page

pytestmark = [pytest.mark.browser, pytest.mark.process, needs_chromium]

SETTINGS = {
    "LLM__KIND": "sim",
    "WEB__PORT": "0",
    "REPLAY__SYMBOLS": "48",
    "REPLAY__SPEED": "600",  # ten market minutes a second at most: slow enough to be watched
    "LOOP__START_MIN": "20",
    "LOOP__ANALYSTS": "1",
}
WATCH = """() => {
    window.stagesSeen = {};
    const look = () => {
        for (const row of document.querySelectorAll(".tickers li[data-symbol]"))
            (window.stagesSeen[row.dataset.symbol] ??= new Set()).add(row.dataset.stage);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
}"""
MOVED = "() => Object.values(window.stagesSeen).some((stages) => stages.size >= 3 && stages.has('analyzing'))"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a demo, held to a pace, shows its page."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("TAPELINE_", "APCA_"))}
    node = subprocess.Popen(
        [sys.executable, "-m", "tapeline.cli", "demo", "--exit", "--home", str(tmp_path / "home")],
        env={**kept, **{f"TAPELINE_{name}": text for name, text in SETTINGS.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with node:
        try:
            assert node.stderr is not None
            lines = iter(node.stderr)
            yield next(line for line in lines if line.startswith("page: ")).split()[1]
        finally:
            node.terminate()


@pytest.fixture
def seen(address: str) -> Iterator[Seen]:
    """Its page."""
    with open_page(address) as seen:
        yield seen


def test_the_demos_page_shows_tickers_on_their_way_and_a_fill(seen: Seen) -> None:
    seen.go("loop")
    seen.page.evaluate(WATCH)
    seen.page.wait_for_function(MOVED, timeout=60_000)
    seen.go("portfolio")
    seen.page.locator(".deals li").first.wait_for(timeout=60_000)
    assert {"buy", "sell"} & set(seen.page.locator(".deals li").first.inner_text().split())
    seen.assert_calm()
