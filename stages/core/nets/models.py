"""The float network: a depthwise-separable 1-D convolutional net that ends in one logit."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from stages.core.errors import ArtifactError
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


def load_weights(model: nn.Module, path: Path) -> None:
    """Give a network the trained weights of a safetensors file.

    Raises
    ------
    ArtifactError
        If the file is missing, truncated or of another architecture.
    """
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ArtifactError(
            found=f"the weights cannot be loaded ({' '.join(str(error).split())[:200]})",
            where=str(path),
            expected="the weights that `train` wrote for the network of conf/model",
            remedy="Run `dvc repro train`",
        ) from None


def build_model(spec: Model, channels: int) -> DsCnn:
    """Build the untrained network for so many input channels; its weights are drawn here, so seed torch first."""
    return DsCnn(spec, channels)
