"""What a home takes on the disk, for ``status`` and ``compact``; read from its files, so no node has to run."""

from __future__ import annotations

from typing import Any

from tapeline.core.config import Config
from tapeline.core.home import Home


def usage_of(home: Home, config: Config) -> dict[str, Any]:
    """Return what a home takes on the disk: bytes by class and in all, its cap, and the rolled days it reaches back."""
    from tapeline.store.database import bars_folder
    from tapeline.store.rolled import rolled_days
    from tapeline.store.usage import measure

    sizes, days = measure(home.path), list(rolled_days(bars_folder(home.journal_path)))
    return {
        "sizes": {part.value: size for part, size in sizes.items()},
        "total": sum(sizes.values()),
        "cap": round(config.retention.home_mb * 1_000_000),
        "oldest_day": days[0].isoformat() if days else None,
        "days": len(days),
    }


def line_of(told: dict[str, Any]) -> str:
    """Return the same as a line for a person."""
    parts = ", ".join(f"{part} {size / 1e6:,.1f}" for part, size in told["sizes"].items() if size)
    oldest = f"; rolled bars since {told['oldest_day']}, days: {told['days']}" if told["oldest_day"] else ""
    return f"disk: {told['total'] / 1e6:,.1f} of {told['cap'] / 1e6:,.0f} MB ({parts}){oldest}"
