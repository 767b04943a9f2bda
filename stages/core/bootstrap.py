"""Intervals by resampling whole units: windows of one machine or session are not independent observations."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stages.core.seeds import derive_seed

Real = NDArray[np.float64]
Name = TypeVar("Name", bound=Hashable)

#: Resamples that are computed at a time: bounds memory, changes no result.
_AT_A_TIME = 50


@dataclass(frozen=True)
class Resampling:
    """How intervals are made.

    Attributes
    ----------
    resamples : int
    confidence : float
        Share of the resamples that lie within an interval.
    seed : int
        The run's seed.
    """

    resamples: int
    confidence: float
    seed: int


@dataclass(frozen=True)
class Interval:
    """Percentile interval of a metric.

    Attributes
    ----------
    low, high : float
        NaN where there is none.
    reason : str or None
        Why there is none.
    """

    low: float
    high: float
    reason: str | None = None


@dataclass(frozen=True)
class Draws:
    """How often each unit is drawn in each resample.

    Attributes
    ----------
    unit_of : ndarray of int64, shape (windows,)
    times : ndarray of int64, shape (resamples, units)
    kinds : dict of str to int
        Units with healthy windows only, with anomalous ones only, and with both.
    reason : str or None
        Why no interval can be had from them.
    """

    unit_of: NDArray[np.int64]
    times: NDArray[np.int64]
    kinds: dict[str, int]
    reason: str | None


def draw(units: NDArray, labels: NDArray[np.int8], resampling: Resampling) -> Draws:
    """Draw units with replacement, as many as there are of each kind, so that every resample has both classes.

    Parameters
    ----------
    units : ndarray, shape (windows,)
        Names of the independent units: machines, or sessions.
    labels : ndarray of int8, shape (windows,)
        1 for anomalous.
    resampling : Resampling

    Returns
    -------
    Draws
        The same for the same units, labels and seed, so that differences between models are paired. The only unit
        that has one class alone is drawn together with those that have both. Any other kind of a single unit gives a
        reason and no interval: nothing shows how such units differ.

    References
    ----------
    A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", 1997, sections 2.4 and 3.8.
    """
    names, unit_of = np.unique(units, return_inverse=True)
    healthy, anomalous = (np.bincount(unit_of[labels == label], minlength=len(names)) > 0 for label in (0, 1))
    kinds = {
        "healthy only": np.flatnonzero(healthy & ~anomalous),
        "anomalous only": np.flatnonzero(anomalous & ~healthy),
        "mixed": np.flatnonzero(healthy & anomalous),
    }
    generator = np.random.Generator(np.random.PCG64(derive_seed(resampling.seed, "bootstrap")))
    times = np.zeros((resampling.resamples, len(names)), dtype=np.int64)
    strata = _strata(kinds)
    for members in strata.values():
        if len(members):
            even = np.full(len(members), 1 / len(members))
            times[:, members] = generator.multinomial(len(members), even, size=resampling.resamples)
    single = [kind for kind, members in strata.items() if len(members) == 1]
    reason = f"a single unit is {' and a single one '.join(single)}" if single else None
    return Draws(unit_of, times, {kind: len(members) for kind, members in kinds.items()}, reason)


def _strata(kinds: dict[str, NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """Put a single unit of one class alone to those of both, if there are any: they hold its class as well."""
    if not len(kinds["mixed"]):
        return kinds
    alone = {kind for kind, members in kinds.items() if kind != "mixed" and len(members) == 1}
    together = np.concatenate([kinds["mixed"], *(kinds[kind] for kind in sorted(alone))])
    return {kind: members for kind, members in kinds.items() if kind not in {*alone, "mixed"}} | {"mixed": together}


def intervals(
    metrics: Callable[[Real], Mapping[Name, Real]], draws: Draws, resampling: Resampling
) -> dict[Name, Interval]:
    """Return the percentile interval of each metric over the resamples.

    Parameters
    ----------
    metrics : callable
        From weights of shape (resamples, windows) to values of shape (resamples,) by name.
    draws : Draws
    resampling : Resampling

    References
    ----------
    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    times = draws.times if draws.reason is None else draws.times[:1]
    blocks = [
        metrics(times[first : first + _AT_A_TIME, draws.unit_of].astype(np.float64))
        for first in range(0, len(times), _AT_A_TIME)
    ]
    values = {name: np.concatenate([np.atleast_1d(block[name]) for block in blocks]) for name in blocks[0]}
    return {name: _interval(each, draws, resampling.confidence) for name, each in values.items()}


def _interval(values: Real, draws: Draws, confidence: float) -> Interval:
    nan = float("nan")
    if draws.reason is not None:
        return Interval(nan, nan, draws.reason)
    missing = int(np.isnan(values).sum())
    if missing:
        return Interval(nan, nan, f"it cannot be computed in {missing} of {len(values)} resamples")
    outside = (1 - confidence) / 2
    low, high = np.quantile(values, [outside, 1 - outside])
    return Interval(float(low), float(high))
