"""Near-duplicates across parts: landmarks that agree propose a pair, and the samples around them decide.

A proposal extends a match of one landmark to twelve lengths, refining the rate on the way. What counts is the median
of the correlations of the stretches in it, each one landmark long: an impact that two recordings share, or a dropout,
fills one or two of them, a copy fills all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from stages.core.proof.landmarks import LENGTH, RATE_STEP, VARIANTS, Landmarks, Signal, level_band, sum_channels, whiten
from stages.core.schema.split import Duplicates

#: Reads samples ``[start, stop)`` of a session, shape (samples, channels).
Read = Callable[[str, int, int], NDArray]

#: Descriptors of unrelated landmarks agree this well about once in ten million.
_PROPOSED = 0.8
#: Half-widths, in landmarks, over which a match is extended; each level halves the step of rate and shift.
_HALF_WIDTHS = (0.5, 1, 2, 4, 6, 6)
_STRETCHES_AT_LEAST = 4
#: Lengths read on top of the widest half-width, where the filter settles.
_MARGIN = 2
_GRID = np.linspace(-1, 1, 9)
_TILE = 512


@dataclass(frozen=True)
class Library:
    """The landmarks of all sessions.

    Attributes
    ----------
    names : sequence of str
        Session ids.
    lengths : sequence of int
        Samples of each session.
    owner : ndarray of int64, shape (landmarks,)
        The session of each landmark, as an index into `names`.
    landmarks : Landmarks
    """

    names: Sequence[str]
    lengths: Sequence[int]
    owner: NDArray[np.int64]
    landmarks: Landmarks

    @classmethod
    def collect(cls, names: Sequence[str], lengths: Sequence[int], found: Sequence[Landmarks]) -> Library:
        """Join the landmarks found in each session."""
        owner = np.repeat(np.arange(len(names)), [len(item) for item in found])
        return cls(names, lengths, owner, Landmarks.concatenate(found))


@dataclass(frozen=True)
class Proposals:
    """Pairs of landmarks whose descriptors agree: rows of the library, the first of variant 0."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    agreement: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Copy:
    """How well the samples around two landmarks agree, and how many samples of the second make one of the first."""

    correlation: float
    rate: float


def check_duplicates(library: Library, parts: Sequence[str], limits: Duplicates, read: Read) -> dict[str, Any]:
    """Look for near-duplicates in two parts.

    Parameters
    ----------
    library : Library
    parts : sequence of str
        Names of the parts that the landmarks index.
    limits : Duplicates
    read : callable
        Called twice for each proposal that is looked at.

    Returns
    -------
    dict
        One check of the proof. ``largest_below`` is the largest correlation that was no leak; proposals beyond
        ``limits.max_proposals`` are counted in ``not_looked_at``.
    """
    proposals = propose(library, limits.max_proposals)
    looked_at = min(len(proposals), limits.max_proposals)
    crossing: dict[tuple[int, int], str] = {}
    largest_below = 0.0
    for first, second in zip(proposals.first[:looked_at], proposals.second[:looked_at], strict=True):
        owners = int(library.owner[first]), int(library.owner[second])
        pair = min(owners), max(owners)
        if pair in crossing:
            continue
        copy = compare(library, int(first), int(second), read)
        if copy.correlation > limits.max_correlation:
            crossing[pair] = _say(library, parts, int(first), int(second), copy)
        else:
            largest_below = max(largest_below, copy.correlation)
    return {
        "check": "no near-duplicate in two parts",
        "compared": len(library.names),
        "landmarks": len(library.landmarks),
        "proposals": len(proposals),
        "not_looked_at": len(proposals) - looked_at,
        "largest_below": round(largest_below, 3),
        "max_correlation": limits.max_correlation,
        "crossing": sorted(crossing.values()),
    }


def propose(library: Library, most: int) -> Proposals:
    """Find landmarks of two parts that agree.

    Parameters
    ----------
    library : Library
    most : int
        About how many to keep, those that agree best; at least as many are found if there are as many.

    Returns
    -------
    Proposals
        The best one for each pair of sessions and variant, best first. Landmarks of one session that share samples
        are no proposal: sample ranges are checked elsewhere.
    """
    marks = library.landmarks
    parts = np.unique(marks.part)
    kept = Proposals(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
    for variant in range(len(VARIANTS)):
        for part, other in permutations(parts, 2):
            if variant == 0 and part > other:
                continue
            rows = np.flatnonzero((marks.variant == 0) & (marks.part == part))
            columns = np.flatnonzero((marks.variant == variant) & (marks.part == other))
            across = marks.descriptor[columns].astype(np.float32).T
            for start in range(0, len(rows), _TILE):
                found = _agreeing(library, rows[start : start + _TILE], columns, across)
                kept = _best(library, kept, found, 2 * most)
    return kept


def _agreeing(
    library: Library, rows: NDArray[np.int64], columns: NDArray[np.int64], across: NDArray[np.float32]
) -> Proposals:
    agreement = np.abs(library.landmarks.descriptor[rows].astype(np.float32) @ across)
    row, column = np.nonzero(agreement > _PROPOSED)
    first, second = rows[row], columns[column]
    position = library.landmarks.position
    far = np.abs(position[first] - position[second]) >= LENGTH * VARIANTS[-1].step
    apart = (library.owner[first] != library.owner[second]) | far
    return Proposals(first[apart], second[apart], agreement[row, column][apart])


def _best(library: Library, kept: Proposals, found: Proposals, most: int) -> Proposals:
    if not len(found):
        return kept
    first, second = np.concatenate([kept.first, found.first]), np.concatenate([kept.second, found.second])
    agreement = np.concatenate([kept.agreement, found.agreement])
    order = np.lexsort((second, first, -agreement))
    first, second, agreement = first[order], second[order], agreement[order]
    key = np.stack([library.owner[first], library.owner[second], library.landmarks.variant[second]])
    best = np.sort(np.unique(key, axis=1, return_index=True)[1])[:most]
    return Proposals(first[best], second[best], agreement[best])


def compare(library: Library, first: int, second: int, read: Read) -> Copy:
    """Compare the samples around two landmarks.

    Parameters
    ----------
    library : Library
    first, second : int
        Rows of the library, the first of variant 0.
    read : callable

    Returns
    -------
    Copy
        Its correlation is 0 if the sessions end before there is enough to compare.
    """
    one, centre, _ = _surroundings(library, first, read)
    other, other_centre, rate = _surroundings(library, second, read)
    spline = CubicSpline(np.arange(len(other)), other)
    ratio, shift = 1.0, 0.0
    for level, half_width in enumerate(_HALF_WIDTHS):
        finer = 0.5**level
        ratios, shifts = np.meshgrid(ratio + RATE_STEP * finer * _GRID, shift + 2 * finer * _GRID)
        ratios, shifts = ratios.reshape(-1, 1), shifts.reshape(-1, 1)
        reach = half_width * LENGTH
        low = max(-reach, -centre, -(other_centre - 3) / ratios.max())
        high = min(reach, len(one) - 1 - centre, (len(other) - 3 - other_centre) / ratios.max())
        time = np.arange(np.ceil(low), np.floor(high))
        if len(time) < LENGTH / 2:
            return Copy(0.0, rate)
        still = one[centre + time.astype(np.int64)]
        moved = spline(other_centre + shifts + ratios * time)
        similarity = moved @ still / np.maximum(np.linalg.norm(moved, axis=1), 1.0)
        best = int(np.argmax(np.abs(similarity)))
        ratio, shift = float(ratios[best, 0]), float(shifts[best, 0])
    return Copy(_median_correlation(still, moved[best] * np.sign(similarity[best])), rate * ratio)


def _surroundings(library: Library, row: int, read: Read) -> tuple[Signal, int, float]:
    """Return the levelled band around a landmark, the landmark's centre in it, and its rate."""
    marks, owner = library.landmarks, library.owner[row]
    variant = VARIANTS[marks.variant[row]]
    scale = variant.rate * variant.step
    reach = (_HALF_WIDTHS[-1] + _MARGIN) * LENGTH * scale
    position = marks.position[row]
    start = max(0, int(position + LENGTH / 2 * scale - reach))
    # A session thinned to every second sample has to be thinned to the same ones.
    start += (int(position) - start) % variant.step
    stop = min(library.lengths[owner], int(position + LENGTH / 2 * scale + reach))
    counts = read(library.names[owner], start, stop)
    level, rate = level_band(whiten(sum_channels(counts)[:: variant.step], counts.shape[1]), variant.rate)
    centre = round((position - start) / (rate * variant.step) + LENGTH / 2)
    return level, centre, rate * variant.step


def _median_correlation(one: Signal, other: Signal) -> float:
    """Median of the correlations of stretches of one landmark's length; 0 if there are too few of them."""
    count = len(one) // LENGTH
    if count < _STRETCHES_AT_LEAST:
        return 0.0
    left, right = (values[: count * LENGTH].reshape(count, LENGTH) for values in (one, other))
    energy = (left**2).sum(axis=1) * (right**2).sum(axis=1)
    # Silence agrees with silence, which says nothing.
    heard = energy > (LENGTH / 2) ** 2
    return float(np.median(np.where(heard, (left * right).sum(axis=1) / np.sqrt(np.where(heard, energy, 1)), 0.0)))


def _say(library: Library, parts: Sequence[str], first: int, second: int, copy: Copy) -> str:
    names = [
        f"{library.names[library.owner[row]]} ({parts[library.landmarks.part[row]]}) from sample "
        f"{library.landmarks.position[row]:.0f}"
        for row in (first, second)
    ]
    return f"{names[0]} is {names[1]} at rate {copy.rate:.4g}, correlation {copy.correlation:.3f}"
