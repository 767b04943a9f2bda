"""Figures as SVG inside a page: it gives them their colours, so that they are light or dark with it."""

from __future__ import annotations

import io
import re
from html import escape

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from stages.core.report.figures import CLASS_COLOURS

#: Colours to draw with, and what the page calls them.
INK, FAINT, PLAIN, ACCENT = "#010203", "#040506", "#070809", "#0a0b0c"
_VARIABLES = {INK: "ink", FAINT: "line", PLAIN: "plain", ACCENT: "accent"} | {
    colour: f"class-{k}" for k, colour in enumerate(CLASS_COLOURS)
}

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tailgate",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Drawing:
    """One small figure with one pair of axes, as wide as a phone."""

    def __init__(self, height_in: float = 2.5) -> None:
        with mpl.rc_context(_STYLE):
            self._figure = Figure(figsize=(4.2, height_in), layout="constrained")
            FigureCanvasSVG(self._figure)
            self.axes: Axes = self._figure.subplots()

    def svg(self, alt: str) -> str:
        """Return the figure as an element of a page; the same figure gives the same text.

        Parameters
        ----------
        alt : str
            What it shows, for who cannot see it.
        """
        text = io.StringIO()
        with mpl.rc_context(_STYLE):
            self._figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        return _element(text.getvalue(), alt)


def _element(document: str, alt: str) -> str:
    """Leave of an SVG document what a page wants: no prologue, size or names that another figure also has."""
    body = document[document.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    (box,) = re.findall(r'viewBox="([^"]*)"', body)
    opening = f'<svg class="plot" role="img" aria-label="{escape(alt)}" viewBox="{box}"'
    body = re.sub(r"<svg [^>]*", opening, body, count=1)
    for colour, name in _VARIABLES.items():
        body = body.replace(colour, f"var(--{name})")
    return body.strip()
