"""What a network takes on a device once it is int8, by its shape alone: known before it is quantised or built."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

#: The least relative saving of weights, work or memory for which a smaller network is worth its place.
WORTHWHILE = 0.05

#: Beside its int8 weights, an output channel has an int32 bias and a float32 multiplier.
_BYTES_PER_CHANNEL = 8


@dataclass(frozen=True)
class Costs:
    """What an int8 network takes.

    Attributes
    ----------
    weight_bytes : int
        Weights, biases and multipliers.
    macs : int
        Multiplications of a weight and an activation per window.
    arena_bytes : int
        The most activations alive at once, a layer's input and its output. A plan may add a few bytes of alignment, and
        needs fewer where a layer works in place.
    """

    weight_bytes: int
    macs: int
    arena_bytes: int


def costs(model: nn.Module, length: int) -> Costs:
    """Count what a network of `build_model` takes.

    Parameters
    ----------
    model : Module
    length : int
        Of a window, in frames.
    """
    layers = [module for module in model.modules() if isinstance(module, nn.Conv1d | nn.Linear)]
    sizes: list[int] = []  # bytes of the input, and of what each operation writes
    macs = 0
    for layer in layers:
        if isinstance(layer, nn.Linear):
            length = 1
            sizes += [layer.in_features, layer.out_features]  # the pool before the head, and the head
        else:
            sizes += [] if sizes else [layer.in_channels * length]
            length = (length - layer.kernel_size[0]) // layer.stride[0] + 1
            sizes.append(layer.out_channels * length)
        macs += layer.weight.numel() * length
    weights = sum(layer.weight.numel() + _BYTES_PER_CHANNEL * len(layer.weight) for layer in layers)
    return Costs(weights, macs, max(before + after for before, after in pairwise(sizes)))


def worthwhile(before: Costs, after: Costs) -> bool:
    """Tell whether a smaller network saves at least 5 % of weights, work or memory."""
    pairs = (
        (before.weight_bytes, after.weight_bytes),
        (before.macs, after.macs),
        (before.arena_bytes, after.arena_bytes),
    )
    return any(small <= (1 - WORTHWHILE) * large for large, small in pairs)
