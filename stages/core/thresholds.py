"""Decision thresholds from an objective. A window is anomalous iff its score is at least the threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def threshold_at_fpr(healthy: NDArray, max_fpr: float) -> float:
    """Return the smallest threshold with a false-positive rate of at most `max_fpr`.

    Parameters
    ----------
    healthy : ndarray, shape (windows,)
        Scores of healthy windows: floats, or integer codes.
    max_fpr : float

    Returns
    -------
    float
        The next number above a healthy score: the next code for integers, the next float otherwise.
    """
    ordered = np.sort(healthy)[::-1]
    allowed = int(np.floor(max_fpr * len(ordered)))
    highest_refused = ordered[allowed]
    if np.issubdtype(healthy.dtype, np.integer):
        return float(highest_refused) + 1
    return float(np.nextafter(highest_refused, np.asarray(np.inf, dtype=healthy.dtype)))
