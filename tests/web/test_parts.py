"""Parts: read once per version, tagged by content."""

from __future__ import annotations

from tests.web.scripted import ScriptedView

from tapeline.web.parts import PARTS, Parts


def test_a_part_is_read_once_per_version() -> None:
    view = ScriptedView()
    view.go_to(10)
    parts = Parts(view)
    assert parts.get("market") is parts.get("market")
    before = parts.get("market")
    view.bump()
    assert parts.get("market") is not before


def test_a_tag_follows_the_content_and_not_the_version() -> None:
    view = ScriptedView()
    view.go_to(10)
    parts = Parts(view)
    before = parts.tags()
    view.bump()
    assert parts.tags() == before
    view.fill("AAPL", "buy", 3.0, "why")
    changed = {name for name, tag in parts.tags().items() if before[name] != tag}
    assert changed == {"status", "portfolio"}
    assert before.keys() == PARTS.keys()
