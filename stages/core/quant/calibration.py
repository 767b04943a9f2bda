"""Which training windows the activation ranges are measured on: chosen, stored, not drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def choose_rows(labels: NDArray[np.int8], n_windows: int) -> NDArray[np.int64]:
    """Choose as many windows of each class, evenly spaced over the training windows of that class.

    The training windows are in session order, so this reaches every machine, state and condition.

    Parameters
    ----------
    labels : ndarray of int8, shape (windows,)
    n_windows : int

    Returns
    -------
    ndarray of int64
        Sorted row numbers, at most `n_windows`, each once.
    """
    classes = np.unique(labels)
    chosen = [_even(np.flatnonzero(labels == label), n_windows // len(classes)) for label in classes]
    return np.sort(np.concatenate(chosen))


def _even(rows: NDArray[np.int64], n_rows: int) -> NDArray[np.int64]:
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(n_rows, len(rows))).astype(np.int64))]
