"""The sensor that turns physical units into counts."""

from __future__ import annotations

from pydantic import Field

from stages.core.schema.base import Section


class Sensor(Section):
    """The sensor whose ADC turns physical units into counts.

    Attributes
    ----------
    unit : str
        Physical unit of the signal.
    full_scale : float
        The range is ``-full_scale .. full_scale`` in `unit`.
    bits : int
        Resolution of the ADC over the whole range.
    device, firmware, mounting : str
        Recorded with each session.
    """

    unit: str
    full_scale: float = Field(gt=0)
    bits: int = Field(ge=8, le=16)
    device: str
    firmware: str
    mounting: str

    @property
    def counts_per_unit(self) -> float:
        """Gain of the ADC: ``2**(bits-1)`` counts for `full_scale`."""
        return 2 ** (self.bits - 1) / self.full_scale
