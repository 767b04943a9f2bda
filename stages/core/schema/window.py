"""Section `window`: how a stream is cut into what the model sees at once."""

from __future__ import annotations

from pydantic import Field

from stages.core.schema.base import Section


class Window(Section):
    """Window length and hop in samples per channel.

    Attributes
    ----------
    length : int
        What the network sees at once.
    hop : int
        A decision is made every `hop` samples.
    """

    length: int = Field(ge=1, le=16384)
    hop: int = Field(ge=1)
