"""Landmarks: a few places of a session that its copies have as well, whatever their gain, phase and sampling rate.

A band of the spectrum is whitened and its level evened out, so that neither shaft orders nor impacts, which many
recordings share, stand out; what is left is the noise that no two recordings share. Landmarks are where that signal
looks most like a fixed random template, as a min-hash chooses shingles: a copy chooses the same places, and the cut
of a copy those that it holds. What follows the template there describes the landmark. A session is looked at in
several variants, as it is and as if it had been sampled more slowly, so that a copy of another rate is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import find_peaks, welch

Signal = NDArray[np.float64]

#: Samples of a landmark, and the band in cycles per sample: about 33 independent values.
LENGTH = 72
_BAND = (0.02, 0.25)
#: Rates are one fiftieth of the shortest apart. Half a step wrong turns the phase at the ends of a landmark, at the
#: top of the band, by 0.6 rad. Signals are padded to fiftieths, so that resampling is a transform of a smooth length.
_FIFTIETHS = 50
RATE_STEP = 1 / 45
#: Landmarks lie at least this many lengths apart, so that a short session gives few.
_SPACING = 4
#: Half-width in samples of the mean that evens out the level.
_LEVEL_REACH = 12
_PSD_SEGMENT = 1024
#: Power density of one channel's rounding to counts, per cycle per sample, one-sided: 1/12 count^2 over half a cycle.
_ROUNDING_DENSITY = 1 / 6
_ROUNDING_MARGIN = 10.0
#: A stretch with less than this share of the median power, or of the rounding noise's, holds nothing to compare.
_SILENCE = 1e-3
_STILLNESS = 0.1
_SAMPLES_AT_LEAST = 4 * LENGTH


@dataclass(frozen=True)
class Variant:
    """A way to look at a session: every `step`-th sample from `phase` on, `rate` of those to one of the result."""

    step: int
    phase: int
    rate: float


#: The session itself; up to 1/0.9 slower; half the rate with a filter, and without one (every second sample).
VARIANTS = (
    *(Variant(1, 0, _FIFTIETHS / remaining) for remaining in (50, 49, 48, 47, 46, 45, 25)),
    Variant(2, 0, 1.0),
    Variant(2, 1, 1.0),
)


@dataclass(frozen=True)
class Stretch:
    """Samples ``[start, stop)`` of a session that one part of the split uses."""

    part: int
    start: int
    stop: int


@dataclass(frozen=True)
class Landmarks:
    """Landmarks of one session or of many.

    Attributes
    ----------
    part, variant : ndarray of int8, shape (landmarks,)
        The part that uses all samples of the landmark; an index into `VARIANTS`.
    position : ndarray of float64, shape (landmarks,)
        First sample, in samples of the session.
    likeness : ndarray of float32, shape (landmarks,)
        Magnitude of the correlation with the template.
    descriptor : ndarray of float16, shape (landmarks, LENGTH / 2)
        Of norm 1.
    """

    part: NDArray[np.int8]
    variant: NDArray[np.int8]
    position: NDArray[np.float64]
    likeness: NDArray[np.float32]
    descriptor: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.part)

    def take(self, rows: NDArray[np.intp]) -> Landmarks:
        """Return some of the landmarks."""
        return Landmarks(*(values[rows] for values in self._columns()))

    @classmethod
    def none(cls) -> Landmarks:
        """Return no landmarks."""
        return cls(
            part=np.zeros(0, np.int8),
            variant=np.zeros(0, np.int8),
            position=np.zeros(0),
            likeness=np.zeros(0, np.float32),
            descriptor=np.zeros((0, LENGTH // 2), np.float16),
        )

    @classmethod
    def concatenate(cls, several: Sequence[Landmarks]) -> Landmarks:
        """Join the landmarks of several sessions, or of several blocks."""
        return cls(*(np.concatenate(values) for values in zip(*(item._columns() for item in several), strict=True)))

    def _columns(self) -> tuple[NDArray, ...]:
        return self.part, self.variant, self.position, self.likeness, self.descriptor


def find_landmarks(blocks: Iterable[NDArray], stretches: Sequence[Stretch], count: int) -> Landmarks:
    """Find the landmarks of a session, block by block.

    Parameters
    ----------
    blocks : iterable of ndarray of int, shape (samples, channels)
        Consecutive samples; a landmark never lies across two blocks.
    stretches : sequence of Stretch
        Only landmarks within one of these count.
    count : int
        The most for each part and variant.

    Returns
    -------
    Landmarks
        At most ``count * len(VARIANTS)`` for each part; those most like the template, in order of position.
    """
    best: dict[tuple[int, int], Landmarks] = {}
    offset = 0
    for block in blocks:
        for index, seen in _look_at(block, offset):
            for part in sorted({stretch.part for stretch in stretches}):
                inside = [stretch for stretch in stretches if stretch.part == part]
                found = [best.get((part, index), Landmarks.none()), _pick(seen, inside, part, index, count)]
                best[part, index] = _strongest(Landmarks.concatenate(found), count)
        offset += len(block)
    return Landmarks.concatenate([Landmarks.none(), *best.values()])


def sum_channels(counts: NDArray) -> Signal:
    """Add up the channels less their mean, shape (samples,): a copy's sum is the copy of the sum."""
    mono = counts.sum(axis=1, dtype=np.float64)
    return np.asarray(mono - mono.mean())


@dataclass(frozen=True)
class Whitened:
    """A signal of `samples`, padded to `padded`, levelled over frequency: its spectrum and its rounding's power."""

    spectrum: NDArray[np.complex128]
    rounding: NDArray[np.float64]
    padded: int
    samples: int


def whiten(mono: Signal, channels: int) -> Whitened:
    """Divide a signal's spectrum by its smooth magnitude, ``sqrt(P) / (P + rounding)`` in each bin.

    Parameters
    ----------
    mono : ndarray of float64, shape (samples,)
        In counts.
    channels : int
        How many were added up, for their rounding noise: a bin far below that noise is not amplified.
    """
    padded = _FIFTIETHS * fft.next_fast_len(-(-len(mono) // _FIFTIETHS), real=True)
    # The median over segments keeps one impact from shaping the estimate.
    frequency, density = welch(mono, nperseg=min(_PSD_SEGMENT, 1 << int(np.log2(len(mono) // 4))), average="median")
    power = np.interp(fft.rfftfreq(padded), frequency, density)
    density_of_rounding = channels * _ROUNDING_DENSITY
    gain = np.sqrt(power) / (power + _ROUNDING_MARGIN * density_of_rounding)
    return Whitened(fft.rfft(mono, padded) * gain, padded * density_of_rounding / 2 * gain**2, padded, len(mono))


def level_band(whitened: Whitened, rate: float) -> tuple[Signal, float]:
    """Cut out the band, resample it, and even out its level over time.

    Parameters
    ----------
    whitened : Whitened
    rate : float
        Samples of the signal to one of the result, at least 1. The band is relative to the result's rate.

    Returns
    -------
    level : ndarray of float64, shape (about samples / rate,)
        Of RMS near 1 everywhere, near 0 where nothing moves.
    rate : float
        The exact one.
    """
    resampled = round(whitened.padded / rate)
    band = _band(resampled)
    signal = fft.irfft(whitened.spectrum[: len(band)] * band, resampled)
    rounding = 2 * float((whitened.rounding[: len(band)] * band**2).sum()) / resampled**2
    exact = whitened.padded / resampled
    return _even_out(signal[: int(whitened.samples / exact)], rounding), exact


def _band(samples: int) -> Signal:
    """Gain of the band per bin, with raised-cosine edges."""
    frequency = fft.rfftfreq(samples)
    rise = np.clip((frequency - _BAND[0]) / 0.01, 0, 1)
    fall = np.clip((_BAND[1] - frequency) / 0.02, 0, 1)
    return np.asarray(np.sin(np.pi / 2 * rise) ** 2 * np.sin(np.pi / 2 * fall) ** 2)


def _even_out(band: Signal, rounding: float) -> Signal:
    """Divide by the RMS nearby; what is quieter than rounding is a filter's echo in a signal that stands still."""
    total = np.concatenate([[0.0], np.cumsum(band * band)])
    index = np.arange(len(band))
    low, high = np.maximum(index - _LEVEL_REACH, 0), np.minimum(index + _LEVEL_REACH + 1, len(band))
    power = (total[high] - total[low]) / (high - low)
    return np.asarray(
        band / np.sqrt(power + _SILENCE * np.median(power[::8]) + _STILLNESS * rounding + np.finfo(float).tiny)
    )


def _draw_template() -> Signal:
    """Noise in the band, of norm 1: the same for every session ever."""
    noise = np.random.Generator(np.random.PCG64(0)).standard_normal(LENGTH)
    template = fft.irfft(fft.rfft(noise, 4 * LENGTH) * _band(4 * LENGTH), 4 * LENGTH)[:LENGTH]
    return np.asarray(template / np.linalg.norm(template))


_TEMPLATE = _draw_template()


@dataclass(frozen=True)
class _Seen:
    """A block in one variant.

    `level` is its levelled band, `likeness` that of what starts at each sample of it to the template, and sample k
    is sample ``origin + k * scale`` of the session.
    """

    level: Signal
    likeness: Signal
    origin: int
    scale: float


def _look_at(block: NDArray, offset: int) -> Iterator[tuple[int, _Seen]]:
    """Look at a block in each variant that leaves enough samples."""
    mono = sum_channels(block)
    spectra: dict[tuple[int, int], Whitened] = {}
    for index, variant in enumerate(VARIANTS):
        key = variant.step, variant.phase
        thinned = mono[variant.phase :: variant.step]
        if len(thinned) >= _SAMPLES_AT_LEAST * variant.rate:
            spectra[key] = spectra.get(key) or whiten(thinned, block.shape[1])
            level, rate = level_band(spectra[key], variant.rate)
            yield index, _Seen(level, _liken(level), offset + variant.phase, rate * variant.step)


def _liken(level: Signal) -> Signal:
    """Correlate what starts at each sample with the template, in magnitude; 0 where much of it is silent."""
    total = np.concatenate([[0.0], np.cumsum(level * level)])
    energy = total[LENGTH:] - total[:-LENGTH]
    padded = fft.next_fast_len(len(level), real=True)
    product = fft.irfft(fft.rfft(level, padded) * np.conj(fft.rfft(_TEMPLATE, padded)), padded)[: len(energy)]
    # A landmark that is half silent would be a step or a lone pulse, and these all look the same.
    return np.where(energy > LENGTH / 2, np.abs(product) / np.sqrt(np.maximum(energy, 1.0)), 0.0)


def _pick(seen: _Seen, stretches: Sequence[Stretch], part: int, variant: int, count: int) -> Landmarks:
    allowed = np.zeros(len(seen.likeness), dtype=bool)
    for stretch in stretches:
        first = max(0, int(np.ceil((stretch.start - seen.origin) / seen.scale)))
        last = int((stretch.stop - seen.origin) / seen.scale) - LENGTH
        allowed[first : max(first, last + 1)] = True
    likeness = np.where(allowed, seen.likeness, 0.0)
    peaks, _ = find_peaks(likeness, height=np.finfo(float).tiny, distance=_SPACING * LENGTH)
    peaks = np.sort(peaks[np.argsort(-likeness[peaks], kind="stable")[:count]])
    return Landmarks(
        np.full(len(peaks), part, np.int8),
        np.full(len(peaks), variant, np.int8),
        seen.origin + peaks * seen.scale,
        likeness[peaks].astype(np.float32),
        _describe(seen.level[peaks[:, np.newaxis] + np.arange(LENGTH)]),
    )


def _describe(patches: Signal) -> NDArray[np.float16]:
    """What the patches hold besides the template that they all resemble; half the samples carry the band."""
    rest = (patches - np.outer(patches @ _TEMPLATE, _TEMPLATE))[:, ::2]
    return np.asarray(rest / np.linalg.norm(rest, axis=1, keepdims=True), dtype=np.float16)


def _strongest(landmarks: Landmarks, count: int) -> Landmarks:
    return landmarks.take(np.sort(np.argsort(-landmarks.likeness, kind="stable")[:count]))
