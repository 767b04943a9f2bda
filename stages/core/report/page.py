"""The page of a release, from the same data as its JSON."""

from __future__ import annotations

import math
from typing import Any

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
    return templates.get_template("report.md.j2").render(facts)


def _number(value: float | None, form: str) -> str:
    """Format a metric; one that cannot be computed is a dash."""
    return "-" if value is None or math.isnan(value) else form % value
