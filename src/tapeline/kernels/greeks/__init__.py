"""Greeks: prices, sensitivities and implied volatilities of options, each with a typed status. numpy and numba only.

In: broadcasting columns of options.  Out: arrays of their shape, NaN wherever the status is not ``OK``.
Refuses to raise for a value, and to make up a number for one.
"""

from __future__ import annotations

from collections.abc import Callable

from tapeline.kernels.greeks.american import american_price
from tapeline.kernels.greeks.forward import ParityForward, RateCurve, forward_from_curve, forward_from_parity, years_to
from tapeline.kernels.greeks.implied import implied_vol, implied_vol_76
from tapeline.kernels.greeks.portfolio import BookRisk, book_risk
from tapeline.kernels.greeks.quoted import QUOTED, quoted_greeks
from tapeline.kernels.greeks.status import OptionStatus
from tapeline.kernels.greeks.values import greeks, greeks_76

WARM: tuple[tuple[str, Callable[[], object]], ...] = (
    ("greeks", lambda: greeks(1, 100.0, 100.0, 1.0, 0.0, 0.2)),
    ("implied_vol", lambda: implied_vol(1, 8.0, 100.0, 100.0, 1.0, 0.0)),
    ("american_price", lambda: american_price(1, 100.0, 100.0, 1.0, 0.05, 0.2, 0.02)),
    ("book_risk", lambda: book_risk(1, [1.0], 100.0, 100.0, 1.0, 0.0, 0.2)),
)
"""What compiles this room: (name, call). Each call compiles one loop, or loads it from the cache."""


def warm(progress: Callable[[int, int], None] | None = None) -> int:
    """Compile every loop of this room and keep the machine code on disk; return how many there are.

    ``progress`` is called with (loops done, loops in all) after each.
    """
    for done, (_, call) in enumerate(WARM, 1):
        call()
        if progress is not None:
            progress(done, len(WARM))
    return len(WARM)


__all__ = [
    "QUOTED",
    "WARM",
    "BookRisk",
    "OptionStatus",
    "ParityForward",
    "RateCurve",
    "american_price",
    "book_risk",
    "forward_from_curve",
    "forward_from_parity",
    "greeks",
    "greeks_76",
    "implied_vol",
    "implied_vol_76",
    "quoted_greeks",
    "warm",
    "years_to",
]
