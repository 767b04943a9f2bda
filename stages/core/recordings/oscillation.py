"""Resonances, and what else simulated sources share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt, sosfilt_zi

Signal = NDArray[np.float64]

#: Samples are simulated at this multiple of the sample rate, so that a pulse is recorded as a sensor records it.
OVERSAMPLING = 8
#: Corner of the sensor's low-pass filter, as a share of half the sample rate.
_BANDWIDTH = 0.9


def free_decay(frequency_hz: float, damping: float, n_samples: int, rate_hz: float) -> Signal:
    """Return the free decay of a resonance, ``exp(-damping w t) sin(sqrt(1 - damping^2) w t)``, shape (n_samples,)."""
    radius, theta = _resonance(frequency_hz, damping, rate_hz)
    steps = np.arange(n_samples)
    return np.asarray(radius**steps * np.sin(theta * steps))


def resonant_noise(frequency_hz: float, damping: float, rate_hz: float, white: Signal) -> Signal:
    """Colour unit white noise by a resonance along its first axis, to an RMS of 1 over all of it."""
    radius, theta = _resonance(frequency_hz, damping, rate_hz)
    coloured = lfilter([1.0], [1.0, -2 * radius * np.cos(theta), radius * radius], white, axis=0)
    return np.asarray(coloured / np.sqrt(np.mean(coloured**2)))


def sample(force: Signal) -> Signal:
    """Pass a signal through the sensor's low-pass filter, at rest before its start, and keep every eighth sample.

    Parameters
    ----------
    force : ndarray of float64, shape (samples * OVERSAMPLING, axes)

    Returns
    -------
    ndarray of float64, shape (samples, axes)
    """
    low_pass = butter(2, _BANDWIDTH / OVERSAMPLING, output="sos")
    at_rest = sosfilt_zi(low_pass)[:, :, np.newaxis] * force[0]
    return np.asarray(sosfilt(low_pass, force, axis=0, zi=at_rest)[0][::OVERSAMPLING])


def log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))


def _resonance(frequency_hz: float, damping: float, rate_hz: float) -> tuple[float, float]:
    """Pole radius and angle of the impulse-invariant single-degree-of-freedom resonance."""
    omega = 2 * np.pi * frequency_hz / rate_hz
    return float(np.exp(-damping * omega)), float(omega * np.sqrt(1 - damping**2))
