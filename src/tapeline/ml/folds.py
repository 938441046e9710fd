"""Time cut so that nothing leaks: rows to learn from, rows to stop by, rows to be judged on.

In: how many sessions there are, and how far a label looks ahead.  Out: ``Fold``.
Refuses a fold that is too short to learn anything from.
"""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.core.errors import BadInput

MIN_TRAIN = 20
"""Sessions to learn from, at least."""
MIN_VALID = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows of a history. Each label of ``train`` ends ``embargo`` sessions or more before ``valid`` begins.

    ``until`` is the last row that learning may know anything of; every label of ``valid`` ends by then. ``test`` begins
    after it.
    """

    train: range
    valid: range
    test: range
    until: int


def purged_fold(
    until: int, test_end: int, *, horizon: int, embargo: int, warm_up: int, valid_frac: float = 0.25
) -> Fold:
    """Return the fold that knows the rows up to ``until``.

    Parameters
    ----------
    until
        The last row that may be known.
    test_end
        One past the last row to be judged on.
    horizon
        Sessions that the longest label looks ahead. Rows whose label would reach past ``until`` are left out.
    embargo
        Sessions between the last label of training and validation, beside the purge.
    warm_up
        Rows at the beginning in which too few features are known.
    valid_frac
        Share of the usable rows that early stopping looks at.

    Raises
    ------
    BadInput
        When fewer than 20 sessions are left to learn from, or fewer than 5 to stop by.
    """
    end = until - horizon + 1
    n_valid = int((end - warm_up) * valid_frac)
    start_valid = end - n_valid
    train = range(warm_up, start_valid - horizon - embargo)
    if len(train) < MIN_TRAIN or n_valid < MIN_VALID:
        raise BadInput(
            f"{until + 1} sessions are too few to train on: after a warm-up of {warm_up}, purge and embargo "
            f"{max(len(train), 0)} are left to learn from and {max(n_valid, 0)} to stop by"
        )
    return Fold(train, range(start_valid, end), range(until + 1, test_end), until)


def walk_forward(
    n_rows: int, *, first: int, step: int, horizon: int, embargo: int, warm_up: int, valid_frac: float = 0.25
) -> list[Fold]:
    """Return folds that know the rows up to ``first``, ``first + step`` ...; each is judged on the rows to the next."""
    cuts = list(range(first, n_rows, step))
    ends = [*(cut + 1 for cut in cuts[1:]), n_rows]
    return [
        purged_fold(cut, end, horizon=horizon, embargo=embargo, warm_up=warm_up, valid_frac=valid_frac)
        for cut, end in zip(cuts, ends, strict=True)
    ]
