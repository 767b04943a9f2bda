"""The preprocess contract: one integer program from sensor counts to model codes.

For a window ``x`` of int16 counts, per channel ``c``::

    m = floor((sum(x) + L / 2) / L)          if dc is "window_mean", else 0;  L a power of two
    v = x - m - offset[c]
    q = sat8((v * multiplier[c] + 2**(shift[c] - 1)) >> shift[c])

in int32: ``|v| < 2**17`` and ``multiplier < 2**13`` keep product and rounding term below 2**31. ``>>`` is an
arithmetic shift (floor), so a half rounds towards plus infinity, here as in C.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.artifacts import sha256_json

MULTIPLIER_BITS = 13
MAX_SHIFT = 30
#: Real value of one model input code: the float model sees codes in -2 .. 1.984.
INPUT_SCALE = 2.0**-6


@dataclass(frozen=True)
class ChannelScale:
    """The affine part for one channel: ``q = (v * multiplier) / 2**shift`` after `offset` is taken away."""

    offset: int
    multiplier: int
    shift: int

    @classmethod
    def from_real(cls, offset: int, codes_per_count: float) -> ChannelScale:
        """Find the multiplier with the most significant bits that fits.

        Parameters
        ----------
        offset : int
            Counts that become code 0.
        codes_per_count : float
            Positive slope.
        """
        shift = MULTIPLIER_BITS - int(np.floor(np.log2(codes_per_count))) - 1
        shift = int(np.clip(shift, 1, MAX_SHIFT))
        multiplier = round(codes_per_count * 2.0**shift)
        if multiplier >= 2**MULTIPLIER_BITS:
            shift, multiplier = (shift - 1, multiplier // 2) if shift > 1 else (shift, 2**MULTIPLIER_BITS - 1)
        return cls(offset, max(multiplier, 1), shift)


@dataclass(frozen=True)
class Preprocess:
    """The contract.

    Attributes
    ----------
    sample_rate_hz : float
    channels : tuple of str
        In the order in which samples are interleaved.
    window, hop : int
        Samples per channel.
    dc : {"none", "window_mean"}
    scale : tuple of ChannelScale
    """

    sample_rate_hz: float
    channels: tuple[str, ...]
    window: int
    hop: int
    dc: Literal["none", "window_mean"]
    scale: tuple[ChannelScale, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the contract as JSON, with the hash of its canonical form as ``preprocess_id``."""
        body = asdict(self)
        body["channels"], body["scale"] = list(self.channels), [asdict(scale) for scale in self.scale]
        return {**body, "preprocess_id": sha256_json(body)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Preprocess:
        """Rebuild the contract from its JSON form."""
        fields = {key: item for key, item in value.items() if key != "preprocess_id"}
        scale = tuple(ChannelScale(**item) for item in value["scale"])
        return cls(**{**fields, "channels": tuple(value["channels"]), "scale": scale})


def remove_dc(windows: NDArray[np.int16], dc: str) -> NDArray[np.int32]:
    """Take away each window's integer mean, if the contract says so.

    Parameters
    ----------
    windows : ndarray of int16, shape (windows, length, channels)
    dc : {"none", "window_mean"}

    Returns
    -------
    ndarray of int32, shape (windows, length, channels)
    """
    values = windows.astype(np.int32)
    if dc == "none":
        return values
    length = windows.shape[1]
    return values - (values.sum(axis=1, keepdims=True, dtype=np.int32) + length // 2) // length


def preprocess(contract: Preprocess, windows: NDArray[np.int16]) -> NDArray[np.int8]:
    """Run the integer program.

    Parameters
    ----------
    contract : Preprocess
    windows : ndarray of int16, shape (windows, length, channels)

    Returns
    -------
    ndarray of int8, shape (windows, length, channels)
    """
    offset = np.array([scale.offset for scale in contract.scale], dtype=np.int32)
    multiplier = np.array([scale.multiplier for scale in contract.scale], dtype=np.int32)
    shift = np.array([scale.shift for scale in contract.scale], dtype=np.int32)
    values = remove_dc(windows, contract.dc) - offset
    rounded = (values * multiplier + (1 << (shift - 1)).astype(np.int32)) >> shift
    return np.clip(rounded, -128, 127).astype(np.int8)
