"""Section `convert`: choices in the generated C that change no result."""

from __future__ import annotations

from pydantic import Field

from stages.core.schema.base import Section


class Convert(Section):
    """How the network is laid out for the device.

    Attributes
    ----------
    streaming_layers : int
        Convolutions next to the input that keep their output from one window to the next; 0 for none.
    """

    streaming_layers: int = Field(ge=0)
