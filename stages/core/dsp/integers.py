"""Integer functions that numpy has not: the same as `firmware/dsp/isqrt.h` and `firmware/dsp/log2.h`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def isqrt(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take the exact integer square root, ``floor(sqrt(v))``.

    Parameters
    ----------
    values : ndarray of int64
        ``0 <= v <= 2**62``: the square of one more than the root then still fits int64.

    Returns
    -------
    ndarray of int64, same shape
    """
    # The double root is wrong by far less than 1, so its floor is the root or one beside it.
    root = np.sqrt(values.astype(np.float64)).astype(np.int64)
    root -= root * root > values
    return root + ((root + 1) * (root + 1) <= values)


def bit_length(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the bits of each value, 0 for 0.

    Parameters
    ----------
    values : ndarray of int64
        ``0 <= v < 2**62``.

    Returns
    -------
    ndarray of int64, same shape
    """
    length = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    # The conversion to double may have rounded up to the next power of two.
    return length - (values < np.int64(1) << np.maximum(length - 1, 0)) * (length > 0)


def log2_q8(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take the binary logarithm in steps of 1/256, linear between powers of two.

    ``f(0) = 0``; else ``f(v) = 256 m + floor(256 (v - 2**m) / 2**m)`` with ``m = floor(log2(v))``: the exponent and
    the eight bits below the leading one. It lies less than 24 steps (0.29 dB of power) below ``256 log2(v)``.

    Parameters
    ----------
    values : ndarray of int64
        ``0 <= v < 2**62``.

    Returns
    -------
    ndarray of int64, same shape
        Less than ``2**14``.
    """
    exponent = np.maximum(bit_length(values) - 1, 0)
    below = (values >> np.maximum(exponent - 8, 0)) << np.maximum(8 - exponent, 0)
    return 256 * exponent + np.maximum(below - 256, 0)
