"""Trained folds on disk: a file per fold, with the contract it was trained on and the dates it knows.

In: trained trees.  Out: a compressed file, and again the trees of the newest fold that a date may use.
Refuses a fold for other features, showing the difference, and every fold whose training reached the date of the scan.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from tapeline.core.errors import BadInput, DataError
from tapeline.core.types import F64, Label
from tapeline.data import shipped
from tapeline.ml.boost import Trees, check_device
from tapeline.ml.calibration import probability
from tapeline.ml.features import CONTRACT, F32, Contract

SUFFIX = ".fold"


class NoModels(BadInput):
    """There is no fold whose training ended before the day in question."""


class TargetTrees(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The trees for one target. ``calibration`` is (slope, offset) of a probability; None for ranks."""

    horizon: int
    rounds: int
    calibration: tuple[float, float] | None
    trees: bytes

    @property
    def is_constant(self) -> bool:
        """True when calibration left nothing of what the trees say: every symbol is given the same probability."""
        return self.calibration is not None and self.calibration[0] == 0.0


class FoldFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fold as it stands on disk.

    ``definitions`` and ``version`` are the contract; ``low`` and ``high`` bound each feature as training saw it, with
    room; ``label`` says what data it learned from.
    """

    definitions: tuple[tuple[str, str], ...]
    version: int
    digest: str
    label: Label
    origin: str
    seed: int
    trained_from: dt.date
    trained_until: dt.date
    sessions: int
    symbols: int
    low: tuple[float, ...]
    high: tuple[float, ...]
    targets: dict[str, TargetTrees]


@dataclass(frozen=True)
class Models:
    """The trees of one fold, ready to predict.

    Attributes
    ----------
    file
        Where they come from and what they know.
    trees
        Target to trees.
    low, high
        float64 (n_features,): outside of them training saw nothing.
    """

    file: FoldFile
    trees: Mapping[str, Trees]
    low: F64
    high: F64

    @property
    def targets(self) -> tuple[str, ...]:
        """What they foretell."""
        return tuple(self.trees)

    @property
    def trained_until(self) -> dt.date:
        """The last session that training knew anything of, labels included."""
        return self.file.trained_until

    def predict(self, target: str, features: F32) -> F64:
        """Return one value a row: an expected rank in about -0.5..0.5, or a calibrated probability. float64 (n,)."""
        calibration = self.file.targets[target].calibration
        if calibration is None:
            return self.trees[target].predict(features)
        return probability(self.trees[target].predict(features, margin=True), *calibration)

    def contributions(self, target: str, features: F32) -> F64:
        """Return what each feature adds to each row's rank, or to the log-odds of its probability (SHAP).

        float64 (n_rows, n_features + 1); the last column is the base, and a row's sum is what the model says.
        """
        found = self.trees[target].contributions(features)
        calibration = self.file.targets[target].calibration
        if calibration is None:
            return found
        slope, offset = calibration
        found = slope * found
        found[:, -1] += offset
        return found

    @property
    def constant(self) -> tuple[str, ...]:
        """The targets of which it says the same for every symbol: training found nothing that tells them apart."""
        return tuple(name for name, target in self.file.targets.items() if target.is_constant)


def to_models(file: FoldFile, *, device: str = "cpu", contract: Contract = CONTRACT) -> Models:
    """Return the models of a fold.

    Raises
    ------
    BadInput
        When the fold was trained on other features than ``contract`` has, with the difference; or ``device`` is absent.
    """
    theirs = Contract(file.definitions, file.version)
    if theirs.digest != contract.digest:
        raise BadInput(
            f"the models trained until {file.trained_until} were made for other features "
            f"({theirs.digest}, not {contract.digest}): {contract.difference(theirs)}; train them again"
        )
    if not len(contract.definitions) == len(file.low) == len(file.high):
        raise DataError(
            f"the models trained until {file.trained_until} bound {len(file.low)} and {len(file.high)} features from "
            f"below and above, of {len(contract.definitions)}: train them again"
        )
    check_device(device)
    trees = {name: Trees(target.trees, device) for name, target in file.targets.items()}
    return Models(file, trees, np.array(file.low), np.array(file.high))


def write_fold(file: FoldFile, folder: Path) -> Path:
    """Write a fold as ``<trained_until>.fold``; a reader sees the old file or the whole new one."""
    path = folder / f"{file.trained_until}{SUFFIX}"
    part = path.with_name(path.name + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(zlib.compress(msgspec.msgpack.encode(file), 9))
        part.replace(path)
    except OSError as error:
        raise BadInput(f"the models cannot be written to {folder}: {error.strerror}") from None
    return path


def read_fold(path: Path) -> FoldFile:
    """Return the fold in a file; ``DataError`` when it is none, or was changed after it was written."""
    try:
        file = msgspec.msgpack.decode(zlib.decompress(path.read_bytes()), type=FoldFile)
    except (OSError, zlib.error, msgspec.DecodeError) as error:
        raise DataError(f"{path} holds no models: {error}") from None
    if Contract(file.definitions, file.version).digest != file.digest:
        raise DataError(f"{path} says its features have the hash {file.digest}, and they have another: train it again")
    return file


def models_folder(folder: str = "") -> Path:
    """Return where folds are looked for: the given folder, or the shipped one."""
    return Path(folder) if folder else shipped("models")


def load_models(as_of: dt.date, folder: str = "", *, device: str = "cpu", contract: Contract = CONTRACT) -> Models:
    """Return the newest models whose training ended before ``as_of``.

    Raises
    ------
    NoModels
        When no fold is that old; the text names the oldest.
    BadInput
        When the fold is for other features.
    """
    place = models_folder(folder)
    paths = sorted(place.glob(f"*{SUFFIX}"))
    if not paths:
        raise NoModels(f"there are no models in {place}; `tapeline train --out {place}` makes some")
    usable = [path for path in paths if path.stem < as_of.isoformat()]
    if not usable:
        raise NoModels(
            f"no model in {place} may be used as of {as_of}: training of the oldest ended on {paths[0].stem}, and a "
            "model must not have seen the day it judges"
        )
    file = read_fold(usable[-1])
    if file.trained_until >= as_of:
        raise DataError(f"{usable[-1]} was trained until {file.trained_until}, which is not what its name says")
    return to_models(file, device=device, contract=contract)
