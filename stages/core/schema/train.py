"""Section `train`: the float model's training."""

from __future__ import annotations

from pydantic import Field

from stages.core.schema.augment import Augment
from stages.core.schema.base import Section
from stages.core.schema.threshold import Threshold


class Train(Section):
    """Optimisation of the float model.

    Attributes
    ----------
    epochs : int
        At most; training stops early.
    patience : int
        Epochs without a lower val loss before it stops.
    batch_size : int
    lr : float
        Peak learning rate of AdamW; it falls to zero along a cosine.
    weight_decay : float
    threshold : Threshold
    augment : Augment or None
        How training windows are varied; None trains on them as they are.
    """

    epochs: int = Field(ge=1, le=1000)
    patience: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0, le=1)
    weight_decay: float = Field(ge=0)
    threshold: Threshold
    augment: Augment | None
