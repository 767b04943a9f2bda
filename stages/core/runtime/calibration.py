"""What a device learns about itself at rest: the model of ``firmware/runtime/calibration.c``, and its record."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.runtime.spread import MAX_COUNTS, spread

VERSION = 1
CHANNELS = 6
_LAYOUT = struct.Struct(f"<IIIi{CHANNELS}i{CHANNELS}ii")


class Result(IntEnum):
    """What came of a step; any but DONE has left the record as it was."""

    DONE = 0
    MOVING = 1
    GRAVITY = 2
    OFFSET = 3
    SPAN = 4
    WINDOWS = 5


@dataclass(frozen=True)
class CalibrationLimits:
    """What is plausible.

    Attributes
    ----------
    rest : sequence of int
        Counts of an ideal sensor as it lies, per channel.
    variance_shift, max_variance : int
        Bits to drop of a count, and counts squared after that.
    min_norm, max_norm : int
        Of the mean counts, squared and summed over the channels; a larger sum than fits 64 bits counts as the largest.
    max_offset : int
        Counts.
    min_span : int
        Hundredths of a degree, at least 1.
    max_slope : int
        Counts / 2^16 per hundredth of a degree.
    min_windows : int
        At least 1.
    headroom, min_threshold, max_threshold : int
        Score codes.
    """

    rest: Sequence[int]
    variance_shift: int
    max_variance: int
    min_norm: int
    max_norm: int
    max_offset: int
    min_span: int
    max_slope: int
    min_windows: int
    headroom: int
    min_threshold: int
    max_threshold: int


@dataclass(frozen=True)
class Calibration:
    """A record.

    Attributes
    ----------
    sequence : int
        One more with each record saved.
    temperature : int
        At which the offset was measured, in hundredths of a degree.
    offset : tuple of int
        Counts per channel.
    slope : tuple of int
        Counts / 2^16 per hundredth of a degree, per channel.
    threshold : int
        Score code.
    """

    sequence: int
    temperature: int
    offset: tuple[int, ...]
    slope: tuple[int, ...]
    threshold: int

    def encode(self) -> bytes:
        """Return the record's bytes, with version and checksum."""
        none = (0,) * (CHANNELS - len(self.offset))
        body = _LAYOUT.pack(
            VERSION,
            self.sequence,
            len(self.offset),
            self.temperature,
            *self.offset,
            *none,
            *self.slope,
            *none,
            self.threshold,
        )
        return body + struct.pack("<I", zlib.crc32(body))

    def apply(self, counts: NDArray[np.integer], temperature: int) -> NDArray[np.int64]:
        """Return counts, shape (..., channels), as an ideal sensor would give them, clamped to 32 bits."""
        span = min(max(temperature - self.temperature, -(2**31)), 2**31 - 1)
        correction = [o + ((s * span + 2**15) >> 16) for o, s in zip(self.offset, self.slope, strict=True)]
        return np.clip(counts.astype(np.int64) - np.array(correction), -(2**31), 2**31 - 1)


def calibrate(
    record: Calibration,
    step: Literal["offset", "slope"],
    limits: CalibrationLimits,
    rest: NDArray[np.integer],
    temperature: int,
) -> tuple[Result, Calibration]:
    """Learn offset or temperature slope from counts at rest, shape (n, channels), at a temperature.

    Returns
    -------
    tuple of Result and Calibration
        The record given, unless the result is `Result.DONE`.
    """
    result, offset = _measure(limits, rest)
    if result is not Result.DONE:
        return result, record
    if step == "offset":
        clamped = tuple(min(max(o, -(2**31)), 2**31 - 1) for o in offset)
        return result, replace(record, offset=clamped, temperature=temperature)
    span = temperature - record.temperature
    if abs(span) < limits.min_span:
        return Result.SPAN, record
    most = min(limits.max_slope, 2**31 - 1)
    slopes = [_toward_zero((now - old) * 2**16, span) for now, old in zip(offset, record.offset, strict=True)]
    return result, replace(record, slope=tuple(min(max(slope, -most), most) for slope in slopes))


def calibrate_no_event(
    record: Calibration, limits: CalibrationLimits, scores: Sequence[int]
) -> tuple[Result, Calibration]:
    """Learn the threshold from score codes of windows without an event."""
    if len(scores) < limits.min_windows:
        return Result.WINDOWS, record
    threshold = min(max(max(scores) + limits.headroom, limits.min_threshold), limits.max_threshold)
    return Result.DONE, replace(record, threshold=threshold)


def _measure(limits: CalibrationLimits, rest: NDArray[np.integer]) -> tuple[Result, list[int]]:
    n, channels = rest.shape
    columns = [[int(count) for count in column] for column in rest.T]
    if not 1 <= n <= MAX_COUNTS or any(
        spread(column, limits.variance_shift) > limits.max_variance * n * n for column in columns
    ):
        return Result.MOVING, []
    means = [(sum(column) + n // 2) // n for column in columns]
    norm = min(sum(mean * mean for mean in means), 2**64 - 1)
    if not limits.min_norm <= norm <= limits.max_norm:
        return Result.GRAVITY, []
    offset = [mean - ideal for mean, ideal in zip(means, limits.rest[:channels], strict=True)]
    return (Result.OFFSET if max(map(abs, offset)) > limits.max_offset else Result.DONE), offset


def _toward_zero(value: int, divisor: int) -> int:
    magnitude = abs(value) // abs(divisor)
    return magnitude if (value < 0) == (divisor < 0) else -magnitude
