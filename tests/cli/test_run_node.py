"""``run``: the live market wants a key."""

from __future__ import annotations

from tests.cli.shell import Shell


def test_without_a_key_it_says_which_and_starts_nothing(shell: Shell) -> None:
    sentence = shell.refuses("run")
    assert "APCA_API_KEY_ID and APCA_API_SECRET_KEY" in sentence
    assert "tapeline demo" in sentence
    assert not shell.home.exists()


def test_half_a_key_is_no_key(shell: Shell) -> None:
    shell.patch.setenv("APCA_API_KEY_ID", "id")
    assert "needs a vendor key" in shell.refuses("run")
