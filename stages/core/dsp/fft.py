"""The integer FFT that the device runs; `firmware/dsp/fft.h` is the same in C.

One table holds it all: ``c[k] = rint(2**30 cos(2 pi k / N))`` for ``k < 3N/4``. The twiddle factor
``W**k = exp(-2 pi i k / N)`` is ``(c[k] + i c[k + N/4]) / 2**30``, and the Hann window ``(1 - cos(2 pi k / N)) / 2`` is
``(2**30 - c[min(k, N - k)]) / 2**31``.

Radix 2, decimation in time: the input in bit-reversed order, then for ``size = 2, 4, .. N`` every pair ``a, b`` at
distance ``size / 2``, the ``j``-th of its block, becomes::

    t = (W**(j N / size) b + 2**29) >> 30        real and imaginary part apart, products in int64
    a, b = a + t, a - t

There is no scaling. If ``|x| <= M`` in the input, a complex value is at most ``2**s (M + 0.71)`` after ``s`` stages
(each doubles the largest value and adds one rounding error of at most ``sqrt(1/2)``; the table's own rounding changes
this by less than a part in ``2**26``). So for ``M < 2**17`` and ``N <= 1024`` all parts stay below ``2**28``, sums of
products below ``2**59``, and the result differs from the exact transform by at most ``0.71 (N - 1) + 2**-26 N M``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_SIZE, MAX_SIZE = 16, 1024


def cosine_table(size: int) -> NDArray[np.int32]:
    """Tabulate three quarters of a cosine's period.

    Parameters
    ----------
    size : int
        Points of the transform, a power of two.

    Returns
    -------
    ndarray of int32, shape (3 * size / 4,)
        In units of ``2**-30``.
    """
    # No entry lies so near a half that the last bit of a cosine would matter; a test says so.
    return np.rint(2.0**30 * np.cos(2 * np.pi * np.arange(3 * size // 4) / size)).astype(np.int32)


def hann(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """Weight samples by the periodic Hann window, rounding a half up.

    Parameters
    ----------
    samples : ndarray of int64, shape (size, n)

    Returns
    -------
    ndarray of int64, shape (size, n)
        Nowhere larger in magnitude than `samples`.
    """
    size = len(samples)
    place = np.arange(size)
    weights = 2**30 - cosine_table(size).astype(np.int64)[np.minimum(place, size - place)]
    return (samples * weights[:, np.newaxis] + 2**30) >> 31


def fft(samples: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Transform real integer sequences.

    Parameters
    ----------
    samples : ndarray of int64, shape (size, n)
        One sequence per column; ``|x| < 2**17``, size a power of two from 16 to 1024.

    Returns
    -------
    re, im : ndarray of int64, shape (size, n)
        All `size` bins.
    """
    size = len(samples)
    table = cosine_table(size).astype(np.int64)
    re = np.ascontiguousarray(samples[_bit_reversal(size)])
    im = np.zeros_like(re)
    half = 1
    while half < size:
        k = np.arange(half) * (size // (2 * half))
        wr, wi = table[k, np.newaxis], table[k + size // 4, np.newaxis]
        (ar, br), (ai, bi) = (part.reshape(-1, 2, half, part.shape[1]).swapaxes(0, 1) for part in (re, im))
        tr = (br * wr - bi * wi + 2**29) >> 30
        ti = (br * wi + bi * wr + 2**29) >> 30
        br[:], bi[:] = ar - tr, ai - ti
        ar += tr
        ai += ti
        half *= 2
    return re, im


def _bit_reversal(size: int) -> NDArray[np.intp]:
    order = np.zeros(1, dtype=np.intp)
    while len(order) < size:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order
