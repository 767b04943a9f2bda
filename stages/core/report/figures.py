"""Figures. Same scores, same bytes: no dates, no random layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

_HEALTHY, _ANOMALOUS, _THRESHOLD = "#3b76af", "#c8553d", "#222222"


@dataclass(frozen=True)
class ScoreSet:
    """The scores of one artifact.

    Attributes
    ----------
    title : str
    scores : ndarray, shape (windows,)
        Logits.
    threshold : float
    """

    title: str
    scores: NDArray[np.float64]
    threshold: float


def save_histograms(path: Path, sets: list[ScoreSet], labels: NDArray[np.int8]) -> None:
    """Draw score histograms above one another on common axes, healthy and anomalous apart, as a PNG.

    Parameters
    ----------
    path : Path
    sets : list of ScoreSet
    labels : ndarray of int8, shape (windows,)
    """
    every = np.concatenate([each.scores for each in sets])
    bins = np.linspace(float(every.min()), float(every.max()), 81)
    figure = Figure(figsize=(8, 2.1 * len(sets) + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(sets), 1, sharex=True, squeeze=False)[:, 0]
    for axes, each in zip(rows, sets, strict=True):
        for label, name, colour in ((0, "healthy", _HEALTHY), (1, "anomalous", _ANOMALOUS)):
            scores = each.scores[labels == label]
            weights = np.full(len(scores), 1 / len(scores))
            axes.hist(scores, bins=bins, weights=weights, color=colour, alpha=0.65, label=name)
        axes.axvline(each.threshold, color=_THRESHOLD, linestyle="--", linewidth=1, label="threshold")
        axes.set_yscale("log")
        axes.set_ylabel("share of class")
        axes.set_title(each.title, loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    rows[0].legend(frameon=False, ncols=3, fontsize=9)
    rows[-1].set_xlabel("score (logit)")
    figure.savefig(path, dpi=110, metadata={"Software": None})
