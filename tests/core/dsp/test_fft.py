"""The integer FFT against numpy's float one, against its definition in Python integers, and at its bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import get_window

from stages.core.dsp.fft import cosine_table, fft, hann
from tests.core.dsp import brute_force

SIZES = [16, 32, 64, 128, 256, 512, 1024]
LARGEST = 2**17 - 1


def sequences(size: int) -> np.ndarray:
    """Noise of every loudness, constants, square waves at both ends of the range, tones, an impulse."""
    rng = np.random.Generator(np.random.PCG64(size))
    t = np.arange(size)[:, np.newaxis]
    frequencies = rng.integers(0, size // 2 + 1, 24)
    tones = np.rint(LARGEST * np.cos(2 * np.pi * frequencies * t / size + rng.uniform(0, 6, 24)))
    noise = np.rint(rng.uniform(-1, 1, (size, 12)) * 2.0 ** np.arange(5, 17))
    constant = np.full((size, 2), [LARGEST, -LARGEST])
    impulse = np.where(t == rng.integers(size), -LARGEST, 0)
    return np.hstack([noise, constant, tones, np.where(tones >= 0, LARGEST, -LARGEST), impulse]).astype(np.int64)


@pytest.mark.parametrize("size", SIZES)
def test_spectrum_is_that_of_numpy_within_the_stated_bound(size):
    x = sequences(size)
    re, im = fft(x)
    error = np.abs(re + 1j * im - np.fft.fft(x, axis=0))
    assert error.max() <= 0.71 * (size - 1) + 2.0**-26 * size * LARGEST
    assert np.sqrt(np.mean(error**2)) < 0.4 * np.sqrt(size), (
        "rounding errors must not add up as if they were correlated"
    )


@pytest.mark.parametrize("size", SIZES)
def test_nothing_leaves_the_range_that_the_overflow_proof_assumes(size):
    re, im = fft(sequences(size))
    assert max(np.abs(re).max(), np.abs(im).max()) < 2**28
    assert np.sum(re**2 + im**2, axis=0).max() < 2**55


@pytest.mark.parametrize("size", SIZES)
def test_spectrum_of_the_loudest_constant_is_exact(size):
    re, im = fft(np.full((size, 1), LARGEST))
    assert re[:, 0].tolist() == [size * LARGEST] + [0] * (size - 1)
    assert not im.any()


@pytest.mark.parametrize("size", [16, 64])
def test_butterflies_are_the_definition_bit_by_bit(size):
    x = sequences(size)
    re, im = fft(x)
    for column in range(x.shape[1]):
        expected = brute_force.fft(x[:, column].tolist())
        assert list(zip(re[:, column].tolist(), im[:, column].tolist(), strict=True)) == expected


@pytest.mark.parametrize("size", SIZES)
def test_window_is_the_periodic_hann_window(size):
    x = sequences(size)
    weighted = hann(x)
    np.testing.assert_allclose(weighted, x * get_window("hann", size)[:, np.newaxis], rtol=0, atol=0.501)
    assert np.all(np.abs(weighted) <= np.abs(x))


@pytest.mark.parametrize("size", SIZES)
def test_table_does_not_hang_on_the_last_bits_of_a_cosine(size):
    """Another machine's cosine may differ by an ulp; no entry may be so near a half that this matters."""
    exact = 2.0**30 * np.cos(2 * np.pi * np.arange(3 * size // 4) / size)
    distance_to_a_half = np.abs(exact - np.floor(exact) - 0.5)
    assert distance_to_a_half.min() > 1e-4, "an ulp of these cosines is at most 2**-23 units"
    np.testing.assert_array_equal(cosine_table(size), np.rint(exact))
