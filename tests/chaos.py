"""How often a test kills: few times in the suite, many in ``make chaos``, which sets CHAOS in the environment."""

from __future__ import annotations

import os


def kills(usual: int, chaos: int) -> int:
    """Return the number of kills, ``usual`` or ``chaos``."""
    return chaos if os.environ.get("CHAOS") else usual
