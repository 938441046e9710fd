"""What all tests share: generated examples have no deadline, because a slow machine is not a failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("tapeline", deadline=None)
settings.load_profile("tapeline")
