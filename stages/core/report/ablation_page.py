"""The page of an ablation: what each choice saves, every combination, and how their scores look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stages.core.quant.effects import CLAIM, COSTS, FACTORS, Estimate, Outcome, Ranking, cost_of, estimate, rank
from stages.core.templates import environment

_POINT, _ZERO = "#3b76af", "#5d5d5d"


def rankings(outcomes: Sequence[Outcome], outputs: Sequence[str]) -> dict[str, dict[str, Ranking]]:
    """Rank the choices by output and cost; a cost that cannot be computed in some cell is left out."""
    return {
        output: {
            cost: rank(by_cell)
            for cost in COSTS
            if np.isfinite(list((by_cell := cost_of(outcomes, output, cost)).values())).all()
        }
        for output in outputs
    }


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


def render_ablation(outcomes: Sequence[Outcome], by_output: dict[str, dict[str, Ranking]], setting: Setting) -> str:
    """Render the page as Markdown.

    Parameters
    ----------
    outcomes : sequence of Outcome
    by_output : dict
        What `rankings` makes of them.
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
        by_output=by_output,
        table={output: _table(outcomes, output, list(of)) for output, of in by_output.items()},
    )


def _table(
    outcomes: Sequence[Outcome], output: str, costs: Sequence[str]
) -> list[tuple[dict[str, str], list[Estimate]]]:
    """Return levels and costs of every cell, the one that costs least first."""
    columns = [cost_of(outcomes, output, cost) for cost in costs]
    ordered = sorted(columns[0], key=lambda cell: float(columns[0][cell].mean()))
    return [(asdict(cell), [estimate(column[cell]) for column in columns]) for cell in ordered]


def _interval(value: Estimate) -> str:
    ends = "" if math.isnan(value.low) else f" [{value.low:.3g}, {value.high:.3g}]"
    return f"{value.mean:.3g}{ends}"


def save_effects(path: Path, by_output: dict[str, dict[str, Ranking]]) -> None:
    """Draw what each choice saves, with its interval, as a PNG: an output per row, a cost per column.

    Parameters
    ----------
    path : Path
    by_output : dict
        What `rankings` makes.
    """
    costs = list(dict.fromkeys(cost for of in by_output.values() for cost in of))
    figure = Figure(figsize=(2.6 * len(costs) + 1, 1.7 * len(by_output) + 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(by_output), len(costs), sharey=True, squeeze=False)
    for row, (output, of) in zip(grid, by_output.items(), strict=True):
        for axes, cost in zip(row, costs, strict=True):
            if cost in of:
                _draw_effects(axes, of[cost])
            axes.set_title(f"{output}: {cost}".replace("_", " "), loc="left", fontsize=9)
        row[0].set_yticks(range(len(FACTORS)), list(FACTORS))
        row[0].set_ylim(len(FACTORS) - 0.5, -0.5)
    figure.suptitle(
        "Cost saved by the second level of each choice, 95 % interval over seeds", fontsize=10, x=0.01, ha="left"
    )
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _draw_effects(axes: Axes, ranking: Ranking) -> None:
    for effect in ranking.effects:
        place, gain = list(FACTORS).index(effect.factor), effect.gain
        axes.plot([gain.low, gain.high], [place, place], color=_POINT, linewidth=2)
        axes.plot([gain.mean], [place], "o", color=_POINT)
    axes.axvline(0, color=_ZERO, linewidth=0.8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
