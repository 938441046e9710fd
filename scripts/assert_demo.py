"""Read the demo's last line from standard input and fail unless it shows a whole, clean run."""

from __future__ import annotations

import json
import sys

KEYS = (
    "symbols traded polls requests ticks bars scan_ms candidates signals orders fills equity "
    "discovered dossiers llm_calls loop_s wall_s errors"
)


def main() -> int:
    """Print each broken promise; return how many there are."""
    result = json.loads(sys.stdin.read())
    promises = {
        "has every key": all(key in result for key in KEYS.split()),
        "524 symbols": result.get("symbols") == 524,
        "at least 501 traded": result.get("traded", 0) >= 501,
        "no errors": result.get("errors") == 0,
        "at least one fill": result.get("fills", 0) >= 1,
        "at least one signal": result.get("signals", 0) >= 1,
        "at least 8 dossiers": result.get("dossiers", 0) >= 8,
        "a model was asked": result.get("llm_calls", 0) >= 7 * 8,
        "nothing degraded": result.get("degraded") == [],
        "under 60 s": result.get("wall_s", 1e9) < 60,
    }
    broken = [name for name, kept in promises.items() if not kept]
    for name in broken:
        print(f"demo: not so: {name}: {result}")
    print(f"demo: {len(promises) - len(broken)} of {len(promises)} promises kept")
    return len(broken)


if __name__ == "__main__":
    sys.exit(main())
