"""A stream in time: scores, what was decided, and what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from stages.core.recordings.session import Span
from stages.core.report.canvas import new_figure, save_png
from stages.core.report.figures import CLASS_COLOURS
from stages.core.schema.labels import UNCERTAIN

_UNKNOWN, _MISSED = "#b8860b", "#111111"


@dataclass(frozen=True)
class Timeline:
    """What is drawn of one stream.

    Attributes
    ----------
    title : str
    ends_s : ndarray of float64, shape (windows,)
        When each window was complete.
    logits : ndarray of float64, shape (windows, outputs)
        NaN of a window that is unknown.
    thresholds : sequence of float
        Logits, one per output.
    states : ndarray of int64, shape (windows,)
    unknown, missed : ndarray of bool, shape (windows,)
        Windows that the fault gate refused, and that frames are missing before.
    """

    title: str
    ends_s: NDArray[np.float64]
    logits: NDArray[np.float64]
    thresholds: Sequence[float]
    states: NDArray[np.int64]
    unknown: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def save_timelines(
    path: Path, timelines: Sequence[Timeline], spans: Sequence[Span], rate_hz: float, classes: Sequence[str]
) -> None:
    """Draw streams below each other as a PNG.

    Parameters
    ----------
    path : Path
    timelines : sequence of Timeline
    spans : sequence of Span
        Labels of the recording.
    rate_hz : float
    classes : sequence of str
    """
    figure = new_figure(11, 2.0 * len(timelines) + 0.8)
    rows = figure.subplots(len(timelines), 1, sharex=True, squeeze=False)[:, 0]
    for axes, timeline in zip(rows, timelines, strict=True):
        _draw(axes, timeline, spans, rate_hz, classes)
    rows[-1].set_xlabel("time (s)")
    entries = {label: handle for axes in rows for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(entries.values(), entries.keys(), loc="outside upper right", ncols=len(entries), fontsize=8)
    save_png(figure, path)


def _draw(axes: Axes, timeline: Timeline, spans: Sequence[Span], rate_hz: float, classes: Sequence[str]) -> None:
    axes.set_title(timeline.title, loc="left", fontsize=10)
    for span in spans:
        if span.label in (UNCERTAIN, classes[0]):
            continue
        colour = CLASS_COLOURS[classes.index(span.label)]
        axes.axvspan(span.start / rate_hz, span.stop / rate_hz, color=colour, alpha=0.15, linewidth=0)
    for k, threshold in enumerate(timeline.thresholds):
        colour = CLASS_COLOURS[k + 1]
        label = f"score: {classes[k + 1].replace('_', ' ')}"
        axes.plot(timeline.ends_s, timeline.logits[:, k], ".-", color=colour, markersize=2, linewidth=0.6, label=label)
        axes.axhline(threshold, color=colour, linewidth=0.6, linestyle="--")
    axes.set_ylabel("logit")
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.25 * (high - low), high)
    for state in range(1, len(classes)):
        _mark(axes, timeline.ends_s[timeline.states == state], 0.05, CLASS_COLOURS[state], f"alarm: {classes[state]}")
    _mark(axes, timeline.ends_s[timeline.unknown], 0.12, _UNKNOWN, "unknown")
    _mark(axes, timeline.ends_s[timeline.missed], 0.19, _MISSED, "frames missed")


def _mark(axes: Axes, times: NDArray[np.float64], height: float, colour: str, label: str) -> None:
    if len(times):
        where = np.full(len(times), height)
        label = label.replace("_", " ")
        axes.plot(times, where, "|", color=colour, transform=axes.get_xaxis_transform(), markersize=5, label=label)
