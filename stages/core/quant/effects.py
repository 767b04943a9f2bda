"""From the costs of every combination and seed to what each choice is worth, with intervals over the seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

#: The choices; of each, first what is expected to cost more.
FACTORS: dict[str, tuple[str, str]] = {
    "calibration": ("healthy_only", "near_threshold"),
    "weights": ("per_tensor", "per_channel"),
    "method": ("ptq", "qat"),
    "score": ("int8", "int32"),
}
#: What is commonly claimed to matter most, second and third.
CLAIM = ("calibration", "weights", "method")
CONFIDENCE = 0.95

#: Costs by name, from `stages.core.tail.compare`: of each, less is better and 0 is none. The first one ranks the cells.
COSTS: dict[str, Callable[[Mapping[str, float]], float]] = {
    "wasserstein_anomalous": lambda of: of["wasserstein_anomalous"],
    "tpr_at_fpr_1_drop": lambda of: of["tpr_at_fpr_1_drop"],
    "tpr_at_fpr_5_drop": lambda of: of["tpr_at_fpr_5_drop"],
    "auc_drop": lambda of: of["auc_drop"],
    "compression_error": lambda of: abs(1 - of["compression"]),
    "flipped_fraction": lambda of: of["flipped_fraction"],
}
RANKING = next(iter(COSTS))


@dataclass(frozen=True)
class Cell:
    """One level of each of `FACTORS`."""

    calibration: str
    weights: str
    method: str
    score: str

    def __str__(self) -> str:
        return "-".join(asdict(self).values())


@dataclass(frozen=True)
class Outcome:
    """What one cell cost with one seed.

    Attributes
    ----------
    cell : Cell
    seed : int
    costs : dict of str to dict of str to float
        `stages.core.tail.compare` with that seed's float network, by output.
    """

    cell: Cell
    seed: int
    costs: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its t interval; NaN ends with fewer than two seeds."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """What one choice saves, over all levels of the others.

    Attributes
    ----------
    factor : str
    gain : Estimate
        Cost at the first level minus cost at the second.
    """

    factor: str
    gain: Estimate


@dataclass(frozen=True)
class Ranking:
    """The choices in order of what they save, by one cost.

    Attributes
    ----------
    effects : tuple of Effect
        The largest gain first.
    claim_holds : bool
        Whether the choices of `CLAIM` stand in that order.
    separated : bool
        Whether, seed by seed, each of these gains differs from the next in the order found: the intervals of their
        differences leave 0 out.
    """

    effects: tuple[Effect, ...]
    claim_holds: bool
    separated: bool


def cells() -> list[Cell]:
    """Return every combination of levels."""
    return [Cell(*levels) for levels in product(*FACTORS.values())]


def cost_of(outcomes: Sequence[Outcome], output: str, cost: str) -> dict[Cell, NDArray[np.float64]]:
    """Return one cost by cell, in order of the seeds."""
    found: dict[Cell, list[float]] = {}
    for outcome in sorted(outcomes, key=lambda each: each.seed):
        found.setdefault(outcome.cell, []).append(COSTS[cost](outcome.costs[output]))
    return {cell: np.array(found[cell]) for cell in cells() if cell in found}


def estimate(values: NDArray[np.float64]) -> Estimate:
    """Return the mean and ``mean ± t(n - 1) * s / sqrt(n)``.

    Parameters
    ----------
    values : ndarray, shape (seeds,)
        Independent of each other.
    """
    mean, nan = float(values.mean()), float("nan")
    if len(values) < 2:
        return Estimate(mean, nan, nan)
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Estimate(mean, mean - reach, mean + reach)


def gains(by_cell: Mapping[Cell, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Return what each choice saves with each seed: a main effect, the mean over all levels of the other choices.

    Parameters
    ----------
    by_cell : mapping of Cell to ndarray, shape (seeds,)
        Every combination, or all those of one level of some choice; that choice is then left out.
    """
    levels = {factor: {getattr(cell, factor) for cell in by_cell} for factor in FACTORS}
    return {
        factor: _at(by_cell, factor, worse) - _at(by_cell, factor, better)
        for factor, (worse, better) in FACTORS.items()
        if len(levels[factor]) > 1
    }


def rank(by_cell: Mapping[Cell, NDArray[np.float64]]) -> Ranking:
    """Order the choices by what they save, and hold the order against the claim."""
    by_factor = gains(by_cell)
    ordered = sorted(by_factor, key=lambda factor: -float(by_factor[factor].mean()))
    claimed = [factor for factor in ordered if factor in CLAIM]
    apart = [estimate(by_factor[first] - by_factor[second]).low > 0 for first, second in pairwise(claimed)]
    effects = tuple(Effect(factor, estimate(by_factor[factor])) for factor in ordered)
    return Ranking(effects, tuple(claimed) == CLAIM, all(apart))


def _at(by_cell: Mapping[Cell, NDArray[np.float64]], factor: str, level: str) -> NDArray[np.float64]:
    return np.asarray(np.mean([values for cell, values in by_cell.items() if getattr(cell, factor) == level], axis=0))


def extremes(outcomes: Sequence[Outcome], outputs: Sequence[str]) -> tuple[int, Cell, Cell]:
    """Return the worst and the best cell by the ranking cost, its mean over outputs, and the worst one's worst seed."""
    totals = [cost_of(outcomes, output, RANKING) for output in outputs]
    by_cell = {cell: np.mean([total[cell] for total in totals], axis=0) for cell in totals[0]}
    ordered = sorted(by_cell, key=lambda cell: float(by_cell[cell].mean()))
    seeds = sorted({outcome.seed for outcome in outcomes})
    return seeds[int(np.argmax(by_cell[ordered[-1]]))], ordered[-1], ordered[0]
