"""Whether a scan can be made with these settings, found out before anything starts.

In: settings, the user's own parts.  Out: nothing.
Refuses, in one sentence: unknown names in weights and conditions, no weight at all, a history too short for factors or
models.
"""

from __future__ import annotations

from tapeline.core.config import ScanConfig
from tapeline.core.errors import BadInput
from tapeline.ml.expression import parse
from tapeline.scan.factors import FACTORS, check_weights, history_sessions
from tapeline.scan.market import check_sessions
from tapeline.scan.own import NOTHING, Own
from tapeline.scan.where import check_names


def check_settings(config: ScanConfig, own: Own = NOTHING) -> None:
    """Raise BadInput for settings that no scan can use; ``config`` holds the strategy's already."""
    check_weights(config.weights, history_sessions(config), own.factors)
    if config.where:
        condition = parse(config.where)
        check_names(condition, (*FACTORS, *own.factors))
        if not condition.is_condition:
            raise BadInput(f"scan.where is {config.where!r}, a number: compare it with something")
    if any(config.model_weights.values()):
        check_sessions(config)
