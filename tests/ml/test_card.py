"""The card: numbers of days after training only, the same bytes twice, a page that stands alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
from tests.ml.made import trained

from tapeline.ml.card import build_card, write_card
from tapeline.ml.train import TARGETS


def test_card_is_written_as_json_and_as_a_page_that_stands_alone(tmp_path: Path) -> None:
    table, judged = trained()
    card = build_card(table, judged)
    written, page = write_card(card, table, judged, tmp_path)
    assert msgspec.json.decode(written.read_bytes())["verdict"] == card.verdict
    text = page.read_text()
    assert text.count("<svg") >= 2 * len(TARGETS)
    assert "http" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    again = tmp_path / "again"
    again.mkdir()
    assert write_card(card, table, judged, again)[1].read_bytes() == page.read_bytes()


def test_numbers_by_fold_and_by_regime_stand_beside_the_naive_rival() -> None:
    table, judged = trained()
    for target in build_card(table, judged).targets:
        assert [fold.trained_until for fold in target.folds] == [str(each.file.trained_until) for each in judged]
        assert set(target.regimes) == {"market rising", "market falling", "volatile", "quiet"}
        assert target.momentum.days == target.skill.days > 0
        assert (target.chance is not None) == target.target.startswith("up")


def test_fold_that_says_the_same_of_everybody_is_named_on_the_card() -> None:
    table, judged = trained()
    target = msgspec.structs.replace(judged[0].file.targets["up_10"], calibration=(0.0, 0.2))
    file = msgspec.structs.replace(judged[0].file, targets={**judged[0].file.targets, "up_10": target})
    card = build_card(table, [replace(judged[0], file=file)])
    told = {each.target: each for each in card.targets}
    assert told["up_10"].folds[0].is_constant
    assert (
        f"1 of 1 folds give every symbol the same value and move no score: {file.trained_until}"
        in told["up_10"].verdict
    )
    assert "same value" not in told["return_5"].verdict
