"""How far counts lie apart, in integers: the model of ``firmware/runtime/spread.h``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_COUNTS = 2**15
MAX_SHIFT = 16


def spreads(counts: NDArray[np.integer], shift: int) -> NDArray[np.int64]:
    """Return n² times the variance of shifted counts.

    Parameters
    ----------
    counts : ndarray of int, shape (..., n)
        Within 32 bits, and n at most `MAX_COUNTS`.
    shift : int
        Bits to drop of each difference to the first count; what is left is clamped to ±(2^16 - 1).

    Returns
    -------
    ndarray of int64, shape (...)
    """
    wide = counts.astype(np.int64)
    differences = np.clip((wide - wide[..., :1]) >> shift, -65535, 65535)
    n = counts.shape[-1]
    return np.asarray(n * np.square(differences).sum(axis=-1) - np.square(differences.sum(axis=-1)))


def spread(counts: Sequence[int], shift: int) -> int:
    """Return `spreads` of one sequence."""
    return int(spreads(np.asarray(counts), shift))
