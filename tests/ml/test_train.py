"""Training: the same bytes twice, nothing of the future, a signal that is there is found, and the card is honest."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from tests.ml.made import FIRST, QUICK, history, trained

from tapeline.core.errors import BadInput
from tapeline.core.types import Label
from tapeline.ml.boost import check_device
from tapeline.ml.card import build_card
from tapeline.ml.skill import judge_scores
from tapeline.ml.train import TARGETS, Table, build_table, feature_bounds, train, values_over


def test_same_history_and_seed_give_the_same_bytes() -> None:
    table, judged = trained()
    again = train(table, QUICK, seed=1, label=Label.SIMULATED, progress=lambda *_: None)
    assert [each.file for each in again] == [each.file for each in judged]


def test_fold_knows_only_what_came_before_its_date() -> None:
    table, judged = trained()
    first = judged[0]
    assert first.file.trained_until == FIRST + dt.timedelta(days=149)
    future = {h: np.vstack([gain[:140], -3.0 * gain[140:]]) for h, gain in table.returns.items()}
    other = replace(table, returns=future, features=np.concatenate([table.features[:150], table.features[150:] * 2.0]))
    again = train(other, QUICK, seed=1, label=Label.SIMULATED, progress=lambda *_: None)
    assert again[0].file == first.file


def test_progress_counts_every_target_of_every_fold() -> None:
    seen: list[tuple[int, int]] = []
    table, _ = trained()
    train(table, QUICK, seed=1, label=Label.SIMULATED, progress=lambda done, total, _: seen.append((done, total)))
    total = 2 * len(TARGETS)
    assert seen == [(done, total) for done in range(total + 1)]


def with_a_law(table: Table) -> Table:
    """Return a table in which the future follows one feature."""
    law = table.features[:, :, table.contract.names.index("rank_of_roc_5")].astype(np.float64) - 0.5
    noise = np.random.default_rng(2).normal(0.0, 0.02, law.shape)
    return replace(
        table, returns={h: np.where(np.isfinite(gain), 0.1 * law + noise, np.nan) for h, gain in table.returns.items()}
    )


def test_a_law_that_is_there_is_found_and_chance_is_not_called_skill() -> None:
    table, judged = trained()
    assert "No skill" in build_card(table, judged).verdict
    lawful = with_a_law(table)
    learned = train(lawful, QUICK, seed=1, label=Label.SIMULATED, progress=lambda *_: None)
    skill = judge_scores(values_over(lawful, learned, "return_5"), lawful.returns[5], 5)
    assert skill.ic > 0.5
    card = build_card(lawful, learned)
    assert "Skill beyond chance is shown for return_5" in card.verdict
    assert card.targets[0].importance[0][0] in ("rank_of_roc_5", "roc_5", "z_of_roc_5", "reversal_5", "roc_5_vs_sector")


def test_short_history_is_refused_in_one_sentence() -> None:
    table = build_table(history(90, 25))
    with pytest.raises(BadInput, match="90 sessions are too few to train on"):
        train(table, QUICK, seed=1, label=Label.SIMULATED, progress=lambda *_: None)


def test_bounds_leave_room_and_unknown_features_have_none() -> None:
    column = np.linspace(0.0, 1.0, 1001, dtype=np.float32)
    low, high = feature_bounds(np.stack([column, np.full_like(column, np.nan)], axis=1))
    assert low[0] == pytest.approx(-0.997, abs=0.01)
    assert high[0] == pytest.approx(1.997, abs=0.01)
    assert (low[1], high[1]) == (-np.inf, np.inf)


def test_a_device_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(BadInput, match="choose cpu or cuda"):
        check_device("tpu")
    from tapeline.ml.boost import library

    if not library().build_info().get("USE_CUDA"):
        with pytest.raises(BadInput, match="without CUDA"):
            check_device("cuda")
