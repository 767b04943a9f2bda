"""Section `capture` of the source `gesture_log`."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from stages.core.schema.base import Section
from stages.core.schema.source import SourceSection


class Recorded(Section):
    """What the logs of one state hold.

    Attributes
    ----------
    label : str
        Of every sample: a class, or ``uncertain``.
    scale : float
        Sensor units per unit that is written.
    """

    label: str
    scale: float = Field(gt=0)


class GestureLog(SourceSection):
    """Terminal logs of takes; see `stages.core.recordings.gesture_log`.

    Attributes
    ----------
    folder : str
        Holds the logs, in subfolders if need be.
    relative_to : {"repository", "datasets"}
        What the folder is relative to; ``datasets`` is the folder that the environment variable
        ``BEARING_DATASETS_ROOT`` names.
    pattern : str
        Regular expression for the path of a log below the folder, whose named groups ``state`` and ``group`` say what
        was recorded, and of whom. Other files are left alone.
    channels : tuple of str
        The numbers of a line.
    states : dict of str to Recorded
        Every state that the pattern finds.
    condition : str
        Of every session.
    sample_rate_hz : float
        A log has no time stamps.
    """

    source: Literal["gesture_log"]
    folder: str = Field(min_length=1)
    relative_to: Literal["repository", "datasets"]
    pattern: str
    channels: tuple[str, ...] = Field(min_length=1)
    states: dict[str, Recorded] = Field(min_length=1)
    condition: str
    sample_rate_hz: float = Field(gt=0)

    @field_validator("pattern")
    @classmethod
    def _names_state_and_group(cls, pattern: str) -> str:
        try:
            named = set(re.compile(pattern).groupindex)
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from None
        if named != {"state", "group"}:
            raise ValueError("pattern must have the named groups (?P<state>..) and (?P<group>..), and no others")
        return pattern
