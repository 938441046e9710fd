"""What is listed, day by day: who is new, gone, halted, back, or goes by another name.

In: the vendor's list of today and the one that was kept.  Out: the list, kept, and what has changed.
Refuses to take a renamed company for two: the vendor's id tells them apart, where it gives one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tapeline.feed.home_file import read_json, write_json
from tapeline.feed.vendors.alpaca import Asset


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different from the list before, each sorted; ``renamed`` holds (old, new)."""

    listed: tuple[str, ...] = ()
    delisted: tuple[str, ...] = ()
    halted: tuple[str, ...] = ()
    resumed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return any((self.listed, self.delisted, self.halted, self.resumed, self.renamed))


def compare_assets(before: Iterable[Asset], now: Iterable[Asset]) -> Changes:
    """Return what changed between two lists; against an empty list nothing is news."""
    old, new = {a.symbol: a for a in before}, {a.symbol: a for a in now}
    if not old:
        return Changes()
    by_id = {asset.id: asset.symbol for asset in old.values() if asset.id}
    came, went = set(new) - set(old), set(old) - set(new)
    renamed = sorted((by_id[new[s].id], s) for s in came if by_id.get(new[s].id) in went)
    both = sorted(set(old) & set(new))
    return Changes(
        listed=tuple(sorted(came - {new_name for _, new_name in renamed})),
        delisted=tuple(sorted(went - {old_name for old_name, _ in renamed})),
        halted=tuple(s for s in both if old[s].tradable and not new[s].tradable),
        resumed=tuple(s for s in both if not old[s].tradable and new[s].tradable),
        renamed=tuple(renamed),
    )


def read_assets(path: Path) -> tuple[Asset, ...]:
    """Return the list that was kept; empty when there is none."""
    return read_json(path, tuple[Asset, ...], ())


def write_assets(path: Path, assets: Iterable[Asset]) -> None:
    """Replace the list in one step."""
    write_json(path, tuple(assets))
