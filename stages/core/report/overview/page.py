"""The overview as one page of HTML, with all that it shows inside."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from stages.core.dsp.scaling_report import Cost, worst_column
from stages.core.report.overview.facts import Overview, tightest
from stages.core.report.overview.figures import histogram, roc_curves, training
from stages.core.templates import environment

_KIB = 1024
#: Written for what cannot be computed.
_NONE = "\u2013"


def render_overview(overview: Overview) -> str:
    """Render the page.

    Parameters
    ----------
    overview : Overview

    Returns
    -------
    str
        HTML that names no other file and no address.
    """
    templates = environment(__package__)
    templates.autoescape = True
    templates.filters |= {"figure": _figure, "whole": _whole, "percent": _percent, "words": _words, "size": _size}
    templates.filters["data"] = lambda png: f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return templates.get_template("overview.html.j2").render(
        of=overview,
        tightest=tightest(overview.gate["rungs"][overview.ships]),
        closest={board: max(overview.uses(board), key=lambda use: use.share) for board in overview.budgeted},
        histograms={output: _histograms(overview, k) for k, output in enumerate(overview.outputs)},
        training=training(overview.history),
        roc=roc_curves(overview.curves, misses=False),
        det=roc_curves(overview.curves, misses=True),
        layers=_layers(overview),
        flags=_flags(overview),
        column=_column(overview),
    )


def _histograms(overview: Overview, k: int) -> dict[str, str]:
    """Return the histograms of an output: float, what ships as the host computes it, and the device's integers."""
    name, ships = overview.outputs[k], overview.ships
    labels = overview.scores["label"].to_numpy(np.int8)
    shown = {"float": ("float", "", "logit"), ships: (ships, "", "logit"), "device": (ships, "_code", "code")}
    return {
        title: histogram(
            overview.scores[f"{rung}_{name}{suffix}"].to_numpy(np.float64),
            overview.thresholds[rung][k][kind],
            labels,
            overview.classes,
            f"score of {title} ({kind})",
        )
        for title, (rung, suffix, kind) in shown.items()
    }


def _layers(overview: Overview) -> list[dict[str, Any]]:
    """Return what each layer lost, in the order of execution; nothing of a precision that loses nothing."""
    reasons = overview.layers.get(overview.ships, {}).get("reasons", [])
    order = {operator["name"]: k for k, operator in enumerate(overview.contract["operators"])}
    return sorted(reasons, key=lambda reason: order.get(reason["noise"]["layer"], len(order)))


def _flags(overview: Overview) -> list[dict[str, Any]]:
    """Return the worst session of each quality flag, and how many are beyond the limit."""
    used = [session for session in overview.dataset["sessions"] if session["excluded"] is None]
    return [
        {
            "name": name,
            "limit": limit,
            "low": min(session["flags"][name] for session in used),
            "high": max(session["flags"][name] for session in used),
        }
        for name, limit in overview.dataset["limits"].items()
    ]


def _column(overview: Overview) -> str:
    """Return the column that the scaler of the device does worst, which the picture also shows."""
    costs = overview.scaling["costs"][overview.scaling["scaler"]]
    return worst_column({name: Cost(**cost) for name, cost in costs.items()})


def _figure(value: float | None, digits: int = 4) -> str:
    """Write a figure with so many digits and no exponent; one that cannot be computed is a dash."""
    if value is None or math.isnan(value):
        return _NONE
    if abs(value) >= 10**digits:
        return _whole(value)
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-").replace("-", "\u2212")


def _whole(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.0f}".replace(",", "\u202f")


def _percent(value: float | None, digits: int = 1) -> str:
    return _NONE if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def _size(n_bytes: float) -> str:
    return f"{n_bytes / _KIB:.1f} KiB" if n_bytes >= _KIB else f"{n_bytes:.0f} bytes"


def _words(name: str) -> str:
    return name.replace("_", " ")
