"""The float networks. Each ends in one logit per class above the first, as `stages.core.schema.labels` says of what."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from stages.core.errors import ArtifactError
from stages.core.schema import model as spec
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
    """Stem, separable blocks, global average pool, head.

    Parameters
    ----------
    model : schema.model.DsCnn
    channels, outputs : int
    """

    def __init__(self, model: spec.DsCnn, channels: int, outputs: int) -> None:
        super().__init__()
        self.stem = ConvUnit(channels, model.stem)
        inputs = [model.stem.channels, *(block.channels for block in model.blocks)]
        self.block = nn.ModuleList(SeparableBlock(n, block) for n, block in zip(inputs, model.blocks, strict=False))
        self.head = nn.Linear(inputs[-1], outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of each window.

        Parameters
        ----------
        x : Tensor of float32, shape (N, channels, length)
            Input codes times the input scale.

        Returns
        -------
        Tensor of float32, shape (N, outputs)
        """
        x = self.stem(x)  # [N, C, L]
        for block in self.block:
            x = block(x)
        return self.head(x.mean(dim=2))


class Mlp(nn.Module):
    """Fully connected layers, written as 1x1 convolutions over frames, global average pool, head.

    Parameters
    ----------
    model : schema.model.Mlp
    channels, outputs : int
    """

    def __init__(self, model: spec.Mlp, channels: int, outputs: int) -> None:
        super().__init__()
        widths = [channels, *model.hidden]
        self.hidden = nn.ModuleList(
            ConvUnit(inputs, Layer(channels=width, kernel=1, stride=1))
            for inputs, width in zip(widths, model.hidden, strict=False)
        )
        self.head = nn.Linear(widths[-1], outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of each window, shape (N, outputs); x as for `DsCnn`."""
        for unit in self.hidden:
            x = unit(x)
        return self.head(x.mean(dim=2))


def load_model(model: Model, channels: int, outputs: int, path: Path) -> nn.Module:
    """Rebuild a trained network from its safetensors file, in evaluation mode; parameters as of `build_model`.

    Raises
    ------
    ArtifactError
        If the file is missing, truncated or of another architecture.
    """
    network = build_model(model, channels, outputs)
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ArtifactError(
            found=f"the weights cannot be loaded ({' '.join(str(error).split())[:200]})",
            where=str(path),
            expected="the weights that `train` wrote for the network of conf/model",
            remedy="Run `dvc repro train`",
        ) from None
    return network.eval()


def build_model(model: Model, channels: int, outputs: int) -> nn.Module:
    """Build the untrained network of a configuration; its weights are drawn here, so seed torch first."""
    return DsCnn(model, channels, outputs) if isinstance(model, spec.DsCnn) else Mlp(model, channels, outputs)
