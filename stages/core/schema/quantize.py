"""Section `quantize`: calibration, observers, QAT, and the ladder of precisions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section


class Calibration(Section):
    """The training windows that activation ranges are measured on.

    Attributes
    ----------
    windows : int
        Half healthy, half anomalous, evenly spaced over the training windows of each class.
    """

    windows: int = Field(ge=2)


class Qat(Section):
    """Quantisation-aware fine-tuning from the float model.

    Attributes
    ----------
    epochs : int
    frozen_epochs : int
        The last epochs, in which activation ranges no longer move.
    lr_factor : float
        Learning rate relative to ``train.lr``.
    observer : {"minmax", "moving_average"}
        How activation ranges follow the training batches.
    """

    epochs: int = Field(ge=1, le=100)
    frozen_epochs: int = Field(ge=0)
    lr_factor: float = Field(gt=0, le=1)
    observer: Literal["minmax", "moving_average"]

    @model_validator(mode="after")
    def _ranges_are_observed(self) -> Qat:
        if self.frozen_epochs >= self.epochs:
            raise ValueError(
                f"frozen_epochs ({self.frozen_epochs}) leaves none of {self.epochs} epochs to observe ranges in"
            )
        return self


class Quantize(Section):
    """How the float model becomes int8.

    Attributes
    ----------
    ladder : tuple of {"ptq", "qat"}
        Tried in this order; the first that passes the gate ships.
    observer : {"minmax", "histogram", "moving_average"}
        How an activation range is taken from the calibration windows.
    per_channel : bool
        Weight scales per output channel, or one per tensor.
    """

    ladder: tuple[Literal["ptq", "qat"], ...] = Field(min_length=1)
    observer: Literal["minmax", "histogram", "moving_average"]
    per_channel: bool
    calibration: Calibration
    qat: Qat
