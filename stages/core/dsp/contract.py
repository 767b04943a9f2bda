"""The preprocess contract: one integer program from sensor counts to model codes.

For a window ``x`` of int16 counts, per channel, with ``L`` samples::

    m = floor((sum(x) + floor(L / 2)) / L)       if dc is "window_mean", else 0;  L a power of two
    v = x - m
    r = floor(sqrt(floor(sum(v**2) / L)))        only if normalised:  d = r + epsilon,
    v = sign(v) floor((1024 |v| + floor(d / 2)) / d), limited to -(2**17 - 1) .. 2**17 - 1

so that one RMS becomes 1024. The extractor then turns ``(L, channels)`` values into ``(frames, columns)`` features;
"raw" leaves them as they are. Each code is made from one column, by an affine program or by a table::

    q = sat8(((v - offset) * multiplier + 2**(shift - 1)) >> shift)
    q = -128 + (number of breakpoints <= v)      255 breakpoints that never fall

``|v| < 2**17`` throughout. ``>>`` is an arithmetic shift (floor), so a half rounds towards plus infinity, here as in C.
The affine program is in int32: with ``|v - offset| < 2**17`` the multiplier is below ``2**13``, else below ``2**12``,
and `shift` is at most 30, so product and rounding term stay below ``2**31``.

Counts of int32 are used as they are: raw, without dc or normalisation, so that ``v = x``. The affine program is then in
int64, with a multiplier below ``2**13`` and `shift` at most 46: product and rounding term stay below ``2**46``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.artifacts import sha256_json
from stages.core.dsp.extractors import Bands, Stats, column_names, extract, n_frames
from stages.core.dsp.integers import isqrt

MULTIPLIER_BITS = 13
MAX_SHIFT = 30
#: Of programs for int32 counts.
MAX_WIDE_SHIFT = 46
N_BREAKPOINTS = 255
#: What one RMS becomes by normalisation.
RMS_COUNTS = 1024
#: No value between two steps of the program reaches this, unless counts are int32.
VALUE_LIMIT = 2**17
#: Real value of one model input code: the float model sees codes in -2 .. 1.984.
INPUT_SCALE = 2.0**-6

DC = Literal["none", "window_mean"]
#: Counts of int16 or int32, of shape (windows, length, channels).
Windows = NDArray[np.signedinteger[Any]]
#: What codes are made from: int32 values of int16 counts, int64 values of int32 counts.
Values = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True)
class Raw:
    """No features: every sample of every channel is a value of its own."""

    kind: ClassVar[Literal["raw"]] = "raw"

    def to_json(self) -> dict[str, Any]:
        """Return the extractor as the contract stores it."""
        return {"kind": self.kind}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Raw:
        """Rebuild it from its JSON form."""
        del value
        return cls()


Extractor = Raw | Bands | Stats


@dataclass(frozen=True)
class Affine:
    """``q = ((v - offset) * multiplier) / 2**shift``."""

    kind: ClassVar[Literal["affine"]] = "affine"
    offset: int
    multiplier: int
    shift: int

    @classmethod
    def from_real(cls, offset: int, codes_per_count: float, limit: int) -> Affine:
        """Find the multiplier with the most significant bits that fits.

        Parameters
        ----------
        offset : int
            Counts that become code 0.
        codes_per_count : float
            Positive slope.
        limit : int
            No value is larger in magnitude; ``2**31`` for int32 counts, else below ``2**17``.
        """
        wide = limit >= VALUE_LIMIT
        bits = MULTIPLIER_BITS if wide or limit + abs(offset) < VALUE_LIMIT else MULTIPLIER_BITS - 1
        shift = bits - int(np.floor(np.log2(codes_per_count))) - 1
        shift = int(np.clip(shift, 1, MAX_WIDE_SHIFT if wide else MAX_SHIFT))
        multiplier = round(codes_per_count * 2.0**shift)
        if multiplier >= 2**bits:
            shift, multiplier = (shift - 1, multiplier // 2) if shift > 1 else (shift, 2**bits - 1)
        return cls(offset, max(multiplier, 1), shift)

    def codes(self, values: Values) -> NDArray[np.int8]:
        """Apply the program to values of any shape, in their own type."""
        exact = values.dtype.type
        scaled = (values - exact(self.offset)) * exact(self.multiplier)
        rounded = (scaled + exact(1 << (self.shift - 1))) >> self.shift
        return np.clip(rounded, -128, 127).astype(np.int8)

    def edges(self) -> NDArray[np.int64]:
        """Return the smallest value of each code from -127 to 127, shape (255,)."""
        target = (np.arange(-127, 128, dtype=np.int64) << self.shift) - (1 << (self.shift - 1))
        return -(-target // self.multiplier) + self.offset


@dataclass(frozen=True)
class Table:
    """``q = -128 + (number of breakpoints <= v)``.

    Attributes
    ----------
    breakpoints : tuple of int, length 255
        Never falling: entry ``k`` is the smallest value of code ``k - 127``.
    """

    kind: ClassVar[Literal["table"]] = "table"
    breakpoints: tuple[int, ...]

    def codes(self, values: Values) -> NDArray[np.int8]:
        """Apply the program to values of any shape."""
        reached = np.searchsorted(np.array(self.breakpoints, dtype=np.int32), values, side="right")
        return (reached - 128).astype(np.int8)

    def edges(self) -> NDArray[np.int64]:
        """Return the smallest value of each code from -127 to 127, shape (255,)."""
        return np.array(self.breakpoints, dtype=np.int64)


Program = Affine | Table


@dataclass(frozen=True)
class Code:
    """One code of a row of the model's input.

    Attributes
    ----------
    name : str
        The column's name; where a column gives two codes, with ``_fine`` and ``_coarse`` after it.
    source : int
        Column of the extractor's output.
    program : Affine or Table
    """

    name: str
    source: int
    program: Program

    def to_json(self) -> dict[str, Any]:
        """Return the code as the contract stores it."""
        values = {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self.program).items()
        }
        return {"name": self.name, "source": self.source, "program": {"kind": self.program.kind, **values}}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Code:
        """Rebuild it from its JSON form."""
        fields = {key: item for key, item in value["program"].items() if key != "kind"}
        if value["program"]["kind"] == Table.kind:
            return cls(value["name"], value["source"], Table(tuple(fields["breakpoints"])))
        return cls(value["name"], value["source"], Affine(**fields))


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
    epsilon : int or None
        Counts added to the RMS that windows are divided by; None does not normalise.
    extractor : Raw, Bands or Stats
    codes : tuple of Code
        In the order of a row of the model's input. Empty until the scalers are fitted.
    sample_type : {"int16", "int32"}
        Of a count; the JSON form names it only if it is not int16.
    """

    sample_rate_hz: float
    channels: tuple[str, ...]
    window: int
    hop: int
    dc: DC
    epsilon: int | None
    extractor: Extractor
    codes: tuple[Code, ...] = ()
    sample_type: str = "int16"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the extractor's columns."""
        if isinstance(self.extractor, Raw):
            return self.channels
        return column_names(self.extractor, self.channels, self.sample_rate_hz)

    @property
    def frames(self) -> int:
        """Rows that a window becomes."""
        return self.window if isinstance(self.extractor, Raw) else n_frames(self.extractor, self.window)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the model's input: (frames, codes)."""
        return self.frames, len(self.codes)

    @property
    def value_limit(self) -> int:
        """No value that a code is made from is larger in magnitude."""
        if self.sample_type == "int32":
            return 2**31
        if self.epsilon is not None or not isinstance(self.extractor, Raw):
            return VALUE_LIMIT - 1
        # A mean of int16 values is an int16 value, so x - mean spans twice the range of x.
        return 65535 if self.dc == "window_mean" else 32768

    def to_json(self) -> dict[str, Any]:
        """Return the contract as JSON, with the hash of its canonical form as ``preprocess_id``."""
        body = {
            "sample_rate_hz": self.sample_rate_hz,
            "channels": list(self.channels),
            "window": self.window,
            "hop": self.hop,
            "dc": self.dc,
            "normalise": None if self.epsilon is None else {"epsilon": self.epsilon},
            "extractor": self.extractor.to_json(),
            "codes": [code.to_json() for code in self.codes],
            "shape": list(self.shape),
            **({} if self.sample_type == "int16" else {"sample_type": self.sample_type}),
        }
        return {**body, "preprocess_id": sha256_json(body)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Preprocess:
        """Rebuild the contract from its JSON form; shape and identity follow from the rest."""
        kinds: dict[str, type[Extractor]] = {kind.kind: kind for kind in (Raw, Bands, Stats)}
        return cls(
            sample_rate_hz=value["sample_rate_hz"],
            channels=tuple(value["channels"]),
            window=value["window"],
            hop=value["hop"],
            dc=value["dc"],
            epsilon=value["normalise"] and value["normalise"]["epsilon"],
            extractor=kinds[value["extractor"]["kind"]].from_json(value["extractor"]),
            codes=tuple(Code.from_json(code) for code in value["codes"]),
            sample_type=value.get("sample_type", "int16"),
        )


def remove_dc(windows: Windows, dc: str) -> NDArray[np.int32]:
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


def normalise(values: NDArray[np.int32], epsilon: int) -> NDArray[np.int32]:
    """Divide each channel of each window by its RMS.

    Parameters
    ----------
    values : ndarray of int32, shape (windows, length, channels)
        ``|v| < 2**16``.
    epsilon : int
        Counts added to the RMS: quiet windows stay quiet.

    Returns
    -------
    ndarray of int32, shape (windows, length, channels)
        1024 is one RMS; ``|v| < 2**17``.
    """
    wide = values.astype(np.int64)
    divisor = isqrt((wide * wide).sum(axis=1, keepdims=True) // values.shape[1]) + epsilon
    magnitude = np.minimum((np.abs(wide) * RMS_COUNTS + divisor // 2) // divisor, VALUE_LIMIT - 1)
    return np.where(wide < 0, -magnitude, magnitude).astype(np.int32)


def values(contract: Preprocess, windows: Windows) -> Values:
    """Run the program up to the values that codes are made from.

    Parameters
    ----------
    contract : Preprocess
        Its codes are not read.
    windows : ndarray of int16 or int32, shape (windows, length, channels)
        Of the contract's sample type.

    Returns
    -------
    ndarray of int32 or int64, shape (windows, frames, columns)
    """
    if contract.sample_type == "int32":
        return windows.astype(np.int64)
    centred = remove_dc(windows, contract.dc)
    level = centred if contract.epsilon is None else normalise(centred, contract.epsilon)
    return level if isinstance(contract.extractor, Raw) else extract(contract.extractor, level)


def preprocess(contract: Preprocess, windows: Windows) -> NDArray[np.int8]:
    """Run the integer program.

    Parameters
    ----------
    contract : Preprocess
    windows : ndarray of int16 or int32, shape (windows, length, channels)

    Returns
    -------
    ndarray of int8, shape (windows, frames, codes)
    """
    features = values(contract, windows)
    return np.stack([code.program.codes(features[:, :, code.source]) for code in contract.codes], axis=-1)
