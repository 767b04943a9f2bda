"""Quantisation-aware training: the float network trained on through the rounding that the device will do.

Batch norm is folded into the convolutions before training, so what is trained are the very weights and biases
that ship, and batch statistics cannot move under them. Calibration and training share one path: the observers
merely round as well.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.fx import GraphModule
from torchao.quantization.pt2e import FakeQuantizeBase
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from stages.core.errors import ConfigError
from stages.core.nets.inference import dequantise
from stages.core.quant.ptq import capture
from stages.core.quant.quantizer import DeviceQuantizer, QuantOptions
from stages.core.seeds import derive_seed, seed_torch

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class QatOptions:
    """How to train on.

    Attributes
    ----------
    epochs : int
    frozen_epochs : int
        The last epochs, in which activation ranges stay as they are, so that the weights settle on the very
        constants that ship.
    batch : int
        Windows per step.
    learning_rate : float
        Usually a tenth of the float training's.
    seed : int
    """

    epochs: int
    frozen_epochs: int
    batch: int
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class QatResult:
    """A trained network, in both of its forms.

    Attributes
    ----------
    fake_quantised : GraphModule
        Float arithmetic with fake quantisation, as trained; ranges frozen.
    converted : GraphModule
        Quantise and dequantise operators and int8 weights.
    """

    fake_quantised: GraphModule
    converted: GraphModule


def qat(
    model: nn.Module,
    codes: NDArray[np.int8],
    targets: NDArray[np.float32],
    quant: QuantOptions,
    training: QatOptions,
    loss: Loss,
    on_epoch: Callable[[int, float], None] = lambda epoch, mean_loss: None,
) -> QatResult:
    """Train a float network on with fake quantisation, then convert it.

    Parameters
    ----------
    model : Module
        The trained float network; it is copied, not changed.
    codes : ndarray of int8, shape (N, channels, length)
        Training windows; may be memory-mapped.
    targets : ndarray of float32, shape (N, outputs)
    quant : QuantOptions
    training : QatOptions
    loss : callable
        Takes logits and targets, both of shape (batch, outputs), and returns a scalar.
    on_epoch : callable
        Called with the epoch, from 0, and its mean training loss.

    Returns
    -------
    QatResult

    Raises
    ------
    ConfigError
        If there are fewer windows than one batch, or no epoch that is not frozen.
    """
    _check(training, len(codes))
    seed_torch(derive_seed(training.seed, "qat"))
    _, channels, length = codes.shape
    captured = capture(copy.deepcopy(model), channels, length)
    prepared = prepare_pt2e(captured, DeviceQuantizer(quant, training=True))
    prepared.requires_grad_(True)  # folding leaves the biases without gradient
    optimizer = torch.optim.Adam(prepared.parameters(), lr=training.learning_rate)
    for epoch in range(training.epochs):
        if epoch == training.epochs - training.frozen_epochs:
            _freeze(prepared)
        losses = [
            _step(prepared, optimizer, loss, dequantise(codes[rows], quant.input_scale), targets[rows])
            for rows in _batches(len(codes), training, epoch)
        ]
        on_epoch(epoch, float(np.mean(losses)))
    _freeze(prepared)
    with torch.no_grad():  # weight scales follow the weights one forward pass late
        prepared(dequantise(codes[: training.batch], quant.input_scale))
    return QatResult(prepared, convert_pt2e(copy.deepcopy(prepared)))


def _check(training: QatOptions, n_windows: int) -> None:
    if not 0 <= training.frozen_epochs < training.epochs:
        raise ConfigError(
            found=f"{training.frozen_epochs} of {training.epochs} epochs are to be frozen",
            where="quantisation-aware training",
            expected="fewer than there are epochs, so that activation ranges are observed at all",
            remedy="Lower frozen_epochs in conf/quantize",
        )
    if n_windows < training.batch:
        raise ConfigError(
            found=f"there are {n_windows} training windows for batches of {training.batch}",
            where="quantisation-aware training",
            expected="at least one full batch",
            remedy="Lower train.batch_size, or record more data",
        )


def _batches(n_windows: int, training: QatOptions, epoch: int) -> Iterator[NDArray[np.int64]]:
    """Yield full batches in a seeded order; sorted rows keep reads of a memory-mapped file sequential."""
    rng = np.random.Generator(np.random.PCG64(derive_seed(training.seed, "qat", "epoch", epoch)))
    order = rng.permutation(n_windows)
    for start in range(0, n_windows - training.batch + 1, training.batch):
        yield np.sort(order[start : start + training.batch])


def _step(
    model: GraphModule, optimizer: torch.optim.Optimizer, loss: Loss, inputs: torch.Tensor, targets: NDArray[np.float32]
) -> float:
    optimizer.zero_grad()
    value = loss(model(inputs), torch.from_numpy(np.asarray(targets, dtype=np.float32)))
    value.backward()
    optimizer.step()
    return float(value.detach())


def _freeze(model: GraphModule) -> None:
    """Fix the activation ranges; weight scales keep following the weights. Idempotent."""
    for module in model.modules():
        if isinstance(module, FakeQuantizeBase) and getattr(module, "qscheme", None) == torch.per_tensor_affine:
            module.disable_observer()
