"""Folds on disk: whole, dated, for these features and no others."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.ml.made import FIRST, models, trained

from tapeline.core.errors import BadInput, DataError
from tapeline.ml.features import CONTRACT, Contract
from tapeline.ml.fold_file import NoModels, load_models, models_folder, read_fold, to_models, write_fold

UNTIL = FIRST + dt.timedelta(days=149)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_fold(trained()[1][0].file, tmp_path)
    return tmp_path


def test_fold_comes_back_as_it_was_and_predicts_the_same(folder: Path) -> None:
    assert read_fold(folder / f"{UNTIL}.fold") == trained()[1][0].file
    features = trained()[0].features[-1]
    loaded = load_models(UNTIL + dt.timedelta(days=1), str(folder))
    for target in loaded.targets:
        assert np.array_equal(loaded.predict(target, features), models().predict(target, features))


def test_probability_is_one_and_rank_is_around_zero() -> None:
    features = trained()[0].features[-1]
    chance, rank = (models().predict(target, features) for target in ("up_10", "return_10"))
    assert ((chance > 0.0) & (chance < 1.0)).all()
    assert (np.abs(rank) < 0.5).all()


def test_day_may_not_use_a_model_that_has_seen_it(folder: Path) -> None:
    with pytest.raises(NoModels, match=f"no model in .* as of {UNTIL}: training of the oldest ended on {UNTIL}"):
        load_models(UNTIL, str(folder))
    assert load_models(UNTIL + dt.timedelta(days=1), str(folder)).trained_until == UNTIL


def test_newest_usable_fold_is_taken(folder: Path) -> None:
    later = msgspec.structs.replace(trained()[1][0].file, trained_until=UNTIL + dt.timedelta(days=30))
    write_fold(later, folder)
    assert load_models(UNTIL + dt.timedelta(days=30), str(folder)).trained_until == UNTIL
    assert load_models(UNTIL + dt.timedelta(days=31), str(folder)).trained_until == later.trained_until


def test_model_for_other_features_is_refused_with_the_difference(folder: Path) -> None:
    other = Contract((*CONTRACT.definitions[1:], ("mine", "roc_3")))
    with pytest.raises(BadInput, match=r"made for other features.*it lacks mine; it adds roc_1"):
        to_models(read_fold(folder / f"{UNTIL}.fold"), contract=other)


def test_fold_that_bounds_other_features_than_it_has_is_one_sentence() -> None:
    with pytest.raises(DataError, match="bound 5 and 79 features"):
        to_models(msgspec.structs.replace(trained()[1][0].file, low=(0.0,) * 5))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"x\x9c"])
def test_damaged_file_is_one_sentence(folder: Path, content: bytes) -> None:
    (folder / f"{UNTIL}.fold").write_bytes(content)
    with pytest.raises(DataError, match="holds no models"):
        load_models(UNTIL + dt.timedelta(days=1), str(folder))


def test_file_under_an_older_name_does_not_slip_through(folder: Path) -> None:
    (folder / f"{UNTIL}.fold").rename(folder / "2000-01-01.fold")
    with pytest.raises(DataError, match="not what its name says"):
        load_models(dt.date(2000, 1, 2), str(folder))


def test_empty_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NoModels, match="tapeline train"):
        load_models(UNTIL, str(tmp_path))


def test_shipped_folds_fit_the_contract_and_one_is_older_than_the_flash_crash() -> None:
    assert load_models(dt.date(2010, 5, 6)).trained_until < dt.date(2010, 5, 6)
    paths = sorted(models_folder().glob("*.fold"))
    assert len(paths) >= 5
    assert sum(path.stat().st_size for path in paths) < 3_000_000
    for path in paths:
        to_models(read_fold(path))
