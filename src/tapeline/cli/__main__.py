"""``python -m tapeline.cli``: how the node starts its own workers, whatever the PATH."""

from __future__ import annotations

from tapeline.cli import main

main()
