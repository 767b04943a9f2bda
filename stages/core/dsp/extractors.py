"""Features of frames: band energies of an integer spectrum (`Bands`) and statistics (`Stats`).

A window of ``L`` samples is cut into frames of `frame` samples, one every `hop`; ``frame = L`` gives one frame. Columns
are the channels in order, each with all its features. Every value in has ``|v| < 2**17``, and so has every value out.
`firmware/dsp/bands.h` and `firmware/dsp/stats.h` are the same in C.

Common to both, for the ``n`` values ``v`` of one channel in a frame::

    log2_q8(e)      256 floor(log2(e)) + the eight bits below e's leading one, 0 for e = 0; see integers.py
    peak_to_peak    min(max(v) - min(v), 2**17 - 1)

Differences reach ``2**18`` only where normalised values lie more than 128 RMS apart; saturation keeps the unit a count.

`Stats`, for ``2 <= n <= 2**14``, with ``S1 = sum(v)`` and ``S2 = sum(v**2)``::

    mean            floor((S1 + floor(n / 2)) / n)
    std             floor(sqrt(n S2 - S1**2) / n), of the population; n S2 and S1**2 are at most 2**62
    min, max
    energy          log2_q8(S2), S2 < 2**48
    mean_abs_diff   min(floor((D + floor((n - 1) / 2)) / (n - 1)), 2**17 - 1),  D = sum(|v[t+1] - v[t]|) < 2**32

`Bands`, for ``n`` a power of two from 16 to 1024, with ``P[k] = re**2 + im**2`` of the integer FFT (fft.py) of the
frame, weighted by the Hann window or not::

    band            log2_q8(sum of P[k] for edges[b] <= k < edges[b + 1])
    rms             log2_q8(sum(v**2)), before the Hann window
    peak_to_peak    as above, before the Hann window
    centroid        floor((128 M + floor(D / 2)) / D) in 1/128 bin, 0 for D = 0; over all bins of the bands, with
                    D = sum(P[k] >> s),  M = sum(k (P[k] >> s)),  s = max(0, bits of sum(P[k]) - 40)

By Parseval's theorem all ``P`` of a frame sum to at most ``2**54`` before rounding and below ``2**55`` with it, so sums
of ``P`` fit 64 bits and their logarithm is below ``2**14``. ``D < 2**40`` and ``k <= 512`` keep ``128 M`` below
``2**56`` and the centroid at most ``2**16``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.dsp.fft import MAX_SIZE, MIN_SIZE, fft, hann
from stages.core.dsp.integers import bit_length, isqrt, log2_q8
from stages.core.errors import ConfigError

MAX_STATS_FRAME = 2**14
_LARGEST = 2**17 - 1
_STATS = ("mean", "std", "min", "max", "energy", "mean_abs_diff")
_BESIDE_BANDS = ("rms", "peak_to_peak", "centroid")
_CENTROID_BITS = 40
#: Values that are worked on at a time; a bound on memory, not part of the definition.
_BLOCK_VALUES = 2**18


@dataclass(frozen=True)
class Stats:
    """Statistics per channel and frame.

    Attributes
    ----------
    frame, hop : int
        Samples.

    Raises
    ------
    ConfigError
        If `frame` is not 2 to 2**14 or `hop` is not positive.
    """

    kind: ClassVar[Literal["stats"]] = "stats"
    frame: int
    hop: int

    def __post_init__(self) -> None:
        if not 2 <= self.frame <= MAX_STATS_FRAME:
            raise _unusable(f"a frame of {self.frame} samples", "stats", f"2 to {MAX_STATS_FRAME} samples")
        _check_hop(self.hop, self.kind)

    def to_json(self) -> dict[str, Any]:
        """Return the extractor as the contract stores it."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Stats:
        """Rebuild it from its JSON form."""
        return cls(frame=value["frame"], hop=value["hop"])

    @property
    def n_features(self) -> int:
        """Features per channel and frame."""
        return len(_STATS)


@dataclass(frozen=True)
class Bands:
    """Band energies, RMS, peak-to-peak and spectral centroid per channel and frame.

    Attributes
    ----------
    frame, hop : int
        Samples.
    window : {"hann", "rect"}
    edges : tuple of int
        Band ``b`` holds the FFT bins ``edges[b]`` up to and without ``edges[b + 1]``; bin ``k`` lies at
        ``k * sample_rate / frame``.

    Raises
    ------
    ConfigError
        If `frame` is no power of two from 16 to 1024, `hop` is not positive, or `edges` do not rise within
        ``0 .. frame / 2 + 1``.
    """

    kind: ClassVar[Literal["bands"]] = "bands"
    frame: int
    hop: int
    window: Literal["hann", "rect"]
    edges: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.frame & (self.frame - 1) or not MIN_SIZE <= self.frame <= MAX_SIZE:
            expected = f"a power of two from {MIN_SIZE} to {MAX_SIZE}"
            raise _unusable(f"a frame of {self.frame} samples", "bands", expected)
        _check_hop(self.hop, self.kind)
        if self.window not in ("hann", "rect"):
            raise _unusable(f"the window {self.window!r}", "bands", "'hann' or 'rect'")
        rising = all(a < b for a, b in pairwise(self.edges))
        if len(self.edges) < 2 or not rising or self.edges[0] < 0 or self.edges[-1] > self.frame // 2 + 1:
            expected = f"at least two edges that rise strictly from at least 0 to at most bin {self.frame // 2 + 1}"
            raise _unusable(f"the band edges {list(self.edges)}", "bands", expected)

    def to_json(self) -> dict[str, Any]:
        """Return the extractor as the contract stores it."""
        return {"kind": self.kind, **asdict(self), "edges": list(self.edges)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Bands:
        """Rebuild it from its JSON form."""
        return cls(value["frame"], value["hop"], value["window"], tuple(value["edges"]))

    @property
    def n_features(self) -> int:
        """Features per channel and frame."""
        return len(self.edges) - 1 + len(_BESIDE_BANDS)


def _unusable(found: str, kind: str, expected: str) -> ConfigError:
    return ConfigError(
        found=found, where=f"extractor {kind}", expected=expected, remedy="Change it in section features.extractor"
    )


def _check_hop(hop: int, kind: str) -> None:
    if hop < 1:
        raise _unusable(f"a hop of {hop} samples", kind, "at least 1 sample")


def band_edges(
    frame: int, sample_rate_hz: float, *, bands: int, spacing: Literal["equal", "log"], low_hz: float, high_hz: float
) -> tuple[int, ...]:
    """Divide a range of frequencies into bands, in whole FFT bins and with at least one bin in each.

    Parameters
    ----------
    frame : int
        Points of the FFT.
    sample_rate_hz : float
    bands : int
    spacing : {"equal", "log"}
        Whether bands are equally wide in hertz or in octaves.
    low_hz, high_hz : float
        Rounded to bins; the lowest is bin 1, as bin 0 is the mean.

    Returns
    -------
    tuple of int, length ``bands + 1``

    Raises
    ------
    ConfigError
        If the range holds fewer bins than bands.
    """
    low, high = (round(hz * frame / sample_rate_hz) for hz in (low_hz, high_hz))
    low, high = max(low, 1), min(high, frame // 2 + 1)
    if high - low < bands:
        found = f"{bands} bands between {low_hz:g} and {high_hz:g} Hz, where there are {max(high - low, 0)} FFT bins"
        raise _unusable(found, "bands", "at least one bin in every band: fewer bands, a longer frame or a wider range")
    space = np.linspace if spacing == "equal" else np.geomspace
    edges = [int(edge) for edge in np.rint(space(low, high, bands + 1))]
    for b in range(1, bands):
        edges[b] = min(max(edges[b], edges[b - 1] + 1), high - (bands - b))
    return tuple(edges)


def n_frames(spec: Bands | Stats, window: int) -> int:
    """Count the frames of a window of `window` samples.

    Raises
    ------
    ConfigError
        If the window is shorter than a frame.
    """
    if window < spec.frame:
        raise _unusable(f"a frame of {spec.frame} samples", spec.kind, f"at most the window of {window} samples")
    return (window - spec.frame) // spec.hop + 1


def column_names(spec: Bands | Stats, channels: tuple[str, ...], sample_rate_hz: float) -> tuple[str, ...]:
    """Name the columns of `extract`, for example ``x.rms`` or ``x.band3_800-1200Hz``."""
    names = _STATS if isinstance(spec, Stats) else (*_band_names(spec, sample_rate_hz), *_BESIDE_BANDS)
    return tuple(f"{channel}.{name}" for channel in channels for name in names)


def _band_names(spec: Bands, sample_rate_hz: float) -> list[str]:
    hz = [f"{edge * sample_rate_hz / spec.frame:g}" for edge in spec.edges]
    return [f"band{b}_{low}-{high}Hz" for b, (low, high) in enumerate(pairwise(hz))]


def extract(spec: Bands | Stats, values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Compute the features of every frame of every window.

    Parameters
    ----------
    spec : Bands or Stats
    values : ndarray of int32, shape (windows, length, channels)
        ``|v| < 2**17``.

    Returns
    -------
    ndarray of int32, shape (windows, frames, columns)
        ``|f| < 2**17``.

    Raises
    ------
    ConfigError
        If the windows are shorter than a frame.
    """
    windows, length, channels = values.shape
    frames = n_frames(spec, length)
    features = np.empty((windows * frames * channels, spec.n_features), dtype=np.int32)
    for begin, block in _frames(spec, values):
        computed = _bands(spec, block) if isinstance(spec, Bands) else _stats(spec, block)
        features[begin : begin + block.shape[1]] = computed.T
    return features.reshape(windows, frames, channels * spec.n_features)


def _frames(spec: Bands | Stats, values: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Cut out a bounded number of frames at a time: the first one's index, and (frame, n) values.

    Frames are numbered over windows, then frames of a window, then channels.
    """
    view = np.lib.stride_tricks.sliding_window_view(values, spec.frame, axis=1)[:, :: spec.hop]
    total, per_block = int(np.prod(view.shape[:3])), max(_BLOCK_VALUES // spec.frame, 1)
    for begin in range(0, total, per_block):
        indices = np.unravel_index(np.arange(begin, min(begin + per_block, total)), view.shape[:3])
        yield begin, np.ascontiguousarray(view[indices].T, dtype=np.int64)


def _saturate(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.minimum(values, _LARGEST)


def _stats(spec: Stats, v: NDArray[np.int64]) -> NDArray[np.int64]:
    """Features by frames: (features, n) from values (frame, n)."""
    n = spec.frame
    s1, s2 = v.sum(axis=0), (v * v).sum(axis=0)
    steps = np.abs(np.diff(v, axis=0)).sum(axis=0)
    mean_step = _saturate((steps + (n - 1) // 2) // (n - 1))
    # floor(floor(sqrt(x)) / n) is floor(sqrt(floor(x / n**2))): one root, no second division.
    std = isqrt(n * s2 - s1 * s1) // n
    return np.stack([(s1 + n // 2) // n, std, v.min(axis=0), v.max(axis=0), log2_q8(s2), mean_step])


def _bands(spec: Bands, v: NDArray[np.int64]) -> NDArray[np.int64]:
    """Features by frames: (features, n) from values (frame, n)."""
    re, im = fft(hann(v) if spec.window == "hann" else v)
    first, last = spec.edges[0], spec.edges[-1]
    power = re[first:last] ** 2 + im[first:last] ** 2
    energies = np.add.reduceat(power, np.array(spec.edges[:-1]) - first, axis=0)
    rms, span = log2_q8((v * v).sum(axis=0)), _saturate(v.max(axis=0) - v.min(axis=0))
    return np.concatenate([log2_q8(energies), np.stack([rms, span, _centroid(power, first)])])


def _centroid(power: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    """Centre of gravity of power (bins, n), the first of which is bin `first`, in 1/128 bin."""
    shifted = power >> np.maximum(bit_length(power.sum(axis=0)) - _CENTROID_BITS, 0)
    total = shifted.sum(axis=0)
    moment = (shifted * np.arange(first, first + len(power))[:, np.newaxis]).sum(axis=0)
    return np.where(total > 0, (128 * moment + total // 2) // np.maximum(total, 1), 0)
