"""The rounding that all definitions share, in Python integers and floats."""

from __future__ import annotations

import math

import numpy as np


def requantize(acc: int, multiplier: float, zero_point: int, y_min: int, y_max: int) -> int:
    """clip(rint(float32(acc) * multiplier) + zero_point): `round` of a float is half to even and exact."""
    with np.errstate(over="ignore"):
        product = float(np.float32(acc) * np.float32(multiplier))
    if math.isinf(product):
        return y_max if product > 0 else y_min
    return min(max(round(product) + zero_point, y_min), y_max)


def float32(value: float) -> float:
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(value))
