"""Some of many, evenly spaced: chosen, not drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def evenly(items: NDArray[Any], wanted: int) -> NDArray[Any]:
    """Return so many items, or all if there are fewer, evenly spaced from the first to the last, each once."""
    last = len(items) - 1
    return items[np.unique(np.linspace(0, last, min(wanted, last + 1)).astype(np.int64))]


def evenly_by_class(labels: NDArray[np.int8], wanted: int) -> NDArray[np.int64]:
    """Return row numbers, sorted: as many of each class, evenly spaced over its rows, at most `wanted` in all.

    Parameters
    ----------
    labels : ndarray of int8, shape (rows,)
    wanted : int
    """
    classes = np.unique(labels)
    chosen = [evenly(np.flatnonzero(labels == label), wanted // len(classes)) for label in classes]
    return np.sort(np.concatenate(chosen))
