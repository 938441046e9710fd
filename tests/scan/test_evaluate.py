"""Tear sheets: a score that knows the future is seen to, models are asked about later days only, pages stand alone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.ml.made import FIRST, QUICK, history, trained

from tapeline.core.errors import BadInput
from tapeline.ml.fold_file import write_fold
from tapeline.scan.evaluate import evaluate, scores_of, write_sheet

HISTORY = history()


def test_expression_and_feature_are_the_same_score() -> None:
    one, other = (scores_of(HISTORY, score, QUICK) for score in ("from_sma_20", "close / sma_20 - 1"))
    assert np.array_equal(one, other, equal_nan=True)
    assert np.array_equal(one[150], scores_of(HISTORY, "close / sma_20 - 1", QUICK)[150], equal_nan=True)


def test_models_are_asked_about_days_after_their_training_only(tmp_path: Path) -> None:
    write_fold(trained()[1][0].file, tmp_path)
    scores = scores_of(HISTORY, "up_10", msgspec.structs.replace(QUICK, folder=str(tmp_path)))
    until = (FIRST + dt.timedelta(days=149)).isoformat()
    days = np.array([str(day) for day in HISTORY.days])
    assert np.isnan(scores[days <= until]).all()
    assert np.isfinite(scores[days > until]).all()


def test_sheet_has_skill_by_horizon_and_is_written_as_a_page(tmp_path: Path) -> None:
    sheet, ics = evaluate(HISTORY, "-roc_5", QUICK, horizon=3)
    assert [h for h, _ in sheet.decay] == [1, 2, 3, 5, 10, 15, 20]
    assert sheet.skill == dict(sheet.decay)[3]
    assert "No skill is shown" in sheet.verdict
    write_sheet(sheet, ics, tmp_path / "sheet.html")
    assert (tmp_path / "sheet.html").read_text().count("<svg") == 3
    with pytest.raises(BadInput, match="cannot be written"):
        write_sheet(sheet, ics, tmp_path / "none" / "sheet.html")


@pytest.mark.parametrize(
    ("score", "horizon", "says"),
    [("roc5", 5, "nearest"), ("roc_5", 400, "no future"), ("roc_200 * roc_225", 20, "no day")],
)
def test_score_that_cannot_be_judged_is_one_sentence(score: str, horizon: int, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        evaluate(HISTORY, score, QUICK, horizon=horizon)
