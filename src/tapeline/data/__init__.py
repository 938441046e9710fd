"""The market data that Tapeline ships as Parquet: daily bars and their universe, trades, minutes, option quotes.

In: a file's name.  Out: where it lies on disk.  Origin, licences and known faults stand in ``PROVENANCE.md``.
Refuses to read or repair anything: ``tapeline.sim.market`` and ``tapeline.data.samples`` read,
``scripts/build_data.py`` and ``scripts/build_samples.py`` build.
"""

from __future__ import annotations

from pathlib import Path

DAILY = "daily.parquet"
UNIVERSE = "universe.parquet"
SESSIONS = "sessions.parquet"
INDEX_DAILY = "index_daily.parquet"
CORPORATE_ACTIONS = "corporate_actions.parquet"
TRADES = "es_trades.parquet"
MINUTES = "spy_minutes.parquet"
OPTION_QUOTES = "option_quotes.parquet"


def shipped(name: str) -> Path:
    """Return the path of a shipped file; it need not exist."""
    return Path(__file__).parent / name
