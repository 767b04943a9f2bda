"""The bundle's sections that a device reads, byte for byte as docs/bundle.md has them."""

from __future__ import annotations

import struct
from dataclasses import astuple
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from stages.core.runtime.calibration import CHANNELS, Calibration
from stages.core.runtime.decision import Rules
from stages.core.runtime.stream import Stream
from stages.core.schema.decision import Pick

_CONFIG_VERSION = 1
_CONFIG = struct.Struct("<16I")
_CODES = struct.Struct("<4i")
_LIMITS = struct.Struct("<4i6I")
_GOLDEN = struct.Struct("<8I")
_WORD = 4


def pack_config(contract: dict[str, Any]) -> bytes:
    """Pack what decides: the rules from scores to an alarm, and the fault gate's limits.

    Parameters
    ----------
    contract : dict
        The model contract.
    """
    rules = Rules.from_json(contract["decision"]["rules"])
    stream = Stream.from_json(contract["stream"])
    header = _CONFIG.pack(
        _CONFIG_VERSION,
        len(rules.codes),
        len(stream.limits),
        get_args(Pick).index(rules.pick),
        rules.hysteresis,
        rules.margin,
        rules.average,
        rules.need,
        rules.of,
        rules.accumulate,
        rules.min_hold,
        rules.cooldown,
        *stream.timing_frames,
        *(0, 0),
    )
    codes = b"".join(_CODES.pack(*astuple(each)) for each in rules.codes)
    return header + codes + b"".join(_LIMITS.pack(*astuple(each)) for each in stream.limits)


def pack_calibration(contract: dict[str, Any], channels: int) -> bytes:
    """Pack the record of a device that has not been calibrated: it corrects nothing, and keeps the first threshold.

    Parameters
    ----------
    contract : dict
        The model contract.
    channels : int
        Of the sensor. A record has room for six; for more there is none, and the section is empty.
    """
    if channels > CHANNELS:
        return b""
    threshold = Rules.from_json(contract["decision"]["rules"]).thresholds[0]
    return Calibration(0, 0, (0,) * channels, (0,) * channels, threshold).encode()


def pack_golden(samples: NDArray[np.int16] | NDArray[np.int32], scores: NDArray[np.int32]) -> bytes:
    """Pack a self-test: windows of counts, and the score codes that the device must answer to each.

    Parameters
    ----------
    samples : ndarray of int16 or int32, shape (windows, length, channels)
    scores : ndarray of int32, shape (windows, outputs)
    """
    header = _GOLDEN.pack(*samples.shape, scores.shape[1], samples.dtype.itemsize, 0, 0, 0)
    counts = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    return header + counts.ljust(-(-len(counts) // _WORD) * _WORD, b"\0") + scores.astype("<i4").tobytes()


def unpack_golden(data: bytes) -> tuple[NDArray[np.signedinteger], NDArray[np.int32]]:
    """Read a self-test back.

    Returns
    -------
    samples : ndarray of int16 or int32, shape (windows, length, channels)
    scores : ndarray of int32, shape (windows, outputs)
    """
    windows, length, channels, outputs, width, *_ = _GOLDEN.unpack_from(data)
    end = _GOLDEN.size + windows * length * channels * width
    samples = np.frombuffer(data[_GOLDEN.size : end], f"<i{width}").reshape(windows, length, channels)
    scores = np.frombuffer(data[-windows * outputs * 4 :], "<i4").reshape(windows, outputs)
    return samples, scores
