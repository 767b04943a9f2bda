"""Curves as tables, for `dvc plots`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.tail import roc

_POINTS = 200


def roc_table(scores: Mapping[str, NDArray[np.float64]], labels: NDArray[np.int8]) -> pd.DataFrame:
    """Return the ROC curves of some models at the same false-positive rates.

    Parameters
    ----------
    scores : mapping of str to ndarray, shape (windows,)
    labels : ndarray of int8, shape (windows,)
        1 for anomalous.

    Returns
    -------
    DataFrame
        ``fpr``, logarithmic from one healthy window to all, and for each model the highest true-positive rate of a
        threshold whose false-positive rate is at most that.
    """
    healthy = np.count_nonzero(labels == 0)
    # In single precision, as the last bits of a power are the C library's, which has several versions, by processor.
    rates = np.unique(np.append(0.0, np.geomspace(1 / healthy, 1.0, _POINTS).astype(np.float32).astype(np.float64)))
    columns = {}
    for name, values in scores.items():
        curve = roc(values, labels)
        # A rate that is n windows of the healthy ones is not to be missed by one rounding.
        columns[name] = curve.tpr[np.searchsorted(curve.fpr, rates * (1 + 1e-7), side="right") - 1]
    return pd.DataFrame({"fpr": rates, **columns})
