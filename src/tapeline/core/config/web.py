"""The page and the API: ``[web]``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tapeline.core.config.base import Section


class WebConfig(Section, frozen=True):
    """Where the node answers. It listens on this machine only. Read by ``web``."""

    enabled: bool = True
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8321
    """0 takes a free one."""
