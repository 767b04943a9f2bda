"""Section `quantize`: calibration, observers, QAT, and the ladder of precisions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.core.schema.base import Section
from stages.core.schema.pruning import Pruning

Rung = Literal["pruned", "ptq", "qat", "int16", "float"]
Observer = Literal["minmax", "histogram", "percentile", "entropy", "moving_average"]


class Calibration(Section):
    """The training windows that activation ranges are measured on.

    Attributes
    ----------
    design : {"healthy_only", "representative", "near_threshold"}
        See `stages.core.quant.calibration.choose_rows`.
    windows : int
        At most.
    """

    design: Literal["healthy_only", "representative", "near_threshold"]
    windows: int = Field(ge=2)


class Qat(Section):
    """Quantisation-aware fine-tuning from the float model.

    Attributes
    ----------
    epochs : int
        All in all.
    frozen_epochs : int
        The last epochs, before which activation ranges are not measured again.
    lr_factor : float
        Learning rate relative to ``train.lr``.
    distillation : float
        Weight of the distance from the float model's scores; the rest is the training loss on labels.
    """

    epochs: int = Field(ge=1, le=100)
    frozen_epochs: int = Field(ge=0)
    lr_factor: float = Field(gt=0, le=1)
    distillation: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _ranges_are_measured(self) -> Qat:
        if self.frozen_epochs >= self.epochs:
            raise ValueError(
                f"frozen_epochs ({self.frozen_epochs}) leaves none of {self.epochs} epochs to measure ranges before"
            )
        return self


class Quantize(Section):
    """How the float model becomes one that the device runs.

    Attributes
    ----------
    ladder : tuple of {"pruned", "ptq", "qat", "int16", "float"}
        Tried in this order, each once; the first that passes the gate ships.
    equalise : bool
        Scale the channels between layers to like ranges first, which leaves the float model's scores as they are.
    observer : {"minmax", "histogram", "percentile", "entropy", "moving_average"}
        How an activation range is taken from the calibration windows.
    percentile_share : float
        Share of the values within a range of the percentile observer.
    per_channel : bool
        Weight scales per output channel, or one per tensor.
    score : {"int8", "int32"}
        What an int8 rung returns: a code of 256, or the last layer's accumulator.
    calibration : Calibration
    qat : Qat
    pruning : Pruning or None
        How the rung ``pruned`` is made.
    """

    ladder: tuple[Rung, ...] = Field(min_length=1)
    equalise: bool
    observer: Observer
    percentile_share: float = Field(gt=0.5, lt=1)
    per_channel: bool
    score: Literal["int8", "int32"]
    calibration: Calibration
    qat: Qat
    pruning: Pruning | None

    @model_validator(mode="after")
    def _rungs_are_distinct(self) -> Quantize:
        if len(set(self.ladder)) < len(self.ladder):
            raise ValueError(f"the ladder names a rung twice: {', '.join(self.ladder)}")
        return self
