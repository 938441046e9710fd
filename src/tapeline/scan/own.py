"""The user's own factors, screens, indicators and strategies, from a file of theirs.

In: a Python file with ``FACTORS``, ``SCREENS``, ``KERNELS`` and ``STRATEGIES``.  Out: ``Own``, parts of the scan like
its own. It is the user's code and runs with the user's rights, so it is loaded only from the path in ``scan.plugins``.
Refuses names that are taken, and expressions over names that nobody has.
"""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tapeline.core.config import ScanConfig
from tapeline.core.errors import BadInput, ConfigError
from tapeline.core.types import F64
from tapeline.grid import BarGrid
from tapeline.kernels.catalogue import Kernel, all_kernels, register
from tapeline.ml.expression import Expression, parse
from tapeline.scan.factors import FACTORS
from tapeline.scan.where import check_names, columns_of

PARTS = ("FACTORS", "SCREENS", "KERNELS", "STRATEGIES")


@dataclass(frozen=True)
class Own:
    """Parts of the user's own.

    Attributes
    ----------
    factors
        Name to the expression that computes it, larger is better for a buyer. Give each a weight in ``scan.weights``.
    screens
        Name to the condition that a symbol must meet.
    strategies
        Name to the settings of ``[scan]`` that it changes: what to look for, and how much of it to take.
    """

    factors: Mapping[str, Expression] = field(default_factory=dict)
    screens: Mapping[str, Expression] = field(default_factory=dict)
    strategies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def settings(self, config: ScanConfig) -> ScanConfig:
        """Return the settings with those of the strategy that ``config.strategy`` names; the same without one.

        Raises
        ------
        ConfigError
            When there is no strategy of that name.
        """
        if not config.strategy:
            return config
        if config.strategy not in self.strategies:
            known = ", ".join(self.strategies) or "none"
            raise ConfigError(f"there is no strategy {config.strategy!r}; STRATEGIES in scan.plugins has {known}")
        return _with(config, self.strategies[config.strategy])

    def values(self, days: BarGrid, n_rows: int, sectors: NDArray[np.intp]) -> dict[str, F64]:
        """Return each factor of the newest of ``n_rows`` sessions, float64 (n,)."""
        return {
            name: expression.value(columns_of(expression, {}, days, n_rows), sectors)
            for name, expression in self.factors.items()
        }

    def passes(self, days: BarGrid, n_rows: int, sectors: NDArray[np.intp]) -> dict[str, NDArray[np.bool_]]:
        """Return who is known to meet each screen, bool (n,)."""
        return {
            name: expression.holds(columns_of(expression, {}, days, n_rows), sectors)
            for name, expression in self.screens.items()
        }


NOTHING = Own()


def load_own(path: Path) -> Own:
    """Return the parts in a user's file, its kernels registered.

    Raises
    ------
    BadInput
        When the file cannot be run, or a part is not what it should be; the text says which.
    """
    module = _run(path)
    for name in vars(module):
        meant = difflib.get_close_matches(name, PARTS, n=1, cutoff=0.8)
        if meant and name not in PARTS:
            raise BadInput(f"{path} defines {name}, which nobody reads: {meant[0]} is meant, it seems")
    for kernel in _list(module, "KERNELS", path):
        if not isinstance(kernel, Kernel):
            raise BadInput(f"{path}: KERNELS holds {kernel!r}, which is no tapeline.kernels.catalogue.Kernel")
        _register(kernel, path)
    factors = {name: _expression(text, name, path) for name, text in _table(module, "FACTORS", path).items()}
    screens = {name: _expression(text, name, path) for name, text in _table(module, "SCREENS", path).items()}
    if taken := [name for name in factors if name in FACTORS]:
        raise BadInput(f"{path}: a factor {taken[0]!r} is there already; choose another name")
    if wrong := [name for name, each in factors.items() if each.is_condition]:
        raise BadInput(f"{path}: the factor {wrong[0]!r} is true or false; put it into SCREENS")
    if wrong := [name for name, each in screens.items() if not each.is_condition]:
        raise BadInput(f"{path}: the screen {wrong[0]!r} is a number; compare it with something")
    strategies = _table(module, "STRATEGIES", path)
    for name, changes in strategies.items():
        _check_strategy(name, changes, path)
    return Own(factors, screens, strategies)


def load_wanted(config: ScanConfig) -> tuple[ScanConfig, Own]:
    """Return the settings with the chosen strategy's in place, and the parts of the file in ``config.plugins``.

    What a scan, a replay and the live market go by: all of them ask here.
    """
    own = load_own(Path(config.plugins)) if config.plugins else NOTHING
    return own.settings(config), own


def _run(path: Path) -> ModuleType:
    # A name of its own among the modules: the compiler's cache finds a kernel again by it, in another process too.
    name = f"tapeline_own_{blake2b(str(path.resolve()).encode(), digest_size=8).hexdigest()}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadInput(f"there is no Python file {path} to load plugins from")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadInput(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module


def _with(config: ScanConfig, changes: Mapping[str, Any]) -> ScanConfig:
    return msgspec.convert(msgspec.to_builtins(config) | dict(changes), ScanConfig)


def _check_strategy(name: str, changes: object, path: Path) -> None:
    if not isinstance(changes, dict) or {"plugins", "strategy"} & set(changes):
        raise BadInput(f"{path}: the strategy {name} is a table of settings of [scan], but for plugins and strategy")
    try:
        _with(ScanConfig(), changes)
    except (msgspec.ValidationError, TypeError) as error:
        raise BadInput(f"{path}: the strategy {name}: {error}") from None


def _register(kernel: Kernel, path: Path) -> None:
    if any(kernel.outputs == known.outputs and kernel.body.__code__ == known.body.__code__ for known in all_kernels()):
        return  # the same file, loaded again
    try:
        register(kernel)
    except ValueError as error:
        raise BadInput(f"{path}: {error}; choose another name") from None


def _list(module: ModuleType, name: str, path: Path) -> list[Any]:
    found = getattr(module, name, [])
    if not isinstance(found, list | tuple):
        raise BadInput(f"{path}: {name} is a list")
    return list(found)


def _table(module: ModuleType, name: str, path: Path) -> dict[str, Any]:
    found = getattr(module, name, {})
    if not isinstance(found, dict) or not all(isinstance(key, str) and key.isidentifier() for key in found):
        raise BadInput(f"{path}: {name} is a table of names and expressions")
    return found


def _expression(text: object, name: str, path: Path) -> Expression:
    if not isinstance(text, str):
        raise BadInput(f"{path}: {name} is {text!r}, expected an expression in quotes")
    try:
        expression = parse(text)
        check_names(expression)
    except BadInput as error:
        raise BadInput(f"{path}: {name}: {error}") from None
    return expression
