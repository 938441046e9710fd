"""What a kernel is, and how names find kernels.

In: a name such as ``macd_12_26_9_hist``.  Out: the kernel, its parameters and which of its outputs is meant.
Refuses names it does not know and parameters outside their bounds, with one sentence that says which.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from tapeline.core.errors import BadArgument
from tapeline.kernels.engine import MAX_PARAMS, Body

Params = tuple[float, ...]

_NUMBER = re.compile(r"(?<=_)\d+(?:\.\d+)?(?=_|$)")
MAX_WINDOW = 10_000


COUNT, PRICE, SHARES = "#", "$", "v"
"""What a row of memory is measured in: a pure number, a price (or a sum of prices), or shares. A split changes them."""


class UnknownIndicator(BadArgument):
    """No kernel has an output of this name, or its parameters are out of bounds."""


def _nothing(_: Params) -> str:
    return ""


def _one(_: Params) -> int:
    return 1


@dataclass(frozen=True, eq=False)
class Kernel:
    """One family of values that are computed together.

    Attributes
    ----------
    body
        The function that is compiled; see ``engine`` for what it is given.
    outputs
        Names with ``#`` for each number, in the order in which the body writes them.
    fields
        The fields it reads.
    examples
        Parameters listed by ``indicator_names``.
    lookback
        Traded bars a value needs to see in the tile, itself included. 1 for kernels that remember instead.
    memory
        A letter for each row of memory per symbol, what it is measured in: ``COUNT``, ``PRICE`` or ``SHARES``. Empty
        for kernels that only look back. Row 0 counts the bars folded, or the sessions if ``by_session``.
    by_session
        It forgets at each session's begin; row 1 is the number of the session, and a past that is missing matters
        until the next one.
    settle
        Bars after which a forgotten past weighs less than 1e-9; what a kernel without its past must wait.
    whole
        How many of the leading parameters are windows: whole numbers, ``least`` or more.
    """

    body: Body
    outputs: tuple[str, ...]
    fields: tuple[int, ...]
    examples: tuple[Params, ...] = ((),)
    lookback: Callable[[Params], int] = _one
    memory: Callable[[Params], str] = _nothing
    settle: Callable[[Params], float] = field(default=lambda _: 0.0)
    whole: int = MAX_PARAMS
    least: int = 2
    by_session: bool = False

    def state(self, params: Params) -> int:
        """Return how many rows of memory a symbol has."""
        return len(self.memory(params))

    def check(self, name: str, params: Params) -> None:
        """Raise ``UnknownIndicator`` when a parameter is out of bounds."""
        for value in params[: self.whole]:
            if value != int(value) or not self.least <= value <= MAX_WINDOW:
                raise UnknownIndicator(f"{name}: a window is a whole number from {self.least} to {MAX_WINDOW}")
        if any(value <= 0 for value in params):
            raise UnknownIndicator(f"{name}: parameters are positive")


@dataclass(frozen=True, eq=False)
class Instance:
    """A kernel with its parameters: what is computed, whatever number of its outputs is asked for.

    There is one object for each (``find`` hands it out), so it is looked up by identity.
    """

    kernel: Kernel
    params: Params


_outputs: dict[str, tuple[Kernel, int]] = {}
_instances: dict[tuple[Kernel, Params], Instance] = {}


def register(*kernels: Kernel) -> None:
    """Make the outputs of kernels known by their names."""
    for kernel in kernels:
        for index, template in enumerate(kernel.outputs):
            if template in _outputs:
                raise ValueError(f"two kernels have an output called {template}")
            _outputs[template] = (kernel, index)


@lru_cache(maxsize=4096)
def find(name: str) -> tuple[Instance, int]:
    """Return the instance and the index of its output that a name means."""
    params = tuple(float(number) for number in _NUMBER.findall(name))
    found = _outputs.get(_NUMBER.sub("#", name))
    if found is None:
        near = " or ".join(_nearest(name))
        raise UnknownIndicator(f"no indicator is called {name!r}; did you mean {near}? indicator_names() lists them")
    kernel, index = found
    kernel.check(name, params)
    return _instances.setdefault((kernel, params), Instance(kernel, params)), index


def _nearest(name: str) -> list[str]:
    """Return the one or two usual names that are most like an unknown one."""
    usual = {_NUMBER.sub("#", each): each for each in reversed(indicator_names())}
    wanted = _NUMBER.sub("#", name.strip().lower())
    bare = wanted.partition("_#")[0]
    begins = [each for each in usual if each.partition("_")[0] == bare.partition("_")[0]]
    close = difflib.get_close_matches(wanted, usual, n=2, cutoff=0.0)
    ranked = difflib.get_close_matches(wanted, begins, n=2, cutoff=0.0) or close
    return [usual[each] for each in ranked]


def check_names(names: Sequence[str]) -> None:
    """Raise ``UnknownIndicator`` unless ``names`` is a list of names that kernels have."""
    if isinstance(names, str):
        raise UnknownIndicator(f"names is a list of indicators, [{names!r}], not one text")
    for name in names:
        if not isinstance(name, str):
            raise UnknownIndicator(f"the name of an indicator is text, such as 'rsi_14', not {name!r}")
        find(name)


def _spell(template: str, params: Params) -> str:
    for value in params:
        template = template.replace("#", f"{value:g}", 1)
    return template


def indicator_names() -> tuple[str, ...]:
    """Return the names of all outputs with their usual parameters; other parameters work as well."""
    kernels = dict.fromkeys(kernel for kernel, _ in _outputs.values())
    return tuple(_spell(output, params) for k in kernels for params in k.examples for output in k.outputs)


def all_kernels() -> tuple[Kernel, ...]:
    """Return every registered kernel once."""
    return tuple(dict.fromkeys(kernel for kernel, _ in _outputs.values()))


def recursive_settle(window: float) -> float:
    """Return the bars after which Wilder's average of ``window`` has forgotten its past to 1e-9."""
    return 21.0 * window


def span_settle(span: float) -> float:
    """Return the bars after which an exponential average of ``span`` has forgotten its past to 1e-9."""
    return 10.5 * (span + 1.0)
