"""The page of a release, from the same data as its JSON."""

from __future__ import annotations

import math
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(**facts: Any) -> str:
    """Render the report as Markdown.

    Parameters
    ----------
    **facts
        What `templates/report.md.j2` names; a missing fact is an error.
    """
    environment = Environment(
        loader=PackageLoader("stages.core.report"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  the output is Markdown, written by us alone
    )
    environment.filters["number"] = _number
    return environment.get_template("report.md.j2").render(facts)


def _number(value: float | None, form: str) -> str:
    """Format a metric; one that cannot be computed is a dash."""
    return "-" if value is None or math.isnan(value) else form % value
