"""What an undisturbed day leaves: lived through once for all tests of a file."""

from __future__ import annotations

import pytest
from tests.loop.town import Kept, Town, replay


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """What an undisturbed day leaves in the journal."""
    return replay(Town(tmp_path_factory.mktemp("undisturbed")))[1]
