"""Small networks with weights, statistics and windows that exercise the integer arithmetic."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
import torch
from torch import nn

from stages.core.graph.export import export_onnx
from stages.core.nets.models import build_model
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from stages.core.schema.model import DsCnn, Mlp, Model
from stages.core.seeds import seed_torch

SCALE = 2.0**-6
SPEC = DsCnn.model_validate(
    {
        "kind": "ds_cnn",
        "stem": {"channels": 8, "kernel": 7, "stride": 3},
        "blocks": [{"channels": 12, "kernel": 5, "stride": 2}, {"channels": 10, "kernel": 3, "stride": 1}],
    }
)


class Padded(nn.Module):
    """Unequal padding cannot be said in torch; even padding, groups, no ReLU and a mid-network bias can."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(2, 6, 5, stride=2, padding=2)
        self.grouped = nn.Conv1d(6, 9, 3, padding=1, groups=3)
        self.head = nn.Linear(9, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.grouped(self.first(x))).mean(dim=2))


def ds_cnn(channels: int, seed: int = 1, outputs: int = 1) -> nn.Module:
    """A network whose batch-norm statistics and affine parameters are those of no symmetric toy."""
    return _with_statistics(SPEC, channels, outputs, seed)


def mlp(channels: int, outputs: int, seed: int = 1) -> nn.Module:
    """A fully connected network with such statistics."""
    return _with_statistics(Mlp(kind="mlp", hidden=(16, 8)), channels, outputs, seed)


def _with_statistics(spec: Model, channels: int, outputs: int, seed: int) -> nn.Module:
    seed_torch(seed)
    model = build_model(spec, channels, outputs)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.05, 0.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return model.eval()


def windows(n: int, channels: int, length: int, seed: int = 2) -> np.ndarray:
    """Half quiet, half over the whole range, with constant extremes first."""
    rng = np.random.Generator(np.random.PCG64(seed))
    codes = rng.integers(-128, 128, (n, channels, length), dtype=np.int8)
    codes[::2] = np.clip(np.rint(rng.normal(0, 12, codes[::2].shape)), -128, 127)
    codes[0], codes[1] = -128, 127
    codes[2] = np.where(np.arange(length) % 2, 127, -128)
    return codes


def quantised(model: nn.Module, channels: int, length: int, **options: object) -> torch.fx.GraphModule:
    """Quantise after training with ordinary ranges, so that extreme windows saturate."""
    return ptq(model, windows(64, channels, length, seed=3)[4:], QuantOptions(SCALE, **options))  # type: ignore[arg-type]


#: Options that make each precision; None leaves the network in float.
PRECISIONS: dict[str, dict[str, str] | None] = {
    "int8": {},
    "int32 head": {"score": "int32"},
    "int16": {"activation": "int16"},
    "int16, int32 head": {"activation": "int16", "score": "int32"},
    "float": None,
}


@cache
def exported(precision: str) -> bytes:
    """A two-channel network on windows of 128 samples, with two outputs."""
    options = PRECISIONS[precision]
    model = ds_cnn(2, outputs=2)
    return export_onnx(model if options is None else quantised(model, 2, 128, **options), 2, 128, SCALE)


def proto(precision: str) -> onnx.ModelProto:
    """The same, parsed."""
    return onnx.load_from_string(exported(precision))
