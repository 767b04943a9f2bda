"""Section `train`: the float model's training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.core.schema.augment import Augment
from stages.core.schema.base import Section
from stages.core.schema.threshold import Threshold


class Loss(Section):
    """What training minimises.

    Attributes
    ----------
    kind : {"weighted", "focal"}
        Binary cross-entropy in which both answers to each output's question weigh the same; or that with less weight
        on windows that are already told well.
    gamma : float or None
        Of focal: the power of a window's error that its loss is multiplied by; 0 makes it the weighted loss.
    smoothing : float
        Share of each target that is spread over both answers; 0 leaves targets as they are.
    """

    kind: Literal["weighted", "focal"]
    gamma: float | None = Field(ge=0, le=10)
    smoothing: float = Field(ge=0, lt=1)

    @model_validator(mode="after")
    def _gamma_belongs_to_focal(self) -> Loss:
        if (self.kind == "focal") != (self.gamma is not None):
            raise ValueError(f"the loss {self.kind} {'needs a gamma' if self.gamma is None else 'has no gamma'}")
        return self


#: How an epoch's windows are drawn: each once; each class equally often; within a class, each unit equally often too.
Sampling = Literal["shuffled", "balanced", "balanced_units"]


class Polish(Section):
    """Full-batch L-BFGS after the last epoch; for networks and training sets that are small.

    Attributes
    ----------
    iterations : int
        At most.
    l2 : float
        Weight of the sum of all squared parameters beside the loss.
    noisy_copies : int
        How often each window comes again, with noise.
    noise : float
        Standard deviation of that noise, in input codes.
    """

    iterations: int = Field(ge=1)
    l2: float = Field(ge=0)
    noisy_copies: int = Field(ge=0, le=20)
    noise: float = Field(ge=0, le=64)


class Train(Section):
    """Optimisation of the float model.

    Attributes
    ----------
    epochs : int
        At most; training stops early.
    patience : int
        Epochs without a lower val loss before it stops.
    restarts : int
        Further initialisations to train; the network of the lowest val loss is kept.
    batch_size : int
        Windows of a step.
    lr : float
        Peak learning rate of AdamW; it falls to zero along a cosine.
    weight_decay : float
        Of AdamW.
    loss : Loss
    sampling : {"shuffled", "balanced", "balanced_units"}
        How an epoch's windows are drawn: each once; each class equally often; within a class, each unit equally often
        too.
    threshold : Threshold
    augment : Augment or None
        How training windows are varied; None trains on them as they are.
    polish : Polish or None
        How the weights that the epochs found are finished, if at all.
    """

    epochs: int = Field(ge=1, le=1000)
    patience: int = Field(ge=1)
    restarts: int = Field(ge=0, le=100)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0, le=1)
    weight_decay: float = Field(ge=0)
    loss: Loss
    sampling: Sampling
    threshold: Threshold
    augment: Augment | None
    polish: Polish | None
