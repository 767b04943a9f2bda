"""How an activation range is taken from what flows through a tensor, by name.

``minmax``
    All that was seen, the tail included.
``histogram``
    The range of least squared error.
``percentile``
    The range that holds a given share of the values; half of the rest lies beyond either end.
``entropy``
    The range whose codes lose least information about the distribution of the values.
``moving_average``
    Follows slowly from the first batch, so it clips rare extremes.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import entropy
from torchao.quantization.pt2e import HistogramObserver, MinMaxObserver, MovingAverageMinMaxObserver

#: Ranges that the entropy observer tries: this many equal steps from the smallest to the whole.
_CANDIDATES = 128
#: What an empty level counts, as a share of an even one, where values from beyond the range fall into it: else a
#: single value in an empty stretch would forbid every narrower range.
_EMPTY = 1e-4


class _RangeObserver(HistogramObserver):
    """A histogram of all that was seen, and a choice of range by it."""

    @abstractmethod
    def choose_range(self, counts: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[float, float]:
        """Return the lowest and the highest real value that get a code of their own."""

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scale and zero point; 1 and 0 if nothing was seen."""
        low, high = float(self.min_val), float(self.max_val)
        if low < high:
            counts = self.histogram.numpy().astype(np.float64)
            low, high = self.choose_range(counts, np.linspace(low, high, len(counts) + 1))
        scale_and_zero_point: tuple[torch.Tensor, torch.Tensor] = self._calculate_qparams(
            torch.tensor(low), torch.tensor(high)
        )
        return scale_and_zero_point


class PercentileObserver(_RangeObserver):
    """The range that holds a share of the values.

    Parameters
    ----------
    share : float
        From 0 to 1; ``(1 - share) / 2`` of the values may lie beyond either end.
    """

    def __init__(self, share: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share

    def choose_range(self, counts: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[float, float]:
        """Return both quantiles, to the resolution of the histogram, outwards."""
        below = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
        beyond = (1 - self.share) / 2
        first = int(np.searchsorted(below, beyond, side="right")) - 1
        last = int(np.searchsorted(below, 1 - beyond, side="left"))
        return float(edges[max(first, 0)]), float(edges[min(last, len(counts))])


class EntropyObserver(_RangeObserver):
    """The range of least Kullback-Leibler divergence between the values and their codes.

    Each candidate is the whole range shrunk towards zero. The values beyond it count at its ends; its bins, merged
    into as many levels as there are codes and spread evenly over the bins that hold values, are compared with the
    values themselves. The bin of zero is left out: zero has a code of its own at no loss, and after a ReLU so many
    values are zero that merging that bin with others would outweigh everything else.

    References
    ----------
    S. Migacz, "8-bit inference with TensorRT", GPU Technology Conference 2017.
    """

    def choose_range(self, counts: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[float, float]:
        """Return the best candidate; of equals, the widest."""
        levels = self.quant_max - self.quant_min + 1
        counts = np.where((edges[:-1] <= 0) & (edges[1:] > 0), 0.0, counts)
        best = (np.inf, float(edges[0]), float(edges[-1]))
        for step in range(_CANDIDATES, 0, -1):
            inside = np.flatnonzero(
                (edges[1:] > edges[0] * step / _CANDIDATES) & (edges[:-1] < edges[-1] * step / _CANDIDATES)
            )
            if len(inside) < levels:
                break
            start, stop = int(inside[0]), int(inside[-1]) + 1
            loss = divergence(counts, start, stop, levels)
            if loss < best[0]:
                best = (loss, float(edges[start]), float(edges[stop]))
        return best[1:]


def divergence(counts: NDArray[np.float64], start: int, stop: int, levels: int) -> float:
    """Return the Kullback-Leibler divergence, in nats, of a histogram from itself after coding.

    Parameters
    ----------
    counts : ndarray of float64, shape (bins,)
    start, stop : int
        The bins that have codes; what lies outside is moved into the first and the last of them.
    levels : int
        Codes, at most ``stop - start``.
    """
    inside = counts[start:stop]
    clipped = inside.copy()
    clipped[0] += counts[:start].sum()
    clipped[-1] += counts[stop:].sum()
    level = np.arange(len(inside)) * levels // len(inside)
    used = clipped > 0
    mean = np.bincount(level, inside) / np.maximum(np.bincount(level, used), 1)
    least = _EMPTY * clipped.sum() / len(inside)
    return float(entropy(clipped, np.where(used, np.maximum(mean[level], least), 0.0)))


OBSERVERS: dict[str, Any] = {
    "minmax": MinMaxObserver,
    "histogram": HistogramObserver,
    "percentile": PercentileObserver,
    "entropy": EntropyObserver,
    "moving_average": MovingAverageMinMaxObserver,
}


def observer_arguments(name: str, share: float) -> dict[str, Any]:
    """Return what the observer of a name is built with, besides what all are."""
    return {"share": share} if name == "percentile" else {}
