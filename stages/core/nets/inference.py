"""Running a torch network over int8 codes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

_BATCH = 256


def dequantise(codes: NDArray[np.int8], input_scale: float) -> torch.Tensor:
    """Return what the float network reads: codes times the input scale, float32, same shape."""
    return torch.from_numpy(np.asarray(codes, dtype=np.float32) * np.float32(input_scale))


def float_scores(module: nn.Module, codes: NDArray[np.int8], input_scale: float) -> NDArray[np.float32]:
    """Run a float, fake-quantised or converted network over windows, batch by batch.

    Parameters
    ----------
    module : Module
        In evaluation mode, where it distinguishes.
    codes : ndarray of int8, shape (N, channels, length)
        May be memory-mapped.
    input_scale : float

    Returns
    -------
    ndarray of float32, shape (N, outputs)
        Logits.
    """
    starts = range(0, len(codes), _BATCH)
    with torch.no_grad():
        logits = [module(dequantise(codes[start : start + _BATCH], input_scale)).numpy() for start in starts]
    return np.concatenate(logits)
