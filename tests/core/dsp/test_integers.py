"""Integer functions against Python's own integers, at and around every power of two and every square."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stages.core.dsp.integers import bit_length, isqrt, log2_q8


@pytest.fixture(scope="module")
def numbers() -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(1))
    powers = [2**k + d for k in range(62) for d in (-1, 0, 1)]
    roots = [*rng.integers(1, 2**31, 2000).tolist(), 2**31]
    squares = [r * r + d for r in roots for d in (-1, 0, 1)]
    return np.array(sorted(v for v in {0, *powers, *squares, *range(3000)} if v < 2**62))


def test_square_root_is_exact(numbers):
    assert isqrt(numbers).tolist() == [math.isqrt(v) for v in numbers.tolist()]


def test_square_root_of_the_largest_argument():
    assert isqrt(np.array([2**62, 2**62 - 1])).tolist() == [2**31, 2**31 - 1]


def test_bit_length_is_exact(numbers):
    assert bit_length(numbers).tolist() == [v.bit_length() for v in numbers.tolist()]


def test_logarithm_by_hand():
    values = np.array([0, 1, 2, 3, 4, 5, 255, 256, 257, 511, 512, 2**61])
    by_hand = [0, 0, 256, 384, 512, 576, 7 * 256 + 254, 2048, 2049, 2048 + 255, 2304, 61 * 256]
    assert log2_q8(values).tolist() == by_hand


def test_logarithm_never_falls_and_stays_within_24_steps_of_the_true_one(numbers):
    steps = log2_q8(numbers)
    assert np.all(np.diff(steps) >= 0)
    true = np.array([256 * math.log2(v) if v else 0.0 for v in numbers.tolist()])
    assert np.all(true - steps > -1e-9)
    assert np.all(true - steps < 24)
