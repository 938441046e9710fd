"""The shipped Parquet files and where they come from; see PROVENANCE.md beside this file."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """Return the path of a shipped data file. Raises FileNotFoundError when the installation lacks it."""
    path = Path(__file__).with_name(name)
    if not path.is_file():
        raise FileNotFoundError(f"shipped data file {name} is missing from {path.parent}: reinstall tapeline")
    return path
