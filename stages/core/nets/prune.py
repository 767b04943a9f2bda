"""Structured pruning: whole output channels leave the network, which then is a smaller one of the same kind.

The channels with the smallest weights go first: H. Li et al., "Pruning filters for efficient ConvNets", ICLR 2017.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stages.core.nets.examples import Examples
from stages.core.nets.loop import Epoch, fit
from stages.core.nets.models import ConvUnit, SeparableBlock, build_model
from stages.core.schema.model import DsCnn, Model
from stages.core.schema.pruning import Pruning
from stages.core.schema.train import Train
from stages.core.seeds import derive_seed, seed_torch


@dataclass(frozen=True)
class Step:
    """What one step of pruning came to.

    Attributes
    ----------
    step : int
        From 1.
    widths : tuple of int
        Output channels of each layer, as in `widths_of`.
    val_loss : float
        Of the weights that were kept.
    """

    step: int
    widths: tuple[int, ...]
    val_loss: float


def prune(
    model: nn.Module,
    section: Model,
    train: Examples,
    val: Examples,
    settings: Train,
    pruning: Pruning,
    seed: int,
    on_step: Callable[[Step], None] = lambda step: None,
) -> tuple[nn.Module, Model]:
    """Take channels out step by step, and train on after each step.

    Parameters
    ----------
    model : Module
        The trained float network, as `build_model` makes it of `section`; it is copied, not changed.
    section : schema.model.DsCnn or Mlp
    train, val : Examples
    settings : Train
        Of the float training; epochs and learning rate are those of `pruning`.
    pruning : Pruning
    seed : int
    on_step : callable
        Told of every step that took channels out.

    Returns
    -------
    Module
        The smaller network, in evaluation mode; the given one if the share is too small to take out a channel.
    schema.model.DsCnn or Mlp
        Its architecture.

    Raises
    ------
    TrainingError
        If the loss diverges.
    """
    seed_torch(derive_seed(seed, "prune"))
    model, full = copy.deepcopy(model), widths_of(section)
    tuned = settings.model_copy(update={"epochs": pruning.epochs_per_step, "lr": settings.lr * pruning.lr_factor})
    for step in range(1, pruning.steps + 1):
        share = pruning.share * step / pruning.steps
        widths = tuple(_width(width, share, pruning.multiple) for width in full)
        if widths == widths_of(section):
            continue
        model, section = shrink(model, section, widths)
        history: list[Epoch] = []
        generator = torch.Generator().manual_seed(derive_seed(seed, "prune", step))
        fit(model, train, val, tuned, generator=generator, on_epoch=history.append)
        on_step(Step(step, widths, min(epoch.val_loss for epoch in history)))
    return model.eval(), section


def _width(full: int, share: float, multiple: int) -> int:
    """Return how many channels stay when a share of them goes, rounded up to a multiple."""
    # The margin undoes rounding: 10 * (1 - 0.7) is above 3 and must not become 4.
    return min(full, multiple * math.ceil((full * (1 - share) - 1e-9) / multiple))


def widths_of(section: Model) -> tuple[int, ...]:
    """Return the output channels of the layers that can be pruned: stem and 1x1 convolutions, or hidden layers."""
    if isinstance(section, DsCnn):
        return (section.stem.channels, *(block.channels for block in section.blocks))
    return section.hidden


def shrink(model: nn.Module, section: Model, widths: Sequence[int]) -> tuple[nn.Module, Model]:
    """Keep the channels of each layer whose weights, scaled by batch norm, have the largest L1 norms.

    Parameters
    ----------
    model : Module
        As `build_model` makes it of `section`.
    section : schema.model.DsCnn or Mlp
    widths : sequence of int
        How many channels stay in each layer, as in `widths_of`.

    Returns
    -------
    Module
        It computes what the given one does when the other channels are zero.
    schema.model.DsCnn or Mlp
        Its architecture.
    """
    section = _with_widths(section, widths)
    old: Any = model
    layers = _layers(old)
    channels = layers[0][0].conv.in_channels
    new: Any = build_model(section, channels, old.head.out_features)
    kept, left = torch.arange(channels), iter(widths)
    with torch.no_grad():
        for (layer, depthwise), (smaller, _) in zip(layers, _layers(new), strict=True):
            inputs = torch.arange(1) if depthwise else kept
            kept = kept if depthwise else _largest(layer, next(left))
            _copy(layer, smaller, kept, inputs)
        new.head.weight.copy_(old.head.weight[:, kept])
        new.head.bias.copy_(old.head.bias)
    return new, section


def _with_widths(section: Model, widths: Sequence[int]) -> Model:
    if not isinstance(section, DsCnn):
        return section.model_copy(update={"hidden": tuple(widths)})
    stem, *blocks = (
        layer.model_copy(update={"channels": width})
        for layer, width in zip((section.stem, *section.blocks), widths, strict=True)
    )
    return section.model_copy(update={"stem": stem, "blocks": tuple(blocks)})


def _layers(model: nn.Module) -> list[tuple[ConvUnit, bool]]:
    """List the convolutions from input to output, and whether each is depthwise: its channels are its input's."""
    depthwise = {block.depthwise for block in model.modules() if isinstance(block, SeparableBlock)}
    return [(unit, unit in depthwise) for unit in model.modules() if isinstance(unit, ConvUnit)]


def _largest(layer: ConvUnit, width: int) -> Tensor:
    """Return the output channels with the largest L1 norms, ascending; of equals, the first."""
    norm: Any = layer.norm
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    norms = layer.conv.weight.abs().sum(dim=(1, 2)) * scale.abs()
    return torch.argsort(norms, descending=True, stable=True)[:width].sort().values


def _copy(layer: ConvUnit, smaller: ConvUnit, outputs: Tensor, inputs: Tensor) -> None:
    smaller.conv.weight.copy_(layer.conv.weight[outputs][:, inputs])
    for name, values in layer.norm.state_dict().items():
        smaller.norm.state_dict()[name].copy_(values[outputs] if values.ndim else values)
