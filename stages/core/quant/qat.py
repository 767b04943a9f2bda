"""Quantisation-aware training: the float network trained on through the rounding that the device will do.

Batch norm is folded into the convolutions before training, so what is trained are the very weights and biases
that ship, and batch statistics cannot move under them. Activation ranges are measured as post-training quantisation
measures them, on the same windows, before an epoch; within it they are constants. So training begins exactly at the
post-training network. After every epoch the network as trained is compared with what would ship.
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
from torchao.quantization.pt2e import FakeQuantize
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from stages.core.errors import ConfigError
from stages.core.evenly import evenly
from stages.core.graph.export import export_onnx
from stages.core.nets.inference import dequantise, float_scores
from stages.core.quant.equality import Equality, check_quantised
from stages.core.quant.ptq import capture, round_biases
from stages.core.quant.quantizer import DeviceQuantizer, QuantOptions
from stages.core.seeds import derive_seed, seed_torch

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

#: Windows on which the forms of the network are compared.
_COMPARED = 128


@dataclass(frozen=True)
class QatOptions:
    """How to train on.

    Attributes
    ----------
    epochs : int
    frozen_epochs : int
        The last epochs, before which activation ranges are not measured again, so that the weights settle on the
        very constants that ship.
    batch : int
        Windows per step.
    learning_rate : float
        At most a tenth of the float training's.
    seed : int
    distillation : float
        From 0 to 1: weight of the squared distance from the float network's logits, in units of their variance;
        the loss on targets has the rest.
    """

    epochs: int
    frozen_epochs: int
    batch: int
    learning_rate: float
    seed: int
    distillation: float = 0.0


@dataclass(frozen=True)
class QatResult:
    """A trained network, in each of its forms.

    Attributes
    ----------
    fake_quantised : GraphModule
        Float arithmetic with fake quantisation, as trained; ranges fixed.
    converted : GraphModule
        Quantise and dequantise operators and int8 weights.
    exported : bytes
        The same as ONNX.
    equalities : tuple of tuple of Equality
        After each epoch: fake-quantised, converted and exported compared.
    """

    fake_quantised: GraphModule
    converted: GraphModule
    exported: bytes
    equalities: tuple[tuple[Equality, ...], ...]


def qat(
    model: nn.Module,
    codes: NDArray[np.int8],
    targets: NDArray[np.float32],
    quant: QuantOptions,
    training: QatOptions,
    loss: Loss,
    on_epoch: Callable[[int, float], None] = lambda epoch, mean_loss: None,
    *,
    calibration: NDArray[np.int8] | None = None,
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
    calibration : ndarray of int8, shape (M, channels, length), optional
        Windows on which activation ranges are measured, and on some of which the forms of the network are compared
        after each epoch; all training windows by default.

    Returns
    -------
    QatResult

    Raises
    ------
    ConfigError
        If there are fewer windows than one batch, or no epoch that is not frozen.
    ParityBroken
        If what would ship does not score as what was trained.

    References
    ----------
    Distillation: A. Mishra and D. Marr, "Apprentice: using knowledge distillation techniques to improve
    low-precision network accuracy", ICLR 2018.
    """
    _check(training, len(codes))
    seed_torch(derive_seed(training.seed, "qat"))
    _, channels, length = codes.shape
    prepared = prepare_pt2e(capture(copy.deepcopy(model), channels, length), DeviceQuantizer(quant, training=True))
    prepared.requires_grad_(True)  # folding leaves the biases without gradient
    goal = _Goal(loss, targets, float_scores(model.eval(), codes, quant.input_scale), training.distillation)
    optimizer = torch.optim.Adam(prepared.parameters(), lr=training.learning_rate)
    ranges = _Ranges(prepared)
    measured = codes if calibration is None else calibration
    compared = evenly(measured, _COMPARED)
    equalities = []
    for epoch in range(training.epochs):
        if epoch < training.epochs - training.frozen_epochs:
            ranges.measure(measured, quant.input_scale)
        losses = [
            _step(prepared, optimizer, goal, dequantise(codes[rows], quant.input_scale), rows)
            for rows in _batches(len(codes), training, epoch)
        ]
        converted = _convert(prepared, codes[: training.batch], quant.input_scale)
        exported = export_onnx(converted, channels, length, quant.input_scale)
        equality = check_quantised(converted, exported, compared, quant.input_scale, fake_quantised=prepared)
        equalities.append(tuple(equality))
        on_epoch(epoch, float(np.mean(losses)))
    return QatResult(prepared, converted, exported, tuple(equalities))


class _Goal:
    """The loss of some rows: on targets, and on the float network's logits."""

    def __init__(
        self, loss: Loss, targets: NDArray[np.float32], logits: NDArray[np.float32], distillation: float
    ) -> None:
        self._loss = loss
        self._targets = targets
        self._logits = logits
        self._variance = torch.from_numpy(np.maximum(logits.var(axis=0), np.float32(1e-6)))
        self._distillation = distillation

    def __call__(self, logits: torch.Tensor, rows: NDArray[np.int64]) -> torch.Tensor:
        targets = torch.from_numpy(np.asarray(self._targets[rows], dtype=np.float32))
        distance = ((logits - torch.from_numpy(self._logits[rows])).square() / self._variance).mean()
        share = self._distillation
        return share * distance + (1 - share) * self._loss(logits, targets)


class _Ranges:
    """The activation ranges of a prepared network: constants, but for when they are measured."""

    def __init__(self, prepared: GraphModule) -> None:
        self._prepared = prepared
        constants = [node for node in prepared.graph.nodes if node.op == "get_attr"]
        of_weights = {user.target for node in constants for user in node.users if user.op == "call_module"}
        fakes = {name: each for name, each in prepared.named_modules() if isinstance(each, FakeQuantize)}
        self._fakes = list(fakes.values())
        self._activations = [each for name, each in fakes.items() if name not in of_weights]
        self._fresh = [copy.deepcopy(each.activation_post_process) for each in self._activations]

    def measure(self, codes: NDArray[np.int8], input_scale: float) -> None:
        """Set the ranges to those of the network without any rounding, over some windows."""
        for activation, fresh in zip(self._activations, self._fresh, strict=True):
            activation.activation_post_process = copy.deepcopy(fresh)
            activation.enable_observer()
        for fake in self._fakes:
            fake.disable_fake_quant()
        float_scores(self._prepared, codes, input_scale)
        for fake in self._fakes:
            fake.enable_fake_quant()
        for activation in self._activations:
            activation.disable_observer()


def _check(training: QatOptions, n_windows: int) -> None:
    if not 0 <= training.frozen_epochs < training.epochs:
        raise ConfigError(
            found=f"{training.frozen_epochs} of {training.epochs} epochs are to be frozen",
            where="quantisation-aware training",
            expected="fewer than there are epochs, so that activation ranges are measured at all",
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
    model: GraphModule, optimizer: torch.optim.Optimizer, goal: _Goal, inputs: torch.Tensor, rows: NDArray[np.int64]
) -> float:
    optimizer.zero_grad()
    value = goal(model(inputs), rows)
    value.backward()
    optimizer.step()
    return float(value.detach())


def _convert(prepared: GraphModule, codes: NDArray[np.int8], input_scale: float) -> GraphModule:
    with torch.no_grad():  # weight scales follow the weights one forward pass late
        prepared(dequantise(codes, input_scale))
    converted = convert_pt2e(copy.deepcopy(prepared))
    round_biases(converted, prepared)
    return converted
