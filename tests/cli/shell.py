"""A command line in this process: what a person types, and what comes back."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import pytest

from tapeline.cli import main


@dataclass(frozen=True)
class Answer:
    """What a command left."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Runs ``tapeline`` with a home of its own and none of our variables set. Use it as a fixture (conftest.py)."""

    home: Path
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Answer:
        """Type ``tapeline`` and these words."""
        self.patch.setattr("sys.argv", ["tapeline", *words])
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        try:
            with pytest.raises(SystemExit) as leaving:
                main()
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
        found = self.capture.readouterr()
        return Answer(int(leaving.value.code or 0), found.out, found.err)

    def refuses(self, *words: str) -> str:
        """Type what cannot work, check that the answer is exit code 2 and one sentence, and return the sentence."""
        answer = self(*words)
        assert answer.code == 2
        assert answer.out == ""
        assert answer.err.startswith("tapeline: ")
        assert answer.err.count("\n") == 1
        return answer.err.removeprefix("tapeline: ").rstrip()
