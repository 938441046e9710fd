"""The command line: verbs, each a few lines over ``app``. ``--json`` everywhere; errors teach."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from tapeline.cli.main import run

    run()
