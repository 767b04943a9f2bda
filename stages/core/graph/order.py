"""Float32 scores as int32, in the same order: so that a device compares, stores and sends one kind of score."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def order_key(values: NDArray[np.float32]) -> NDArray[np.int32]:
    """Map float32 to int32 such that ``a < b`` iff ``key(a) < key(b)``, and neighbours map to neighbours.

    The bits of a float32 of positive sign count upwards as its value does; those of a negative one downwards, so all
    but the sign are inverted: ``bits ^ ((bits >> 31) & 0x7fffffff)``. The difference of two keys is their distance
    in units in the last place; -0 lies one below +0.

    Parameters
    ----------
    values : ndarray of float32
        Not NaN.
    """
    bits = np.asarray(values, dtype=np.float32).view(np.int32)
    return bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))


def from_order_key(keys: NDArray[np.int32]) -> NDArray[np.float32]:
    """Invert `order_key`, which is its own inverse on the bits."""
    bits = np.asarray(keys, dtype=np.int32)
    return (bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))).view(np.float32)
