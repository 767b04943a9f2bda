"""Section `capture` of the source `serial`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section
from stages.core.schema.source import SourceSection
from stages.core.schema.thousandths import Thousandths


class SerialSession(Section):
    """One session to record.

    Attributes
    ----------
    session_id : str
        Unique; also the file name.
    group, condition, state : str
        As in `stages.core.recordings.session.SessionMeta`.
    label : str
        One of ``labels.classes``, or ``uncertain``, for the whole session.
    duration_s : float
        By the device's sample counter, gaps included.
    """

    session_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=150)
    group: str = Field(min_length=1)
    condition: str = Field(min_length=1)
    state: str = Field(min_length=1)
    label: str
    duration_s: float = Field(gt=0)


class SerialLine(SourceSection):
    """A device on a serial line; see `stages.core.recordings.serial`. `sensor` is what the device must declare.

    Attributes
    ----------
    port : str
        A device, or a URL of pyserial such as ``socket://127.0.0.1:7000``.
    baud : int
        Speed of the line.
    sample_rate_hz : float
        What the device must declare.
    channels : tuple of str
        Names of the device's channels, in its order.
    timeout_s : float
        How long the line may be silent.
    reconnect_s : float
        How long to wait for a device that was unplugged.
    pause_s : float
        Between two sessions, for whoever changes the machine.
    sessions : tuple of SerialSession
        Recorded in this order.
    """

    source: Literal["serial"]
    port: str = Field(min_length=1)
    baud: int = Field(gt=0)
    sample_rate_hz: Thousandths
    channels: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    timeout_s: float = Field(gt=0)
    reconnect_s: float = Field(ge=0)
    pause_s: float = Field(ge=0)
    sessions: tuple[SerialSession, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> SerialLine:
        for what, names in (
            ("channels", self.channels),
            ("sessions.session_id", tuple(session.session_id for session in self.sessions)),
        ):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"{what} has {twice!r} twice")
        return self
