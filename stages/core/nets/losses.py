"""What training minimises. Each output answers a yes-or-no question, so every loss is one of binary answers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from stages.core.schema.train import Loss

#: Takes logits and targets, both of shape (batch, outputs), and returns a scalar.
LossFunction = Callable[[Tensor, Tensor], Tensor]

#: Errors below it count as it; at an error of 0, a power below 1 has no gradient.
_SMALLEST_ERROR = 2.0**-24


def loss_function(settings: Loss, targets: NDArray[np.int8]) -> LossFunction:
    """Return the configured loss, both answers to each output's question weighing the same.

    Parameters
    ----------
    settings : schema.train.Loss
    targets : ndarray of int8, shape (windows, outputs)
        Of the windows of one epoch; they give the weights.
    """
    weighted = weighted_loss(targets)
    base: LossFunction = weighted if settings.gamma is None else focal_loss(weighted, settings.gamma)
    return lambda logits, answers: base(logits, smooth(answers, settings.smoothing))


def weighted_loss(targets: NDArray[np.int8]) -> nn.BCEWithLogitsLoss:
    """Return binary cross-entropy in which both answers to each output's question weigh the same.

    Parameters
    ----------
    targets : ndarray of int8, shape (windows, outputs)
    """
    positive = targets.sum(axis=0).astype(np.float64)
    return nn.BCEWithLogitsLoss(pos_weight=torch.tensor((len(targets) - positive) / positive, dtype=torch.float32))


def focal_loss(weighted: nn.BCEWithLogitsLoss, gamma: float) -> LossFunction:
    """Return the mean of ``|y - p|**gamma`` times the weighted cross-entropy, with ``p = sigmoid(logit)``.

    Parameters
    ----------
    weighted : BCEWithLogitsLoss
        Gives the weights.
    gamma : float
        0 leaves the weighted loss as it is.

    References
    ----------
    T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, whose ``1 - p_t`` is ``|y - p|``; for smoothed
    targets, X. Li et al., "Generalized focal loss", NeurIPS 2020.
    """

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        each = functional.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=weighted.pos_weight, reduction="none"
        )
        error = (targets - torch.sigmoid(logits)).abs().clamp(min=_SMALLEST_ERROR)
        return (error**gamma * each).mean()

    return loss


def smooth(targets: Tensor, share: float) -> Tensor:
    """Spread a share of each target over both answers: ``(1 - share) * y + share / 2``.

    The targets of ordered classes stay ordered: the answer for a class is never above that for a less severe one.

    References
    ----------
    C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7.
    """
    return (1 - share) * targets + share / 2
