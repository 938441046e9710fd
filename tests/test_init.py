"""The library's face: every name is seen, and found, and nothing else is."""

from __future__ import annotations

import pytest

import tapeline


def test_tab_completion_shows_the_names_and_each_is_there() -> None:
    shown = [name for name in dir(tapeline) if not name.startswith("__")]
    assert shown == sorted(tapeline.__all__)
    assert all(getattr(tapeline, name) is not None for name in shown)


def test_unknown_name_is_answered_with_those_that_exist() -> None:
    with pytest.raises(AttributeError, match="indicator_help"):
        _ = tapeline.indicator
