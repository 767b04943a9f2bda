"""What a scaler costs: how much of the signal survives the step to 256 codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.core.dsp.scalers import Histogram

_BAND = (0.01, 0.99)


def band_cost(histogram: Histogram, codes_per_count: float, offset: int) -> dict[str, float]:
    """Measure the normal band: the central 98 % of the healthy values of a channel.

    Parameters
    ----------
    histogram : Histogram
        Healthy values in counts.
    codes_per_count : float
    offset : int

    Returns
    -------
    dict
        ``distinct_codes`` used by the band, its ``sqnr_db`` (signal power over the power of the rounding and
        clipping error) and ``clipped_fraction`` of all healthy values.
    """
    values = np.arange(len(histogram.counts)) - len(histogram.counts) // 2 - offset
    low, high = (histogram.quantile(fraction) - offset for fraction in _BAND)
    codes = np.clip(np.floor(values * codes_per_count + 0.5), -128, 127)
    clipped = np.abs(values * codes_per_count) > 128
    band = (values >= low) & (values <= high) & (histogram.counts > 0)
    weights = histogram.counts[band]
    error = codes[band] / codes_per_count - values[band]
    noise = float(np.sum(weights * error**2))
    signal = float(np.sum(weights * values[band].astype(np.float64) ** 2))
    return {
        "distinct_codes": len(np.unique(codes[band])),
        "sqnr_db": 10 * float(np.log10(signal / noise)) if noise and signal else 0.0,
        "clipped_fraction": float(histogram.counts[clipped].sum() / histogram.counts.sum()),
    }


def saturated_fraction(codes: NDArray[np.int8]) -> float:
    """Return the share of codes at either end of the range."""
    return float(np.mean((codes == -128) | (codes == 127)))
