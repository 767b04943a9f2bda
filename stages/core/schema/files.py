"""Section `capture` of the source `files`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from stages.core.schema.base import Section
from stages.core.schema.source import SourceSection


class Conversion(Section):
    """From stored values to the sensor's unit: ``(x - zero) * scale``.

    Attributes
    ----------
    scale : float
        Sensor units per stored unit.
    zero : float
        Stored value at physical zero.
    """

    scale: float
    zero: float

    @field_validator("scale")
    @classmethod
    def _scale_keeps_the_signal(cls, scale: float) -> float:
        if scale == 0:
            raise ValueError("scale must not be 0")
        return scale


class Files(SourceSection):
    """A folder of CSV, WAV, Parquet or NPZ files and the sidecar that describes them; see docs/recordings.md.

    Attributes
    ----------
    folder : str
        Holds the files and the sidecar; relative to the repository.
    channels : tuple of str
        In this order in every session.
    time_column : str or None
        Column (CSV, Parquet) or array (NPZ) of time stamps, in every file that has columns; None if there is none.
    time_unit : {"s", "ms", "us", "ns"}
        Of time stamps that are plain numbers; dates speak for themselves.
    conversion : dict of str to Conversion
        By stored unit: every unit that the sidecar may name.
    """

    source: Literal["files"]
    folder: str = Field(min_length=1)
    channels: tuple[str, ...] = Field(min_length=1)
    time_column: str | None
    time_unit: Literal["s", "ms", "us", "ns"]
    conversion: dict[str, Conversion] = Field(min_length=1)

    @field_validator("channels")
    @classmethod
    def _distinct(cls, channels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(channels)) < len(channels):
            raise ValueError("channels must be distinct")
        return channels
