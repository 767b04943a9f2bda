"""The picture of a diagnosis: bars per layer, in the order of execution. Same data, same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from stages.core.quant.debug import Diagnosis, Reason
from stages.core.report.canvas import new_figure, save_png

_HEALTHY, _ANOMALOUS, _PLAIN, _WORSE, _FIRST = "#3b76af", "#c8553d", "#5d5d5d", "#c8553d", "#eef3f8"

#: Label, colour and one value per layer; a value that does not exist is drawn as no bar.
Series = tuple[str, str, list[float | None]]


def save_diagnosis(path: Path, title: str, diagnosis: Diagnosis, layers: Sequence[str]) -> None:
    """Draw what each layer lost, and what leaving it in float heals, as a PNG.

    Parameters
    ----------
    path : Path
    title : str
    diagnosis : Diagnosis
    layers : sequence of str
        In order of execution.
    """
    by_layer = {reason.noise.layer: reason for reason in diagnosis.reasons}
    reasons = [by_layer[layer] for layer in layers]
    figure = new_figure(14, 0.42 * len(layers) + 1.7)
    panels = figure.subplots(1, 5, sharey=True, squeeze=False)[0]
    for axes, (name, series) in zip(panels, _panels(reasons), strict=True):
        _draw(axes, name, series)
        axes.axhspan(*(layers.index(diagnosis.reasons[0].noise.layer) + np.array([-0.5, 0.5])), color=_FIRST, zorder=0)
    panels[0].set_yticks(range(len(layers)), layers)
    panels[0].invert_yaxis()
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    save_png(figure, path)


def _panels(reasons: list[Reason]) -> list[tuple[str, list[Series]]]:
    noise = [reason.noise for reason in reasons]
    percent = 100.0
    return [
        ("healed if left in float (%)", [("", _PLAIN, [percent * reason.healed for reason in reasons])]),
        (
            "activation SQNR (dB)",
            [
                ("so far", _PLAIN, [each.sqnr_db for each in noise]),
                ("this layer alone", _HEALTHY, [each.own_sqnr_db for each in noise]),
            ],
        ),
        (
            "weight SQNR (dB)",
            [
                ("layer", _PLAIN, [each.weight_sqnr_db for each in noise]),
                ("worst channel", _WORSE, [each.worst_channel_sqnr_db for each in noise]),
            ],
        ),
        (
            "saturated codes (%)",
            [
                ("healthy", _HEALTHY, [percent * each.saturated_healthy for each in noise]),
                ("anomalous", _ANOMALOUS, [percent * each.saturated_anomalous for each in noise]),
            ],
        ),
        (
            "codes in use (%)",
            [("", _PLAIN, [None if each.range_use is None else percent * each.range_use for each in noise])],
        ),
    ]


def _draw(axes: Axes, name: str, series: list[Series]) -> None:
    height = 0.8 / len(series)
    for place, (label, colour, values) in enumerate(series):
        at = np.arange(len(values)) - 0.4 + height * (place + 0.5)
        drawn = [(y, value) for y, value in zip(at, values, strict=True) if value is not None]
        ends = [value for _, value in drawn]
        axes.barh([y for y, _ in drawn], ends, height=height, color=colour, label=label or None)
    axes.set_title(name, loc="left", fontsize=10)
    axes.axvline(0, color=_PLAIN, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8.5)
    if len(series) > 1:
        axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
