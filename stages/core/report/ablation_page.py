"""The page of an ablation: what each choice saves, every combination, and how their scores look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from stages.core.quant.effects import CLAIM, COSTS, FACTORS, Estimate, Outcome, Ranking, cost_of, estimate, rank
from stages.core.report.canvas import new_figure, save_png
from stages.core.templates import environment

_POINT, _ZERO = "#3b76af", "#5d5d5d"


#: Rankings by question, then by cost.
Rankings = dict[str, dict[str, Ranking]]


def rankings(outcomes: Sequence[Outcome], outputs: Sequence[str]) -> Rankings:
    """Rank the choices by output and cost, with either score head and with each alone.

    An int8 score clips what calibration did not see, so the head decides on what the other choices are worth. A cost
    that cannot be computed in some cell is left out.
    """
    return {
        f"{output}, {head}": {
            cost: rank(by_cell)
            for cost in COSTS
            if np.isfinite(list((by_cell := cost_of(part, output, cost)).values())).all()
        }
        for output in outputs
        for head, part in _by_head(outcomes).items()
    }


def _by_head(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    heads = {f"{head} score": [each for each in outcomes if each.cell.score == head] for head in FACTORS["score"]}
    return {"either score": list(outcomes), **heads}


@dataclass(frozen=True)
class Setting:
    """What the page says of the run.

    Attributes
    ----------
    task : str
    windows : int
        Of test.
    common : list of str
        What was the same in all combinations, in words.
    pictured : list of str
        What `scores.png` shows, in words.
    """

    task: str
    windows: int
    common: list[str]
    pictured: list[str]


def render_ablation(
    outcomes: Sequence[Outcome], by_question: Rankings, outputs: Sequence[str], setting: Setting
) -> str:
    """Render the page as Markdown.

    Parameters
    ----------
    outcomes : sequence of Outcome
    by_question : dict
        What `rankings` makes of them.
    outputs : sequence of str
    setting : Setting
    """
    templates = environment(__package__)
    templates.filters["interval"] = _interval
    return templates.get_template("ablation.md.j2").render(
        setting=setting,
        seeds=sorted({outcome.seed for outcome in outcomes}),
        cells=len({outcome.cell for outcome in outcomes}),
        factors=FACTORS,
        claim=CLAIM,
        by_question=by_question,
        costs=list(COSTS),
        table={output: _table(outcomes, output, list(COSTS)) for output in outputs},
    )


def _table(
    outcomes: Sequence[Outcome], output: str, costs: Sequence[str]
) -> list[tuple[dict[str, str], list[Estimate]]]:
    """Return levels and costs of every cell, the one that costs least first."""
    columns = [cost_of(outcomes, output, cost) for cost in costs]
    ordered = sorted(columns[0], key=lambda cell: float(columns[0][cell].mean()))
    return [(asdict(cell), [estimate(column[cell]) for column in columns]) for cell in ordered]


def _interval(value: Estimate) -> str:
    if math.isnan(value.mean):
        return "-"
    ends = "" if math.isnan(value.low) else f" [{value.low:.3g}, {value.high:.3g}]"
    mean = round(value.mean, 9) or 0.0  # what is left of a sum that should be 0 is no figure
    return f"{mean:.3g}{ends}"


def save_effects(path: Path, by_question: Rankings) -> None:
    """Draw what each choice saves, with its interval, as a PNG: a question per row, a cost per column.

    Parameters
    ----------
    path : Path
    by_question : dict
        What `rankings` makes.
    """
    costs = list(dict.fromkeys(cost for of in by_question.values() for cost in of))
    figure = new_figure(3 * len(costs) + 1, 1.5 * len(by_question) + 0.7)
    grid = figure.subplots(len(by_question), len(costs), sharey=True, squeeze=False)
    for row, (question, of) in zip(grid, by_question.items(), strict=True):
        for axes, cost in zip(row, costs, strict=True):
            if cost in of:
                _draw_effects(axes, of[cost])
            axes.set_title(f"{question}: {cost}".replace("_", " "), loc="left", fontsize=8)
        row[0].set_yticks(range(len(FACTORS)), list(FACTORS))
        row[0].set_ylim(len(FACTORS) - 0.5, -0.5)
    figure.suptitle(
        "Cost saved by the second level of each choice, 95 % interval over seeds", fontsize=10, x=0.01, ha="left"
    )
    save_png(figure, path)


def _draw_effects(axes: Axes, ranking: Ranking) -> None:
    for effect in ranking.effects:
        place, gain = list(FACTORS).index(effect.factor), effect.gain
        axes.plot([gain.low, gain.high], [place, place], color=_POINT, linewidth=2)
        axes.plot([gain.mean], [place], "o", color=_POINT)
    axes.axvline(0, color=_ZERO, linewidth=0.8)
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="x", nbins=4)
    axes.spines[["top", "right"]].set_visible(False)
