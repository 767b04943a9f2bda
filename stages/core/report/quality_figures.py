"""Figures of the recordings: what a session of each class looks like, and the quality flags of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from stages.core.report.canvas import new_figure, save_png
from stages.core.report.figures import CLASS_COLOURS
from stages.core.schema.labels import UNCERTAIN

#: Of the channels, so many are drawn.
_CHANNELS = 3
_SHADES = (1.0, 0.55, 0.3)
#: Steps of the golden ratio spread points sideways evenly, and always alike.
_GOLDEN_RATIO = 0.6180339887498949
_EXCLUDED, _UNCERTAIN = "#222222", "#8a8a8a"


@dataclass(frozen=True)
class Portrait:
    """One session, drawn for its class.

    Attributes
    ----------
    label, session_id, unit : str
    channels : tuple of str
    sample_rate_hz, duration_s : float
    envelope : ndarray, shape (2, points, channels)
        Smallest and largest value in each of equal pieces of the session.
    spans_s : sequence of (float, float)
        Where the session has this class.
    windows : ndarray, shape (windows, length, channels)
        Some of the windows of this class.
    """

    label: str
    session_id: str
    unit: str
    channels: tuple[str, ...]
    sample_rate_hz: float
    duration_s: float
    envelope: NDArray[np.float64]
    spans_s: Sequence[tuple[float, float]]
    windows: NDArray[np.float64]


@dataclass(frozen=True)
class FlagValues:
    """One flag over the sessions.

    Attributes
    ----------
    name : str
    limit : float
    values : ndarray, shape (sessions,)
    classes : ndarray of int, shape (sessions,)
        Position of each session's class in the names of the figure.
    excluded : ndarray of bool, shape (sessions,)
    """

    name: str
    limit: float
    values: NDArray[np.float64]
    classes: NDArray[np.int64]
    excluded: NDArray[np.bool_]


def save_signals(path: Path, portraits: Sequence[Portrait], classes: Sequence[str]) -> None:
    """Draw waveform, spectrum and histogram of each portrait, one in a row, on common axes, as a PNG.

    Parameters
    ----------
    path : Path
    portraits : sequence of Portrait
    classes : sequence of str
        All classes, which give the colours.
    """
    figure = new_figure(12, 2.5 * len(portraits) + 0.3)
    grid = figure.subplots(len(portraits), 3, squeeze=False, sharex="col", sharey="col", width_ratios=[1.6, 1, 1])
    ends = [end for portrait in portraits for end in (portrait.windows.min(initial=0), portrait.windows.max(initial=0))]
    bins = np.linspace(min(ends), max(ends), 121) if min(ends) < max(ends) else np.linspace(-1, 1, 121)
    apart = max(float(np.ptp(portrait.envelope)) for portrait in portraits) or 1.0
    for row, portrait in zip(grid, portraits, strict=True):
        colour = CLASS_COLOURS[classes.index(portrait.label)]
        _draw_waveform(row[0], portrait, colour, apart)
        _draw_spectrum(row[1], portrait, colour)
        _draw_histogram(row[2], portrait, colour, bins)
        for axes in row:
            axes.spines[["top", "right"]].set_visible(False)
        row[0].set_title(f"{portrait.label.replace('_', ' ')}: session {portrait.session_id}", loc="left", fontsize=10)
    for axes, name in zip(grid[-1], ("time (s)", "frequency (Hz)", portraits[0].unit), strict=True):
        axes.set_xlabel(name)
    grid[0, 1].set_title("spectrum of its windows", loc="left", fontsize=10)
    grid[0, 2].set_title("histogram of its windows", loc="left", fontsize=10)
    save_png(figure, path)


def _draw_waveform(axes: Axes, portrait: Portrait, colour: str, apart: float) -> None:
    """Draw the channels one below the other; a channel's name stands at its zero."""
    time_s = np.linspace(0, portrait.duration_s, portrait.envelope.shape[1])
    for start, stop in portrait.spans_s:
        axes.axvspan(start, stop, color=colour, alpha=0.15, linewidth=0)
    names = portrait.channels[:_CHANNELS]
    for channel in range(len(names)):
        low, high = portrait.envelope[:, :, channel] - channel * apart
        shade = _SHADES[channel]
        axes.fill_between(time_s, low, high, color=colour, edgecolor=colour, linewidth=0.5, alpha=shade)
    axes.set_ylabel(portrait.unit)
    if len(names) > 1:
        axes.set_yticks([-channel * apart for channel in range(len(names))], names)
        axes.set_ylabel(f"{apart:.2g} {portrait.unit} apart")


def power_density(windows: NDArray[np.float64], sample_rate_hz: float) -> tuple[NDArray, NDArray]:
    """Average the power spectra of windows, each less its mean and under a Hann taper.

    Parameters
    ----------
    windows : ndarray of float64, shape (windows, length, channels)
    sample_rate_hz : float

    Returns
    -------
    frequency : ndarray of float64, shape (lines,)
        In Hz.
    density : ndarray of float64, shape (lines, channels)
        In the square of the unit of `windows` per Hz, one-sided.
    """
    length = windows.shape[1]
    taper = np.hanning(length + 1)[:-1]
    centred = windows - windows.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(centred * taper[:, np.newaxis], axis=1)) ** 2
    density = 2 * power.mean(axis=0) / (sample_rate_hz * (taper**2).sum())
    return np.fft.rfftfreq(length, 1 / sample_rate_hz), density


def _draw_spectrum(axes: Axes, portrait: Portrait, colour: str) -> None:
    if len(portrait.windows) and portrait.windows.shape[1] >= 8:
        frequency, density = power_density(portrait.windows, portrait.sample_rate_hz)
        for channel in range(min(len(portrait.channels), _CHANNELS)):
            level = 10 * np.log10(density[1:, channel] + np.finfo(float).tiny)
            axes.plot(frequency[1:], level, color=colour, linewidth=1, alpha=_SHADES[channel])
    axes.set_ylabel(f"dB re ({portrait.unit})²/Hz")


def _draw_histogram(axes: Axes, portrait: Portrait, colour: str, bins: NDArray[np.float64]) -> None:
    for channel in range(min(len(portrait.channels), _CHANNELS)):
        values = portrait.windows[:, :, channel].ravel()
        if len(values):
            weights = np.full(len(values), 1 / len(values))
            axes.hist(
                values, bins=bins.tolist(), weights=weights, histtype="step", color=colour, alpha=_SHADES[channel]
            )
    axes.set_yscale("log")
    axes.set_ylabel("share of samples")


def save_flags(path: Path, flags: Sequence[FlagValues], names: Sequence[str]) -> None:
    """Draw each flag as a strip of points per class, with its limit where that is near, as a PNG.

    Parameters
    ----------
    path : Path
    flags : sequence of FlagValues
        At least one.
    names : sequence of str
        Of the classes, in order.
    """
    columns = min(len(flags), 4)
    rows = -(-len(flags) // columns)
    figure = new_figure(3.1 * columns + 0.2, 2.6 * rows + 0.2)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, flag in zip(grid, flags, strict=False):
        _draw_strip(axes, flag, names)
    for axes in grid[len(flags) :]:
        axes.set_axis_off()
    save_png(figure, path)


def _draw_strip(axes: Axes, flag: FlagValues, names: Sequence[str]) -> None:
    sideways = (np.arange(len(flag.values)) * _GOLDEN_RATIO % 1 - 0.5) * 0.6
    for index in range(len(names)):
        own = flag.classes == index
        for chosen, marker in ((own & ~flag.excluded, "o"), (own & flag.excluded, "x")):
            colour = _UNCERTAIN if names[index] == UNCERTAIN else CLASS_COLOURS[index]
            colour = _EXCLUDED if marker == "x" else colour
            axes.plot(
                index + sideways[chosen], flag.values[chosen], marker, color=colour, alpha=0.6, markersize=4, mew=1
            )
    low, high = axes.get_ylim()
    if low <= flag.limit <= high + (high - low):
        axes.axhline(flag.limit, color=_EXCLUDED, linestyle="--", linewidth=1)
    axes.set_title(f"{flag.name.replace('_', ' ')} (limit {flag.limit:.4g})", loc="left", fontsize=9)
    axes.set_xticks(range(len(names)), [name.replace("_", " ") for name in names], fontsize=8)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
