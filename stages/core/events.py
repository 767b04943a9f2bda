"""Events instead of windows: what lasts over consecutive windows of a session counts once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.tail import Value, quantile

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Origins:
    """Where windows come from.

    Attributes
    ----------
    session, group : ndarray of str, shape (windows,)
        The recording, and the physical unit it is of.
    start : ndarray of int64, shape (windows,)
        First sample in the session.
    hop : int
        Samples between two decisions.
    sample_rate_hz : float
    """

    session: NDArray[Any]
    group: NDArray[Any]
    start: NDArray[np.int64]
    hop: int
    sample_rate_hz: float

    @property
    def hop_s(self) -> float:
        """Seconds between two decisions."""
        return self.hop / self.sample_rate_hz

    def units(self, labels: NDArray[np.int8]) -> tuple[str, NDArray[Any]]:
        """Return what counts as independent, and its name for each window.

        Groups where every class is found in two of them or more; else sessions, which is all there is to go by.
        """
        spread = [len(np.unique(self.group[labels == label])) for label in np.unique(labels)]
        return ("session", self.session) if min(spread) < 2 else ("group", self.group)


@dataclass(frozen=True)
class Runs:
    """Maximal runs of flagged windows.

    Attributes
    ----------
    rows : ndarray of int64, shape (flagged windows,)
    offsets : ndarray of int64, shape (runs,)
        Where in `rows` each run begins.
    """

    rows: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @property
    def first(self) -> NDArray[np.int64]:
        """Row of each run's first window."""
        return self.rows[self.offsets]


def runs(flags: Flags, origins: Origins) -> Runs:
    """Join flagged windows that follow each other at the hop, in one session."""
    joined = np.zeros(len(flags), dtype=bool)
    joined[1:] = flags[:-1] & (origins.session[1:] == origins.session[:-1]) & (np.diff(origins.start) == origins.hop)
    rows = np.flatnonzero(flags)
    return Runs(rows, np.flatnonzero(~joined[rows]))


def describe_events(
    decisions: Flags, labels: NDArray[np.int8], origins: Origins, weights: NDArray[np.float64] | None = None
) -> dict[str, Value]:
    """Return the metrics of events.

    Parameters
    ----------
    decisions : ndarray of bool, shape (windows,)
    labels : ndarray of int8, shape (windows,)
        1 for anomalous. An event is a run of anomalous windows.
    origins : Origins
        Windows of a session in the order of their starts.
    weights : ndarray of float64, shape (windows,) or (resamples, windows), optional
        As in `stages.core.tail`; the same for all windows of a session.

    Returns
    -------
    dict
        ``event_recall``, the share of events with a flagged window; ``detection_delay_s``, the median time from an
        event's first window to its first flagged one, over the events that have one; ``false_events_per_hour``,
        runs of flagged healthy windows per hour of them.
    """
    counted = np.ones(len(labels)) if weights is None else weights
    healthy = labels == 0
    events = runs(labels == 1, origins)
    false = counted[..., runs(decisions & healthy, origins).first].sum(axis=-1)
    hours = counted[..., healthy].sum(axis=-1) * origins.hop_s / 3600
    values = {"event_recall": np.nan, "detection_delay_s": np.nan, "false_events_per_hour": _ratio(false, hours)}
    if len(events.offsets):
        delay_s = _delays(decisions, events, origins)
        found, times = np.isfinite(delay_s), counted[..., events.first]
        values["event_recall"] = _ratio((times * found).sum(axis=-1), times.sum(axis=-1))
        values["detection_delay_s"] = quantile(delay_s[found], 0.5, times[..., found])
    return values


def _delays(decisions: Flags, events: Runs, origins: Origins) -> NDArray[np.float64]:
    """Return seconds from each event's first window to its first flagged one, infinite where none is."""
    flagged_at = np.where(decisions[events.rows], origins.start[events.rows].astype(np.float64), np.inf)
    return (np.minimum.reduceat(flagged_at, events.offsets) - origins.start[events.first]) / origins.sample_rate_hz


def _ratio(value: Value, of: Value) -> Value:
    return value / np.where(of > 0, of, np.nan)[()]
