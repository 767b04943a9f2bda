"""The picture of the scaling report: what each scaler would make of one column. Same data, same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from stages.core.dsp.scalers import Column
from stages.core.dsp.scaling_report import Candidate, Cost, band_and_event_codes, worst_column
from stages.core.report.canvas import new_figure, save_png

_BAND, _EVENTS, _CHOSEN = "#3b76af", "#c8553d", "#eef3f8"
_FLOOR = 1e-5


def save_scaling(path: Path, chosen: str, candidates: list[Candidate], columns: list[Column]) -> None:
    """Draw the code histograms of every scaler above one another as a PNG.

    Parameters
    ----------
    path : Path
    chosen : str
        Kind of the scaler that the device runs; its worst column is the one that is drawn.
    candidates : list of Candidate
    columns : list of Column
    """
    name = worst_column({candidate.kind: candidate.costs for candidate in candidates}[chosen])
    figure = new_figure(10, 1.3 * len(candidates) + 0.9)
    grid = figure.subplots(len(candidates), 2, sharex="col", squeeze=False, width_ratios=[3, 1])
    for (left, right), candidate in zip(grid, candidates, strict=True):
        _draw_codes(left, *band_and_event_codes(candidate, columns, name))
        title = candidate.kind.replace("_", " ")
        if candidate.kind == chosen:
            left.set_facecolor(_CHOSEN)
            title += " (chosen)"
        if len(candidate.codes) > len(columns):
            title += ": normal in the fine code, events in the coarse"
        left.set_title(title, loc="left", fontsize=9.5, pad=3)
        right.axis("off")
        right.text(0, 1, _figures(candidate.costs[name]), va="top", fontsize=8.5, transform=right.transAxes)
    grid[0, 0].legend(frameon=False, ncols=2, fontsize=8.5, loc="lower right", bbox_to_anchor=(1.0, 0.97))
    grid[-1, 0].set_xlabel("code")
    of = f", the worst of {len(columns)} columns" if len(columns) > 1 else ""
    figure.suptitle(f"{name}{of}: share of values per code in training windows", fontsize=11, x=0.01, ha="left")
    save_png(figure, path)


def _figures(cost: Cost) -> str:
    order = "no events" if cost.order_kept is None else f"order of events kept {cost.order_kept:.3f}"
    return "\n".join(
        [
            f"normal band: {cost.distinct_codes} codes, {_decibel(cost.band_sqnr_db)}",
            f"events: {_decibel(cost.events_sqnr_db)}",
            f"clipped: normal {cost.healthy_clipped:.2%}, events {cost.events_clipped:.2%}",
            order,
        ]
    )


def _decibel(value: float | None) -> str:
    return "exact" if value is None else f"{value:.1f} dB"


def _draw_codes(axes: Axes, healthy: NDArray[np.int64], events: NDArray[np.int64]) -> None:
    for counts, label, colour in ((events, "events", _EVENTS), (healthy, "normal", _BAND)):
        share = counts / max(int(counts.sum()), 1)
        axes.stairs(share, np.arange(-128.5, 128), baseline=_FLOOR, fill=True, color=colour, alpha=0.6, label=label)
    axes.set_yscale("log")
    axes.set_ylim(_FLOOR, 2)
    axes.set_yticks([1e-4, 1e-2, 1])
    axes.set_xlim(-130, 129)
    axes.set_xticks([-128, -64, 0, 64, 127])
    axes.minorticks_off()
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
