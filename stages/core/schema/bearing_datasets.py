"""Section `capture` of the source `bearing_datasets`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from stages.core.schema.base import Section
from stages.core.schema.source import SourceSection


class Conversion(Section):
    """From stored values to the sensor's unit: ``(x - zero) / sensitivity``.

    Attributes
    ----------
    stored_unit : str
        The ``unit`` that the data set must declare for every selected signal.
    zero : float
        Stored value at physical zero, in `stored_unit`.
    sensitivity : float or None
        `stored_unit` per physical unit. None takes what the data set documents, and refuses a set that
        documents nothing.
    """

    stored_unit: str
    zero: float
    sensitivity: float | None = Field(gt=0)


class Mapping(Section):
    """What the columns of the metadata mean here.

    The first three are templates over the columns of a recording (``"{speed_rpm:g}rpm"``), the labels are
    conditions on them (``"fault_type == 'normal'"``, as for `pandas.DataFrame.query`).

    Attributes
    ----------
    group : str
        Template of the physical unit that a split keeps together.
    condition : str
        Template of the operating condition.
    state : str
        Template of the machine's state.
    healthy, anomalous : str
        A recording that fits neither is uncertain; none may fit both.
    """

    group: str
    condition: str
    state: str
    healthy: str
    anomalous: str


class BearingDatasets(SourceSection):
    """A set built by the package `bearing-datasets`; see `stages.core.recordings.bearing_datasets`.

    Attributes
    ----------
    name : str
        Of the set, and of its folder below the root.
    root : str or None
        Folder of the built sets; None takes the environment variable ``BEARING_DATASETS_ROOT``.
    content_hash : str or None
        ``content_hash`` of the set's manifest. None accepts any content.
    select : str or None
        Condition that keeps a signal; None keeps all.
    channels : tuple of str
        In this order in every session.
    """

    source: Literal["bearing_datasets"]
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    root: str | None
    content_hash: str | None
    select: str | None
    channels: tuple[str, ...] = Field(min_length=1)
    conversion: Conversion
    mapping: Mapping
