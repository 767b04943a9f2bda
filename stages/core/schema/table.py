"""Section `capture` of the source `table`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section
from stages.core.schema.source import SourceSection


class SensorColumn(Section):
    """A channel and its physical range, spread over the whole range of the counts; values beyond it clip.

    Attributes
    ----------
    name : str
    low, high : float
    """

    name: str
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> SensorColumn:
        if self.low >= self.high:
            raise ValueError(f"the range starts at {self.low:g}, not below its end {self.high:g}")
        return self


class LabelColumn(Section):
    """Where the label of a row stands, and what its values mean.

    Attributes
    ----------
    column : str
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
        Relative to the repository.
    pattern : str
        Which files of the folder to read, in the order of their names.
    names : tuple of str or None
        Names of all columns, for files without a header line; None reads the header.
    columns : tuple of SensorColumn
        The channels, in this order.
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
        return self

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)
