"""Which windows an epoch of training reads, and in which order."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from stages.core.nets.examples import Examples
from stages.core.schema.train import Sampling


def epoch_rows(examples: Examples, sampling: Sampling, generator: torch.Generator) -> NDArray[np.int64]:
    """Draw the windows of one epoch; every epoch holds the same number of each class.

    Parameters
    ----------
    examples : Examples
    sampling : {"shuffled", "balanced", "balanced_units"}
        Each window once; or each class equally often, and its windows as equally as that allows; or each class equally
        often, its units as equally as that allows, and the windows of a unit likewise.
    generator : torch.Generator

    Returns
    -------
    ndarray of int64
        Rows, in random order: all, or for each class that there is the number of windows over that of classes, rounded
        down.
    """
    if sampling == "shuffled":
        rows: NDArray[np.int64] = torch.randperm(len(examples.labels), generator=generator).numpy()
        return rows
    classes = np.unique(examples.labels)
    quota = len(examples.labels) // len(classes)
    drawn = [_draw(examples, np.flatnonzero(examples.labels == each), sampling, quota, generator) for each in classes]
    return _equally(np.concatenate(drawn), quota * len(classes), generator)


def _draw(
    examples: Examples, rows: NDArray[np.int64], sampling: Sampling, count: int, generator: torch.Generator
) -> NDArray[np.int64]:
    """Draw a number of rows of one class."""
    if sampling == "balanced":
        return _equally(rows, count, generator)
    names, units = np.unique(examples.units[rows], return_inverse=True)
    chosen, times = np.unique(_equally(np.arange(len(names)), count, generator), return_counts=True)
    return np.concatenate([_equally(rows[units == unit], n, generator) for unit, n in zip(chosen, times, strict=True)])


def _equally(items: NDArray, count: int, generator: torch.Generator) -> NDArray:
    """Draw items so that no two differ by more than one in how often they come; a permutation for `count` of them."""
    rounds = -(-count // len(items))
    drawn = [items[torch.randperm(len(items), generator=generator).numpy()] for _ in range(rounds)]
    return np.concatenate(drawn)[:count]
