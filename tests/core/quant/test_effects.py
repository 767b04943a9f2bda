"""Effects that were built in come out again; intervals are those of a t test; the claim is not believed for free."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from stages.core.quant.effects import COSTS, FACTORS, Cell, Outcome, cells, cost_of, estimate, gains, rank


def built(worth: dict[str, float], seeds: int = 5, noise: float = 0.0) -> dict[Cell, np.ndarray]:
    """Costs in which the worse level of each choice adds what the choice is worth, and a pair of them interacts."""
    rng = np.random.Generator(np.random.PCG64(3))

    def cost(cell: Cell) -> float:
        worse = {factor: getattr(cell, factor) == levels[0] for factor, levels in FACTORS.items()}
        interaction = 0.5 * worse["calibration"] * worse["method"]
        return 1.0 + sum(worth[factor] for factor in FACTORS if worse[factor]) + interaction

    return {cell: cost(cell) + noise * rng.normal(size=seeds) for cell in cells()}


def test_there_are_sixteen_combinations_each_once() -> None:
    assert len(set(cells())) == 16
    assert str(cells()[0]) == "healthy_only-per_tensor-ptq-int8"


def test_main_effects_are_what_was_built_in_plus_half_the_interaction() -> None:
    found = gains(built({"calibration": 4.0, "weights": 2.0, "method": 1.0, "score": 0.0}))
    expected = {"calibration": 4.25, "weights": 2.0, "method": 1.25, "score": 0.0}
    assert {factor: values.tolist() for factor, values in found.items()} == {
        factor: pytest.approx([value] * 5) for factor, value in expected.items()
    }


def test_interval_is_that_of_a_t_test() -> None:
    values = np.array([0.1, 0.4, 0.2, 0.7, 0.3])
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    found = estimate(values)
    assert (found.mean, found.low, found.high) == pytest.approx((0.34, expected.low, expected.high))
    assert np.isnan(estimate(values[:1]).low)


def test_claim_holds_where_it_was_built_in_and_the_seeds_agree() -> None:
    found = rank(built({"calibration": 4.0, "weights": 2.0, "method": 1.0, "score": 0.0}, noise=0.01))
    assert [effect.factor for effect in found.effects] == ["calibration", "weights", "method", "score"]
    assert (found.claim_holds, found.separated) == (True, True)


def test_claim_is_refuted_by_another_order() -> None:
    found = rank(built({"calibration": 0.0, "weights": 2.0, "method": 4.0, "score": 3.0}, noise=0.01))
    assert [effect.factor for effect in found.effects] == ["method", "score", "weights", "calibration"]
    assert (found.claim_holds, found.separated) == (False, True)


def test_order_within_the_scatter_of_the_seeds_is_not_called_separated() -> None:
    found = rank(built({"calibration": 0.02, "weights": 0.01, "method": 0.0, "score": 0.0}, noise=5.0))
    assert not found.separated


def test_costs_are_taken_by_output_in_order_of_the_seeds() -> None:
    costs = dict.fromkeys([*COSTS, "compression"], 0.0) | {"compression": 0.75, "auc_drop": 0.5}
    other = dict.fromkeys(costs, 9.0)
    first = cells()[0]
    outcomes = [Outcome(first, seed, {"a": costs | {"auc_drop": float(seed)}, "b": other}) for seed in (3, 1, 2)]
    assert cost_of(outcomes, "a", "auc_drop")[first].tolist() == [1.0, 2.0, 3.0]
    assert cost_of(outcomes, "a", "compression_error")[first].tolist() == [0.25] * 3
