"""The model card: what trained models were worth on days they had not seen, as JSON and as a page.

In: judged folds.  Out: ``Card``, its JSON, its HTML with plots.
Refuses to sound better than the numbers: where the interval of the rank IC holds zero, it says "no skill".
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

import msgspec
import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadInput
from tapeline.core.types import F64
from tapeline.ml import plots
from tapeline.ml.skill import Chance, Skill, daily_ic, judge_chances, judge_scores
from tapeline.ml.train import TARGETS, Judged, Table, Target, values_over

TOP_FEATURES = 15


class FoldSkill(msgspec.Struct, frozen=True, kw_only=True):
    """One fold: what it knew, how many trees it grew, and its skill on the sessions after.

    ``is_constant``: it gives every symbol the same value, so it moves no score.
    """

    trained_from: str
    trained_until: str
    rounds: int
    is_constant: bool
    skill: Skill


class TargetCard(msgspec.Struct, frozen=True, kw_only=True):
    """One target over all folds, beside the naive rival on the same days.

    ``momentum`` is the skill of the change over 63 sessions. ``regimes`` are days on which the median stock had risen
    or fallen over 21 sessions, and was more or less volatile than on the middle day.
    """

    target: str
    horizon_sessions: int
    verdict: str
    skill: Skill
    momentum: Skill
    chance: Chance | None
    folds: tuple[FoldSkill, ...]
    regimes: dict[str, Skill]
    importance: tuple[tuple[str, float], ...]


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """The whole card."""

    data: str
    label: str
    sessions: int
    symbols: int
    first_day: str
    last_day: str
    features: int
    contract: str
    seed: int
    verdict: str
    targets: tuple[TargetCard, ...]


def build_card(table: Table, judged: Sequence[Judged]) -> Card:
    """Return the card of trained folds, all numbers from sessions after the end of each fold's training."""
    targets = tuple(_target_card(table, judged, target) for target in TARGETS)
    able = [card.target for card in targets if card.skill.is_shown]
    verdict = (
        f"Skill beyond chance is shown for {', '.join(able)}."
        if able
        else "No skill is shown: no interval of a rank IC lies above zero. Treat these forecasts as noise."
    )
    return Card(
        data=table.origin,
        label=str(judged[0].file.label),
        sessions=len(table.days),
        symbols=len(table.symbols),
        first_day=str(table.days[0]),
        last_day=str(table.days[-1]),
        features=len(table.contract.definitions),
        contract=table.contract.digest,
        seed=judged[0].file.seed,
        verdict=verdict,
        targets=targets,
    )


def _target_card(table: Table, judged: Sequence[Judged], target: Target) -> TargetCard:
    values, gain = values_over(table, judged, target.name), table.returns[target.horizon]
    rival = np.where(np.isfinite(values), table.momentum, np.nan)
    skill, momentum = (judge_scores(scores, gain, target.horizon) for scores in (values, rival))
    folds = tuple(
        FoldSkill(
            trained_from=str(each.file.trained_from),
            trained_until=str(each.file.trained_until),
            rounds=each.file.targets[target.name].rounds,
            is_constant=each.file.targets[target.name].is_constant,
            skill=judge_scores(
                each.values[target.name], gain[each.fold.test.start : each.fold.test.stop], target.horizon
            ),
        )
        for each in judged
    )
    importance = np.mean([each.importance[target.name] for each in judged], axis=0)
    order = np.argsort(-importance, kind="stable")[:TOP_FEATURES]
    return TargetCard(
        target=target.name,
        horizon_sessions=target.horizon,
        verdict=_verdict(skill, momentum) + _constant(folds),
        skill=skill,
        momentum=momentum,
        chance=judge_chances(values, gain) if target.is_chance else None,
        folds=folds,
        regimes={
            name: judge_scores(np.where(days[:, None], values, np.nan), gain, target.horizon)
            for name, days in _regimes(table).items()
        },
        importance=tuple((table.contract.names[i], float(importance[i])) for i in order if importance[i] > 0.0),
    )


def _verdict(skill: Skill, momentum: Skill) -> str:
    if not skill.days:
        return "Not judged: no session after training has a known future yet."
    said = f"rank IC {skill.ic:+.4f}, 95 % interval {skill.ic_low:+.4f} to {skill.ic_high:+.4f}, {skill.days} days"
    rival = f"naive momentum on the same days: {momentum.ic:+.4f}"
    return f"{'Skill' if skill.is_shown else 'No skill'}: {said}; {rival}."


def _constant(folds: Sequence[FoldSkill]) -> str:
    flat = [fold.trained_until for fold in folds if fold.is_constant]
    same = f" {len(flat)} of {len(folds)} folds give every symbol the same value and move no score: {', '.join(flat)}."
    return same if flat else ""


def _regimes(table: Table) -> dict[str, NDArray[np.bool_]]:
    """Return days by what the median stock was doing, known on the day itself."""
    trend, vol = (_middle(table, name) for name in ("roc_21", "realized_vol_20"))
    usual = np.nanmedian(vol) if np.isfinite(vol).any() else np.nan
    return {
        "market rising": trend > 0.0,
        "market falling": trend <= 0.0,
        "volatile": vol > usual,
        "quiet": vol <= usual,
    }


def _middle(table: Table, name: str) -> F64:
    """Return the median of a feature over the universe, a day each; NaN where nobody's is known."""
    column = table.features[:, :, table.contract.names.index(name)].astype(np.float64)
    known = np.isfinite(column).any(axis=1)
    out = np.full(len(column), np.nan)
    out[known] = np.nanmedian(column[known], axis=1)
    return out


def write_card(card: Card, table: Table, judged: Sequence[Judged], folder: Path) -> tuple[Path, Path]:
    """Write ``card.json`` and ``card.html`` into a folder."""
    pages = {
        "card.json": msgspec.json.format(msgspec.json.encode(card)),
        "card.html": to_html(card, table, judged).encode(),
    }
    try:
        for name, content in pages.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise BadInput(f"the model card cannot be written to {folder}: {error.strerror}") from None
    return folder / "card.json", folder / "card.html"


def to_html(card: Card, table: Table, judged: Sequence[Judged]) -> str:
    """Return the card as a page that needs nothing else."""
    about = (
        f"{card.symbols} symbols, {card.sessions} sessions from {card.first_day} to {card.last_day} ({card.label}); "
        f"{card.features} features, contract {card.contract}, seed {card.seed}. Every number is from sessions that the "
        "fold had not seen, with purge and embargo."
    )
    sections = "".join(_section(each, table, judged) for each in card.targets)
    return page("Model card", card.verdict, about, sections)


def page(title: str, verdict: str, about: str, body: str) -> str:
    """Return a page with our plain style; ``body`` is HTML, the rest is text."""
    return _PAGE.substitute(title=html.escape(title), verdict=html.escape(verdict), about=html.escape(about), body=body)


def rows_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; cells are text."""
    cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table><tr>{cells}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def skill_row(name: str, skill: Skill) -> tuple[str, ...]:
    """Return a line of ``SKILL_HEAD``."""
    interval = f"{skill.ic_low:+.3f} to {skill.ic_high:+.3f}"
    return (
        name, str(skill.days), f"{skill.ic:+.4f}", interval, f"{skill.spread_bps:+.0f}", f"{skill.turnover:.0%}",
    )  # fmt: skip


SKILL_HEAD = ("", "days", "rank IC", "95 % interval", "best less worst tenth, bps", "turnover of the best tenth a day")


def _section(card: TargetCard, table: Table, judged: Sequence[Judged]) -> str:
    gain = table.returns[card.horizon_sessions]
    ics = daily_ic(values_over(table, judged, card.target), gain)
    days = np.isfinite(ics)
    drawn = [
        plots.svg(
            "Rank IC, summed up", plots.lines({"": np.cumsum(ics[days])}), x="judged session", y="sum of daily ICs"
        ),
        plots.svg("Gain over the average symbol", plots.bars(card.skill.quantiles_bps), x="tenth by score", y="bps"),
    ]
    if card.importance:
        names, shares = zip(*card.importance, strict=True)
        drawn.append(plots.svg("Where the trees split", plots.bars(shares, names, lying=True), x="share of gain", y=""))
    if card.chance is not None:
        drawn.append(plots.svg("Calibration", plots.calibration(card.chance.bins), x="said", y="happened"))
    rows = [skill_row("all folds", card.skill), skill_row("naive momentum", card.momentum)]
    rows += [
        skill_row(
            f"after {fold.trained_until} ({fold.rounds} trees{', constant' if fold.is_constant else ''})", fold.skill
        )
        for fold in card.folds
    ]
    rows += [skill_row(name, skill) for name, skill in card.regimes.items()]
    chance = ""
    if card.chance is not None:
        c = card.chance
        chance = (
            f"<p>AUC {c.auc:.3f}; Brier {c.brier:.4f}, always saying the base rate {c.base_rate:.3f} would have had "
            f"{c.brier_base:.4f}; {c.cases:,} cases.</p>"
        )
    head = f"<h2>{html.escape(card.target)}</h2><p>{html.escape(card.verdict)}</p>{chance}"
    return head + f"<div class=plots>{''.join(drawn)}</div>" + rows_html(SKILL_HEAD, rows)


_PAGE = Template(
    """<!doctype html><html lang="en"><meta charset="utf-8"><title>$title</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem;color:#1d2529}
.verdict{font-size:1.15rem;border-left:4px solid #c2682f;padding-left:.8rem}
table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.25rem .8rem;border-bottom:1px solid #dde3e6;text-align:right}
td:first-child,th:first-child{text-align:left}.plots{display:flex;flex-wrap:wrap;gap:1rem}svg{max-width:100%;height:auto}
</style><h1>$title</h1><p class="verdict">$verdict</p><p>$about</p>$body</html>
"""
)
