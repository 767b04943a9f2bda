"""Section `capture` of the source `table`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section
from stages.core.schema.source import SourceSection

#: Counts fit int32, and one more than the largest still does.
_LARGEST_COUNT = 2**31 - 2


class Normalised(Section):
    """A publisher's normalisation: 0 is written for `low`, 1 for `high`, both in the sensor's unit.

    Attributes
    ----------
    low, high : float
        What 0 and 1 stand for.
    """

    low: float
    high: float

    @model_validator(mode="after")
    def _different(self) -> Normalised:
        if self.low == self.high:
            raise ValueError(f"low and high are both {self.low:g}: nothing is left of the sensor's values")
        return self


class SensorColumn(Section):
    """A channel and its physical range; values beyond it clip.

    Attributes
    ----------
    name : str
        Of the column, and of the channel.
    low, high : float
        The sensor's range, in its unit.
    resolution : float or None
        What one count stands for, in that unit; None spreads the range over the counts of ``sensor.bits``.
    normalised : Normalised or None
        What to undo before that; None takes values as they are written.
    """

    name: str
    low: float
    high: float
    resolution: float | None = Field(default=None, gt=0)
    normalised: Normalised | None = None

    @model_validator(mode="after")
    def _ordered(self) -> SensorColumn:
        if self.low >= self.high:
            raise ValueError(f"the range starts at {self.low:g}, not below its end {self.high:g}")
        if self.resolution is not None:
            low, high = self.limits
            if low == high or max(-low, high) > _LARGEST_COUNT:
                raise ValueError(f"the range is {low} .. {high} counts of {self.resolution:g}; they should fit int32")
        return self

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest count of a column that has a resolution."""
        step = self.resolution or 1.0
        return round(self.low / step), round(self.high / step)


class LabelColumn(Section):
    """Where the label of a row stands, and what its values mean.

    Attributes
    ----------
    column : str
        Its name.
    classes : dict of str to str
        Each value of the column, as it is written, to a class or to ``uncertain``.
    """

    column: str
    classes: dict[str, str] = Field(min_length=1)


class Table(SourceSection):
    """Tables of one row per sample, each column a sensor of its own range; see `stages.core.recordings.table`.

    Attributes
    ----------
    folder : str
        Holds the tables.
    relative_to : {"repository", "datasets"}
        What the folder is relative to; ``datasets`` is the folder that the environment variable
        ``BEARING_DATASETS_ROOT`` names.
    pattern : str
        Which files of the folder to read, in the order of their names.
    names : tuple of str or None
        Names of all columns, for files without a header line; None reads the header.
    columns : tuple of SensorColumn
        The channels, in this order; all of them with a resolution, or none.
    missing_value : float or None
        A number that stands for no value, besides the empty cell.
    label : LabelColumn
    session_column, group_column : str or None
        Rows of one value make a session, and belong to a group; None makes each file one.
    condition, state : str
        Of every session.
    sample_rate_hz : float
        Of the rows.
    """

    source: Literal["table"]
    folder: str = Field(min_length=1)
    relative_to: Literal["repository", "datasets"]
    pattern: str = Field(pattern=r"^[^/]+$")
    names: tuple[str, ...] | None
    columns: tuple[SensorColumn, ...] = Field(min_length=1)
    missing_value: float | None
    label: LabelColumn
    session_column: str | None
    group_column: str | None
    condition: str
    state: str
    sample_rate_hz: float = Field(gt=0)

    @model_validator(mode="after")
    def _roles_differ(self) -> Table:
        roles = [*self.channels, self.label.column]
        roles += [name for name in (self.session_column, self.group_column) if name is not None]
        twice = next((name for name in roles if roles.count(name) > 1 and name in self.channels), None)
        if twice is not None:
            raise ValueError(f"column {twice!r} is a channel, and cannot be anything else too")
        if self.sensor.full_scale != 1:
            raise ValueError("sensor.full_scale must be 1: the unit of a table is the share of a column's range")
        if len({column.resolution is None for column in self.columns}) > 1:
            raise ValueError("columns must all have a resolution, or none")
        return self

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def limits(self) -> tuple[tuple[int, int], ...]:
        """Smallest and largest count of each column; empty if the ranges are spread over those of ``sensor.bits``."""
        return tuple(column.limits for column in self.columns if column.resolution is not None)

    @property
    def wide(self) -> bool:
        """Whether there are counts that int16 does not hold."""
        return any(low < -(2**15) or high >= 2**15 for low, high in self.limits)
