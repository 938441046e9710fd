"""The market data that Tapeline ships: real daily bars, their universe, the index and its sessions, as Parquet.

In: a file's name.  Out: where it lies on disk.  Origin, licences and known faults stand in ``PROVENANCE.md``.
Refuses to read or repair anything: ``tapeline.sim.market`` reads, ``scripts/build_data.py`` builds.
"""

from __future__ import annotations

from pathlib import Path

DAILY = "daily.parquet"
UNIVERSE = "universe.parquet"
SESSIONS = "sessions.parquet"
INDEX_DAILY = "index_daily.parquet"
CORPORATE_ACTIONS = "corporate_actions.parquet"


def shipped(name: str) -> Path:
    """Return the path of a shipped file; it need not exist."""
    return Path(__file__).parent / name
