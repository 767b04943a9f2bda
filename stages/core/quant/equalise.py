"""Channels scaled to like ranges before quantisation: the same float function, of which int8 codes keep more.

A tensor between two layers has one scale, so a channel that never leaves a tenth of its range has a tenth of the
codes. A layer's output channel may be divided by any positive factor if the next layer's weights for it are multiplied
by the same: ReLU and the mean over length let it through.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.fx import GraphModule, Interpreter, Node

from stages.core.nets.inference import float_scores
from stages.core.quant.ptq import capture
from stages.core.quant.quantizer import CONVOLUTIONS, MOVES, NORMS, RELUS, aten, only_user

#: A channel is never stretched by more than this over the widest one: what it did in calibration is not all it can do.
_WIDEST_STRETCH = 64.0
_PASSING = (*NORMS, *RELUS, *MOVES, aten.mean.dim)


@dataclass(frozen=True)
class _Pair:
    """A layer, the parameters that scale its output, and the weight that reads it.

    Attributes
    ----------
    output : str
        Node whose value the second layer reads, before any mean.
    first : tuple of str
        Parameters with the output channel as first axis: of the batch norm where there is one.
    second : str
    groups : int
        Of the second layer.
    """

    output: str
    first: tuple[str, ...]
    second: str
    groups: int


def equalise(model: nn.Module, codes: NDArray[np.int8], input_scale: float) -> nn.Module:
    """Return a copy of a float network with equal scores and channels of like ranges between its layers.

    With ``r[c]`` the largest magnitude of channel c over the given windows and ``u[c]`` the largest weight that reads
    it, relative to the largest of its output channel, the channel is divided by ``sqrt(r[c] / u[c])``: so activations
    and weights share the loss. Where one input channel is all that an output channel reads, its weight scale follows
    at no loss, and the channel is divided by ``r[c]``.

    Parameters
    ----------
    model : Module
        In evaluation mode.
    codes : ndarray of int8, shape (N, channels, length)
        Calibration windows.
    input_scale : float

    References
    ----------
    M. Nagel et al., "Data-free quantization through weight equalization and bias correction", ICCV 2019; with
    activations measured, as in G. Xiao et al., "SmoothQuant", ICML 2023.
    """
    equalised = copy.deepcopy(model)
    graph = capture(equalised, *codes.shape[1:])
    pairs = [pair for node in graph.graph.nodes if node.target in CONVOLUTIONS for pair in _pairs(node)]
    ranges = _Ranges(graph, [pair.output for pair in pairs])
    float_scores(ranges, codes, input_scale)
    parameters = dict(equalised.named_parameters())
    with torch.no_grad():
        for pair in pairs:
            second = parameters[pair.second]
            factors = _factors(ranges.widest[pair.output], second, pair.groups)
            for name in pair.first:
                parameters[name].div_(factors.reshape(-1, *[1] * (parameters[name].dim() - 1)))
            second.mul_(_by_input(factors, second, pair.groups))
    return equalised


def _pairs(conv: Node) -> list[_Pair]:
    """Follow a convolution's output to the one layer that reads it; none if something else does."""
    scaled, output, node = conv, conv, only_user(conv)
    while node is not None and node.target in _PASSING:
        scaled = node if node.target in NORMS else scaled
        output = node if node.target in (*NORMS, *RELUS) else output
        node = only_user(node)
    first = tuple(str(each.target) for each in scaled.args[1:3] if isinstance(each, Node))
    if node is None or node.target not in (*CONVOLUTIONS, aten.linear.default) or not first:
        return []
    groups = node.args[6] if node.target in CONVOLUTIONS and len(node.args) > 6 else 1
    weight: Any = node.args[1]
    return [_Pair(output.name, first, str(weight.target), groups)]  # type: ignore[arg-type]


def _factors(widest: torch.Tensor, weight: torch.Tensor, groups: int) -> torch.Tensor:
    if weight.shape[1] == 1 and groups > 1:
        factors = widest
    else:
        magnitude = weight.detach().abs().reshape(len(weight), weight.shape[1], -1).amax(dim=2)
        relative = magnitude / magnitude.amax(dim=1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
        use = relative.reshape(groups, -1, weight.shape[1]).amax(dim=1).reshape(-1)
        factors = torch.sqrt(widest / use.clamp_min(1 / _WIDEST_STRETCH))
    largest = factors.max()
    return (factors / largest).clamp_min(1 / _WIDEST_STRETCH) if largest > 0 else torch.ones_like(factors)


def _by_input(factors: torch.Tensor, weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Lay factors of the input channels out as the weight is, whose second axis counts within a group."""
    per_output = factors.reshape(groups, weight.shape[1]).repeat_interleave(len(weight) // groups, dim=0)
    return per_output.reshape(*weight.shape[:2], *[1] * (weight.dim() - 2))


class _Ranges(nn.Module):
    """Runs a graph and keeps the largest magnitude of each channel of some nodes."""

    def __init__(self, graph: GraphModule, outputs: list[str]) -> None:
        super().__init__()
        self._graph = graph
        self.widest: dict[str, torch.Tensor] = dict.fromkeys(outputs, torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the graph's output."""
        ranges = self

        class Recorder(Interpreter):
            def run_node(self, n: Node) -> Any:
                value = super().run_node(n)
                if n.name in ranges.widest:
                    seen = value.detach().abs().amax(dim=(0, 2))
                    ranges.widest[n.name] = torch.maximum(ranges.widest[n.name], seen)
                return value

        result: torch.Tensor = Recorder(self._graph).run(x)
        return result
