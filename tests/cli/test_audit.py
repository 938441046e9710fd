"""``audit lookahead``: the contract is clean, and what it looked at is told."""

from __future__ import annotations

import json

from tests.cli.shell import Shell


def test_no_feature_of_the_shipped_history_knows_the_future(shell: Shell) -> None:
    answer = shell("audit", "lookahead", "--moments", "1", "--json")
    assert answer.code == 0
    told = json.loads(answer.out)
    assert told["peeks"] == []
    assert told["features"] >= 60
    assert told["cells"] > 1_000_000
