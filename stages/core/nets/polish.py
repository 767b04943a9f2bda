"""Finishing a small network by a quasi-Newton method."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stages.core.dsp.contract import INPUT_SCALE
from stages.core.nets.losses import LossFunction
from stages.core.schema.train import Polish

#: Pairs of steps and gradient changes that stand for the curvature; a small network can afford many.
_HISTORY = 50


def polish(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    loss_of: LossFunction,
    settings: Polish,
    generator: torch.Generator,
) -> None:
    """Minimise the loss of all windows at once, in place, with a penalty on the squares of all parameters.

    Steps along gradients of batches stall where a few hundred parameters are badly conditioned; L-BFGS does not.
    Batch normalisation keeps its statistics, so it is a linear map here. Arithmetic is float64: near the end, the
    losses that a line search compares agree in the digits that float32 has. What fits all windows so well needs
    something against fitting them too well: the penalty, and copies of the windows with noise.

    Parameters
    ----------
    model : Module
        In evaluation mode, float32; left so.
    inputs : Tensor of float32, shape (windows, channels, length)
    targets : Tensor of float32, shape (windows, outputs)
    loss_of : callable
    settings : schema.train.Polish
    generator : torch.Generator
        Of the noise.

    References
    ----------
    D. C. Liu and J. Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical
    Programming 45, 1989.
    """
    model.double()
    spread = settings.noise * INPUT_SCALE
    noisy = [inputs + spread * torch.randn(inputs.shape, generator=generator) for _ in range(settings.noisy_copies)]
    inputs = torch.cat([inputs, *noisy]).double()
    targets = targets.double().repeat(1 + settings.noisy_copies, 1)
    parameters = list(model.parameters())
    optimizer = torch.optim.LBFGS(
        parameters, max_iter=settings.iterations, history_size=_HISTORY, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        penalty = sum((parameter.square().sum() for parameter in parameters), torch.zeros((), dtype=torch.float64))
        loss = loss_of(model(inputs), targets) + settings.l2 * penalty
        loss.backward()
        return loss

    optimizer.step(objective)
    model.float()
