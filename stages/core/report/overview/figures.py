"""What the overview draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from stages.core.report.figures import CLASS_COLOURS
from stages.core.report.overview.vector import ACCENT, FAINT, INK, PLAIN, Drawing

_BINS = 61


def histogram(
    scores: NDArray[np.float64], threshold: float, labels: NDArray[np.int8], classes: Sequence[str], of: str
) -> str:
    """Draw the scores of one model, the classes apart, on a logarithmic axis because the tail is what matters.

    Parameters
    ----------
    scores : ndarray, shape (windows,)
        Logits or codes.
    threshold : float
        In the same.
    labels : ndarray of int8, shape (windows,)
    classes : sequence of str
    of : str
        What the scores are, in words.

    Returns
    -------
    str
        An SVG element.
    """
    drawing = Drawing()
    axes = drawing.axes
    ends = [float(scores.min()), float(scores.max())]
    edges = np.linspace(ends[0], max(ends[1], ends[0] + 1e-6), _BINS)
    for label, name in enumerate(classes):
        of_class = scores[labels == label]
        share = np.histogram(of_class, edges)[0] / max(len(of_class), 1)
        colour = CLASS_COLOURS[label]
        axes.stairs(share, edges, fill=True, baseline=1e-5, color=colour, alpha=0.55, label=_words(name))
    axes.axvline(threshold, color=INK, linestyle="--", linewidth=1, label=f"threshold {threshold:.4g}")
    axes.set_yscale("log")
    axes.set_ylim(0.5 / max(len(labels), 1), 1)
    axes.set_xlabel(of)
    axes.set_ylabel("share of class")
    axes.legend(frameon=False, fontsize=7.5, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    colours = ", ".join(map(_words, classes))
    return drawing.svg(f"Histogram of the {of}, a colour for each of {colours}, with the threshold {threshold:.4g}")


def training(history: Sequence[Mapping[str, float]]) -> str:
    """Draw the losses by epoch."""
    drawing = Drawing()
    epochs = [row["epoch"] for row in history]
    for key, colour in (("train_loss", PLAIN), ("val_loss", ACCENT)):
        name = key.replace("_loss", "")
        drawing.axes.plot(epochs, [row[key] for row in history], ".-", color=colour, linewidth=1.2, label=name)
    drawing.axes.set_yscale("log")
    drawing.axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    drawing.axes.set_xlabel("epoch")
    drawing.axes.set_ylabel("loss")
    drawing.axes.legend(frameon=False, fontsize=7.5)
    best = min(history, key=lambda row: row["val_loss"])
    return drawing.svg(
        f"Training and validation loss over {len(epochs)} epochs; the least of validation is "
        f"{best['val_loss']:.3g} in epoch {best['epoch']:.0f}"
    )


def roc_curves(curves: pd.DataFrame, *, misses: bool) -> str:
    """Draw true positives by false positives, or misses by false positives, with logarithmic false positives.

    Parameters
    ----------
    curves : DataFrame
        What `stages.core.report.curves.roc_table` returns.
    misses : bool
        Whether to draw the misses, also logarithmic: a detection error trade-off.
    """
    drawing = Drawing()
    axes = drawing.axes
    above = curves[curves["fpr"] > 0]
    rates = 1 - above[["float", "shipped"]] if misses else above[["float", "shipped"]]
    axes.set_xscale("log")
    axes.set_xlim(above["fpr"].min() / 1.3, 1.3)
    if misses:
        # Of a model that misses nothing there is no least share; the axis still needs an end.
        least = rates.to_numpy()[rates.to_numpy() > 0].min(initial=0.01)
        axes.set_yscale("log", nonpositive="mask")
        axes.set_ylim(least / 1.5, 1.0)
    for name, colour, dashes in (("float", PLAIN, "--"), ("shipped", ACCENT, "-")):
        axes.step(above["fpr"], rates[name], dashes, where="post", color=colour, linewidth=1.4, label=name)
    for rate in (0.01, 0.05):
        axes.axvline(rate, color=FAINT, linewidth=0.9, zorder=0)
    axes.set_xlabel("false-positive rate")
    axes.set_ylabel("share of misses" if misses else "true-positive rate")
    axes.legend(frameon=False, fontsize=7.5, loc="lower left" if misses else "lower right")
    kind = "misses" if misses else "true positives"
    return drawing.svg(
        f"Curve of {kind} by false positives of float and of what ships, false positives on a logarithmic axis, "
        "with lines at 1 % and 5 %"
    )


def _words(name: str) -> str:
    return name.replace("_", " ")
