"""Section `quantize.pruning`: taking output channels out of the float network before it is quantised."""

from __future__ import annotations

from pydantic import Field

from stages.core.schema.base import Section


class Pruning(Section):
    """Structured pruning, in steps with training in between.

    Attributes
    ----------
    share : float
        Of each layer's output channels, the most that go.
    steps : int
        In equal parts of the share.
    epochs_per_step : int
        Of training after each step.
    lr_factor : float
        Peak learning rate of that training relative to ``train.lr``.
    multiple : int
        Widths are rounded up to a multiple of it, since kernels work on several channels at a time: 4 suits a
        word of int8 codes, 1 rounds nothing.
    """

    share: float = Field(gt=0, le=0.95)
    steps: int = Field(ge=1, le=100)
    epochs_per_step: int = Field(ge=1, le=100)
    lr_factor: float = Field(gt=0, le=1)
    multiple: int = Field(ge=1, le=64)
