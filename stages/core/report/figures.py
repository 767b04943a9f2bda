"""Figures. Same scores, same bytes: no dates, no random layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from stages.core.report.canvas import new_figure, save_png

#: From normal to most severe.
CLASS_COLOURS = ("#3b76af", "#c8553d", "#7a1f5c", "#3f7d3a", "#b08d2f", "#5d5d5d", "#2aa198", "#8c564b")
_THRESHOLD = "#222222"


@dataclass(frozen=True)
class ScoreSet:
    """The scores of one artifact.

    Attributes
    ----------
    title : str
    scores : ndarray, shape (windows, outputs)
        Logits.
    thresholds : sequence of float
        One per output.
    """

    title: str
    scores: NDArray[np.float64]
    thresholds: Sequence[float]


def save_histograms(path: Path, sets: list[ScoreSet], labels: NDArray[np.int8], classes: Sequence[str]) -> None:
    """Draw score histograms as a PNG: an artifact per row, an output per column, the classes apart.

    Parameters
    ----------
    path : Path
    sets : list of ScoreSet
    labels : ndarray of int8, shape (windows,)
    classes : sequence of str
        Names, in order of severity.
    """
    outputs = len(classes) - 1
    figure = new_figure(8 if outputs == 1 else 5.5 * outputs, 2.1 * len(sets) + 0.6)
    grid = figure.subplots(len(sets), outputs, sharex="col", squeeze=False)
    for k in range(outputs):
        every = np.concatenate([each.scores[:, k] for each in sets])
        bins = np.linspace(float(every.min()), float(every.max()), 81)
        for axes, each in zip(grid[:, k], sets, strict=True):
            _draw_histogram(axes, each.scores[:, k], each.thresholds[k], labels, classes, bins)
            name = classes[k + 1].replace("_", " ")
            axes.set_title(each.title if outputs == 1 else f"{each.title}: {name}", loc="left", fontsize=10)
        grid[-1, k].set_xlabel("score (logit)")
    handles = grid[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", frameon=False, ncols=len(classes) + 1, fontsize=9)
    save_png(figure, path)


def _draw_histogram(
    axes: Axes,
    scores: NDArray[np.float64],
    threshold: float,
    labels: NDArray[np.int8],
    classes: Sequence[str],
    bins: NDArray[np.float64],
) -> None:
    for label, name in enumerate(classes):
        of_class = scores[labels == label]
        weights = np.full(len(of_class), 1 / max(len(of_class), 1))
        title, colour = name.replace("_", " "), CLASS_COLOURS[label]
        axes.hist(of_class, bins=bins.tolist(), weights=weights, color=colour, alpha=0.65, label=title)
    axes.axvline(threshold, color=_THRESHOLD, linestyle="--", linewidth=1, label="threshold")
    axes.set_yscale("log")
    axes.set_ylabel("share of class")
    axes.spines[["top", "right"]].set_visible(False)
