"""``docs/feed.md`` names every setting of the feed with its default, and every option of its verbs."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tapeline.core.config import Config
from tapeline.core.config.load import leaves

PAGE = Path("docs/feed.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(feed\.[a-z_.]+)` \| `(.+?)` \|", re.MULTILINE)


def test_every_setting_stands_there_with_its_default() -> None:
    told = {name: json.loads(default) for name, default in ROW.findall(PAGE)}
    ours = {name: list(value) if isinstance(value, tuple) else value for name, value in leaves(Config().feed, "feed.")}
    assert told == ours


def test_the_environment_names_stand_there() -> None:
    names = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "MASSIVE_API_KEY", "REDDIT_CLIENT_ID", "YOUTUBE_API_KEY")
    for name in (*names, "TAPELINE_FEED__ALPACA__BASE_URL", "TAPELINE_FEED__STRATEGY", "USE_BATCH_POLLING"):
        assert name in PAGE
