"""An outcome holds a value or a reason, never both and never neither."""

from __future__ import annotations

import pytest

from tapeline.core.outcome import Kind, NoValue, Outcome, nothing, value_of


def test_a_value_unwraps_and_maps() -> None:
    assert value_of(3, source="a").map(lambda x: x + 1).unwrap() == 4


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.VALUE])
def test_every_absence_refuses_to_be_a_value_and_keeps_its_reason(kind: Kind) -> None:
    outcome: Outcome[int] = nothing(kind, source="news", reason="feed is empty", as_of_ns=5)
    mapped = outcome.map(lambda x: x + 1)
    assert (mapped.kind, mapped.reason, mapped.as_of_ns, mapped.is_value) == (kind, "feed is empty", 5, False)
    with pytest.raises(NoValue, match=r"news has no value to act on .*feed is empty"):
        mapped.unwrap()


def test_zero_is_a_value() -> None:
    assert value_of(0, source="a").unwrap() == 0


def test_a_value_kind_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="only a value carries one"):
        Outcome(Kind.VALUE, "a")
    with pytest.raises(ValueError, match="only a value carries one"):
        Outcome(Kind.ERROR, "a", 3)
