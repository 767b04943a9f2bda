"""The float network: a depthwise-separable 1-D convolutional net that ends in one logit."""

from __future__ import annotations

import torch
from torch import nn

from stages.core.schema.model import Layer, Model


class ConvUnit(nn.Module):
    """A convolution without padding, batch normalisation (folded into it by quantisation) and ReLU."""

    def __init__(self, inputs: int, layer: Layer, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, layer.channels, layer.kernel, layer.stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm1d(layer.channels)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the unit's activations; x: [N, C, L]."""
        return self.relu(self.norm(self.conv(x)))


class SeparableBlock(nn.Module):
    """A depthwise and a 1x1 convolution, each a `ConvUnit`."""

    def __init__(self, inputs: int, layer: Layer) -> None:
        super().__init__()
        self.depthwise = ConvUnit(inputs, layer.model_copy(update={"channels": inputs}), groups=inputs)
        self.pointwise = ConvUnit(inputs, layer.model_copy(update={"kernel": 1, "stride": 1}))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's activations; x: [N, C, L]."""
        return self.pointwise(self.depthwise(x))


class DsCnn(nn.Module):
    """Stem, separable blocks, global average pool, one logit.

    Parameters
    ----------
    spec : Model
    channels : int
        Input channels.
    """

    def __init__(self, spec: Model, channels: int) -> None:
        super().__init__()
        self.stem = ConvUnit(channels, spec.stem)
        inputs = [spec.stem.channels, *(block.channels for block in spec.blocks)]
        self.block = nn.ModuleList(SeparableBlock(n, block) for n, block in zip(inputs, spec.blocks, strict=False))
        self.head = nn.Linear(inputs[-1], 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return one logit per window.

        Parameters
        ----------
        x : Tensor of float32, shape (N, channels, length)
            Input codes times the input scale.

        Returns
        -------
        Tensor of float32, shape (N, 1)
        """
        x = self.stem(x)  # [N, C, L]
        for block in self.block:
            x = block(x)
        return self.head(x.mean(dim=2))


def build_model(spec: Model, channels: int) -> DsCnn:
    """Build the untrained network for so many input channels; its weights are drawn here, so seed torch first."""
    return DsCnn(spec, channels)
