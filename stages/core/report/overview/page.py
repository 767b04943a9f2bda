"""The overview as one page of HTML, with all that it shows inside."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from stages.core.dsp.scaling_report import Cost, worst_column
from stages.core.report.overview.facts import Judged, Overview, tightest
from stages.core.report.overview.figures import histogram, roc_curves, training
from stages.core.report.overview.history import History
from stages.core.templates import environment

_KIB = 1024
_MINUTE_S = 60
#: Sections of the page, and how its links call them.
_MAKING = {"data": "Data", "split": "Split", "scaling": "Scaling", "training": "Training", "dag": "How it was made"}
_REFUSED = {"gate": "Gate", "val_scores": "Scores", "layers": "Layers", **_MAKING}
_PASSED = {
    "gate": "Gate",
    "scores": "Scores",
    "tail": "Tail",
    "device": "Device",
    "layers": "Layers",
    "memory": "Memory",
    "stream": "Stream",
    **_MAKING,
}
#: Written for what cannot be computed.
_NONE = "\u2013"


def render_overview(overview: Overview, history: History | None = None) -> str:
    """Render the page of a release.

    Parameters
    ----------
    overview : Overview
    history : History, optional
        Without it the page is a function of the artifacts alone.

    Returns
    -------
    str
        HTML that names no other file and no address.
    """
    return _render(
        "overview.html.j2",
        overview,
        history,
        _PASSED,
        title=f"{overview.ships} ships",
        tone="later" if overview.refused or overview.leaky else "",
        price=overview.price["rungs"][overview.ships],
        test=overview.metrics["test"],
        tightest=tightest(overview.gate["rungs"][overview.ships]),
        closest={board: max(overview.uses(board), key=lambda use: use.share) for board in overview.budgeted},
        histograms={output: _test_histograms(overview, k) for k, output in enumerate(overview.outputs)},
        roc=roc_curves(overview.curves, misses=False),
        det=roc_curves(overview.curves, misses=True),
        layers={overview.ships: _layers(overview, overview.ships, overview.contract["operators"])},
    )


def render_refusal(judged: Judged, history: History | None = None) -> str:
    """Render the page of a run that the gate refused; parameters and result as of `render_overview`."""
    return _render(
        "refusal.html.j2",
        judged,
        history,
        _REFUSED,
        title="refused",
        tone="refused",
        histograms={output: _val_histograms(judged, k) for k, output in enumerate(judged.outputs)},
        layers={rung: _layers(judged, rung, []) for rung in judged.rungs},
    )


def _render(template: str, of: Judged, history: History | None, sections: Mapping[str, str], **more: Any) -> str:
    templates = environment(__package__)
    templates.autoescape = True
    templates.filters |= {"figure": _figure, "whole": _whole, "percent": _percent, "words": _words, "size": _size}
    templates.filters |= {"duration": _duration, "value": _value}
    templates.filters["data"] = lambda png: f"data:image/png;base64,{base64.b64encode(png).decode()}"
    ships = of.gate["selected"]
    return templates.get_template(template).render(
        of=of,
        ships=ships,
        rows=of.gate["rungs"][ships or of.rungs[-1]],
        rungs=of.rungs,
        refused=of.refused,
        several=len(of.outputs) > 1,
        training=training(of.history),
        flags=_flags(of),
        column=_column(of),
        history=history,
        sections=sections if history is None or history.since is None else {**sections, "since": "Changes"},
        **more,
    )


def _test_histograms(overview: Overview, k: int) -> dict[str, str]:
    """Return the histograms of an output: float, what ships as the host computes it, and the device's integers."""
    shown = {rung: (rung, "", "logit") for rung in ("float", overview.ships)}
    return _histograms(overview, overview.scores, k, shown | {"device": (overview.ships, "_code", "code")})


def _val_histograms(judged: Judged, k: int) -> dict[str, str]:
    """Return the histograms of an output by float and every precision that was judged."""
    return _histograms(judged, judged.val, k, {rung: (rung, "", "logit") for rung in ("float", *judged.rungs)})


def _histograms(of: Judged, scores: pd.DataFrame, k: int, shown: Mapping[str, tuple[str, str, str]]) -> dict[str, str]:
    labels = scores["label"].to_numpy(np.int8)
    return {
        title: histogram(
            scores[f"{rung}_{of.outputs[k]}{suffix}"].to_numpy(np.float64),
            of.thresholds[rung][k][kind],
            labels,
            of.classes,
            f"score of {title} ({kind})",
        )
        for title, (rung, suffix, kind) in shown.items()
    }


def _layers(of: Judged, rung: str, operators: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what each layer lost, in the order of execution where known; nothing of what loses nothing."""
    reasons = of.layers.get(rung, {}).get("reasons", [])
    order = {operator["name"]: k for k, operator in enumerate(operators)}
    return sorted(reasons, key=lambda reason: order.get(reason["noise"]["layer"], len(order)))


def _flags(of: Judged) -> list[dict[str, Any]]:
    """Return the worst session of each quality flag, and how many are beyond the limit."""
    used = [session for session in of.dataset["sessions"] if session["excluded"] is None]
    return [
        {
            "name": name,
            "limit": limit,
            "low": min(session["flags"][name] for session in used),
            "high": max(session["flags"][name] for session in used),
        }
        for name, limit in of.dataset["limits"].items()
    ]


def _column(of: Judged) -> str:
    """Return the column that the scaler of the device does worst, which the picture also shows."""
    costs = of.scaling["costs"][of.scaling["scaler"]]
    return worst_column({name: Cost(**cost) for name, cost in costs.items()})


def _figure(value: float | None, digits: int = 4) -> str:
    """Write a figure with so many digits and no exponent; one that cannot be computed is a dash."""
    if value is None or math.isnan(value):
        return _NONE
    if abs(value) >= 10**digits:
        return _whole(value)
    return np.format_float_positional(value, precision=digits, fractional=False, trim="-").replace("-", "\u2212")


def _value(value: Any) -> str:
    return _NONE if value is None else _figure(value, 6) if isinstance(value, float) else str(value)


def _whole(value: float | None) -> str:
    return _NONE if value is None else f"{value:,.0f}".replace(",", "\u202f")


def _percent(value: float | None, digits: int = 1) -> str:
    return _NONE if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def _size(n_bytes: float) -> str:
    if n_bytes >= _KIB**2:
        return f"{n_bytes / _KIB**2:.1f} MiB"
    return f"{n_bytes / _KIB:.1f} KiB" if n_bytes >= _KIB else f"{n_bytes:.0f} bytes"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < _MINUTE_S else f"{seconds // _MINUTE_S:.0f} min {seconds % _MINUTE_S:.0f} s"


def _words(name: str) -> str:
    return name.replace("_", " ")
