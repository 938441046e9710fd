"""The tear sheet of a score: what ranking by it would have been worth, day by day, over a history.

In: a history and the name of a score (a factor, a feature, an expression, or the models).  Out: ``TearSheet`` and its
page. The models are asked fold by fold, each only about days after its training. Refuses a history without a future.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from tapeline.core.config import MlConfig
from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, F64
from tapeline.grid.history import History
from tapeline.ml import plots
from tapeline.ml.card import SKILL_HEAD, page, rows_html, skill_row
from tapeline.ml.cross import group_codes
from tapeline.ml.expression import parse
from tapeline.ml.features import CONTRACT, feature_history
from tapeline.ml.fold_file import NoModels, load_models
from tapeline.ml.forecast import judge
from tapeline.ml.labels import forward_return
from tapeline.ml.skill import Skill, daily_ic, judge_scores
from tapeline.ml.train import TARGETS
from tapeline.scan.where import check_names

HORIZONS = (1, 2, 3, 5, 10, 15, 20)
"""Sessions at which the decay of a score is measured."""


class TearSheet(msgspec.Struct, frozen=True, kw_only=True):
    """What a score was worth. ``decay`` is (sessions ahead, skill); ``skill`` is that of ``horizon`` sessions."""

    score: str
    data: str
    first_day: str
    last_day: str
    horizon: int
    skill: Skill
    decay: tuple[tuple[int, Skill], ...]
    verdict: str


def scores_of(history: History, score: str, ml: MlConfig) -> F64:
    """Return a score of every session, float64 (n_bars, n_symbols).

    ``score`` is a model's target, a feature's name, or any expression over bars and indicators.
    """
    sectors = group_codes(history.about.sectors)
    if score in {target.name for target in TARGETS}:
        return _model_scores(history, score, ml)
    expression = parse(dict(CONTRACT.definitions).get(score, score))
    check_names(expression)
    wanted = [name for name in expression.names if name not in BAR_FIELDS]
    columns = {**history.grid.indicators(wanted, "all"), **{name: history.grid.field(name) for name in BAR_FIELDS}}
    rows = [
        expression.value({name: columns[name][row] for name in expression.names}, sectors)
        for row in range(history.grid.n_bars)
    ]
    return np.stack([np.broadcast_to(row, (len(history.grid.symbols),)) for row in rows])


def _model_scores(history: History, target: str, ml: MlConfig) -> F64:
    features = feature_history(history.grid, group_codes(history.about.sectors))
    out = np.full(features.shape[:2], np.nan)
    for row, day in enumerate(history.days):
        try:
            models = load_models(day.item(), ml.folder, device=ml.device)
        except NoModels:
            continue
        out[row] = judge(history.grid.symbols, features[row], models, ml).values[target]
    return out


def evaluate(history: History, score: str, ml: MlConfig, *, horizon: int = 5) -> tuple[TearSheet, F64]:
    """Return the tear sheet of a score over a history, and its daily rank ICs at ``horizon``."""
    if history.grid.n_bars <= horizon:
        raise BadInput(f"{history.grid.n_bars} sessions have no future of {horizon} sessions to judge by")
    scores = scores_of(history, score, ml)
    opens, closes = history.grid.field("open"), history.grid.field("close")
    judged = {h: judge_scores(scores, forward_return(opens, closes, h), h) for h in sorted({*HORIZONS, horizon})}
    skill = judged[horizon]
    if not skill.days:
        raise BadInput(f"{score!r} is known on no day with a future of {horizon} sessions: the history is too short")
    said = f"rank IC {skill.ic:+.4f} ({skill.ic_low:+.4f} to {skill.ic_high:+.4f}) at {horizon} sessions"
    sheet = TearSheet(
        score=score,
        data=history.origin,
        first_day=str(history.days[0]),
        last_day=str(history.days[-1]),
        horizon=horizon,
        skill=skill,
        decay=tuple((h, judged[h]) for h in HORIZONS),
        verdict=f"{'Skill' if skill.is_shown else 'No skill is shown'}: {said}, {skill.days} days.",
    )
    return sheet, daily_ic(scores, forward_return(opens, closes, horizon))


def write_sheet(sheet: TearSheet, ics: F64, path: Path) -> None:
    """Write a tear sheet as a page that stands alone."""
    known = ics[np.isfinite(ics)]
    drawn = [
        plots.svg("Rank IC, summed up", plots.lines({"": np.cumsum(known)}), x="judged session", y="sum of daily ICs"),
        plots.svg("Gain over the average symbol", plots.bars(sheet.skill.quantiles_bps), x="tenth by score", y="bps"),
        plots.svg(
            "Decay",
            plots.bars([skill.ic for _, skill in sheet.decay], [str(h) for h, _ in sheet.decay]),
            x="sessions ahead",
            y="rank IC",
        ),
    ]
    rows = [skill_row(f"{h} sessions", skill) for h, skill in sheet.decay]
    about = f"{sheet.score} over {sheet.data}, {sheet.first_day} to {sheet.last_day}; bought at the next open."
    body = f"<div class=plots>{''.join(drawn)}</div>{rows_html(SKILL_HEAD, rows)}"
    try:
        path.write_text(page("Tear sheet", sheet.verdict, about, body), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"the tear sheet cannot be written to {path}: {error.strerror}") from None
