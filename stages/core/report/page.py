"""The page of a release, from the same data as its JSON."""

from __future__ import annotations

import math
from typing import Any

from stages.core.evaluation import Evaluation
from stages.core.schema.gate import Bootstrap
from stages.core.schema.labels import Labels
from stages.core.templates import environment


def render(**facts: Any) -> str:
    """Render the report as Markdown.

    Parameters
    ----------
    **facts
        What `templates/report.md.j2` names; a missing fact is an error.
    """
    templates = environment(__package__)
    templates.filters["number"] = _number
    templates.filters["interval"] = _interval
    templates.globals["zip"] = zip
    return templates.get_template("report.md.j2").render(facts)


def frame(labels: Labels, bootstrap: Bootstrap, evaluation: Evaluation) -> dict[str, Any]:
    """Return what the page says of classes, and of the intervals around its figures."""
    return {
        "classes": labels.classes,
        "outputs": labels.classes[1:],
        "ordered": labels.kind == "ordered",
        "units": ", ".join(sorted({of.unit for of in evaluation.units.values()})),
        "confidence": bootstrap.confidence,
        "resamples": bootstrap.resamples,
    }


def _number(value: float | None, form: str) -> str:
    """Format a metric; one that cannot be computed is a dash."""
    return "-" if value is None or math.isnan(value) else form % value


def _interval(value: Any) -> str:
    """Format an interval, as an object or as JSON has it; one that cannot be had is nothing."""
    if value is None:
        return ""
    low, high = (value["low"], value["high"]) if isinstance(value, dict) else (value.low, value.high)
    return "" if low is None or math.isnan(low) else f" ({low:.3g} .. {high:.3g})"
