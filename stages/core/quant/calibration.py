"""Which training windows the activation ranges are measured on: designed, stored, not drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

from stages.core.evenly import evenly, evenly_by_class
from stages.core.schema.quantize import Calibration

Rows = NDArray[np.int64]

#: The near-threshold half of a `near_threshold` set comes from this share of the windows, the closest by float score.
_BAND = 0.25


def choose_rows(
    calibration: Calibration,
    labels: NDArray[np.int8],
    targets: NDArray[np.int8],
    scores: NDArray[np.floating],
    thresholds: Sequence[float],
) -> Rows:
    """Choose training windows by the design of a calibration set.

    ``healthy_only``
        Evenly spaced over the normal windows.
    ``representative``
        As many of each class, evenly spaced over its windows. They are in session order, so this reaches every
        machine, state and condition.
    ``near_threshold``
        In turn, for one output after the other: two windows near its threshold, one from the ends of its anomalous
        tail, one normal one. So a half lies where decisions are made, evenly by rank in the quarter of all windows
        whose float score is closest to the threshold: there a coarse code costs most. A quarter is extreme, by turns
        the highest and the lowest anomalous score: the highest set the ranges, so that the tail is not clipped. And
        a quarter is the normal band, evenly spaced as above, so that no machine is left out.

    Parameters
    ----------
    calibration : schema.quantize.Calibration
    labels : ndarray of int8, shape (windows,)
    targets : ndarray of int8, shape (windows, outputs)
        What each output should say; where it is 1, a window is anomalous to that output.
    scores : ndarray of float, shape (windows, outputs)
        Of the float network: logits.
    thresholds : sequence of float
        Of each output, on those scores.

    Returns
    -------
    ndarray of int64
        Sorted row numbers, at most `calibration.windows`, each once.
    """
    wanted = calibration.windows
    match calibration.design:
        case "healthy_only":
            chosen = evenly(np.flatnonzero(labels == 0), wanted)
        case "representative":
            chosen = evenly_by_class(labels, wanted)
        case "near_threshold":
            chosen = _near_threshold(wanted, labels, targets, scores, thresholds)
    return np.sort(chosen)


def _near_threshold(
    wanted: int,
    labels: NDArray[np.int8],
    targets: NDArray[np.int8],
    scores: NDArray[np.floating],
    thresholds: Sequence[float],
) -> Rows:
    sources: list[Iterable[int]] = []
    share = -(-wanted // (4 * len(thresholds)))
    for output, threshold in enumerate(thresholds):
        values = scores[:, output]
        band = np.argsort(np.abs(values - threshold), kind="stable")[: max(1, round(_BAND * len(values)))]
        near = evenly(band[np.argsort(values[band], kind="stable")], 2 * share)
        anomalous = np.flatnonzero(targets[:, output])
        sources += [near[::2], near[1::2], _ends(anomalous[np.argsort(values[anomalous], kind="stable")])]
        sources.append(evenly(np.flatnonzero(labels == 0), share))
    in_turn = (int(row) for row in chain.from_iterable(zip_longest(*sources)) if row is not None)
    return np.array(list(dict.fromkeys(in_turn))[:wanted], dtype=np.int64)


def _ends(ordered: Rows) -> Rows:
    """Return the last, the first, the last but one, and so on."""
    ends = np.empty_like(ordered)
    half = (len(ordered) + 1) // 2
    ends[::2], ends[1::2] = ordered[::-1][:half], ordered[: len(ordered) - half]
    return ends
