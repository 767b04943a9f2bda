"""The training loop, shared by float training and quantisation-aware fine-tuning."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stages.core.dsp.contract import INPUT_SCALE
from stages.core.errors import TrainingError
from stages.core.nets.examples import Examples
from stages.core.nets.inference import dequantise, float_scores
from stages.core.schema.train import Train


def batches(
    examples: Examples, batch_size: int, generator: torch.Generator, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shuffled batches of inputs and float targets; rows are read in file order within a batch."""
    order = torch.randperm(len(examples.labels), generator=generator).numpy()
    targets = examples.targets
    for start in range(0, len(order), batch_size):
        rows = np.sort(order[start : start + batch_size])
        yield dequantise(examples.inputs(rows, epoch), INPUT_SCALE), torch.from_numpy(targets[rows].astype(np.float32))


def weighted_loss(targets: NDArray[np.int8]) -> nn.BCEWithLogitsLoss:
    """Return binary cross-entropy in which both answers to each output's question weigh the same.

    Parameters
    ----------
    targets : ndarray of int8, shape (windows, outputs)
    """
    positive = targets.sum(axis=0).astype(np.float64)
    return nn.BCEWithLogitsLoss(pos_weight=torch.tensor((len(targets) - positive) / positive, dtype=torch.float32))


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to."""

    epoch: int
    train_loss: float
    val_loss: float


def fit(
    model: nn.Module,
    train: Examples,
    val: Examples,
    settings: Train,
    *,
    generator: torch.Generator,
    on_epoch: Callable[[Epoch], None],
) -> None:
    """Train in place with AdamW and a cosine schedule; keep the weights of the lowest val loss.

    Parameters
    ----------
    model : nn.Module
        Maps (batch, channels, length) to (batch, outputs).
    train, val : Examples
    settings : Train
    generator : torch.Generator
        Drives the order of the batches.
    on_epoch : callable
        Told of every finished epoch.

    Raises
    ------
    TrainingError
        If the loss diverges.
    """
    loss_of = weighted_loss(train.targets)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
    best_loss, best_epoch = float("inf"), 0
    best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for epoch in range(1, settings.epochs + 1):
        train_loss = _train_epoch(model, batches(train, settings.batch_size, generator, epoch), loss_of, optimizer)
        schedule.step()
        val_logits = torch.from_numpy(float_scores(model.eval(), val.planes, INPUT_SCALE))
        val_loss = float(loss_of(val_logits, torch.from_numpy(val.targets.astype(np.float32))))
        if not math.isfinite(val_loss):
            raise TrainingError(
                found=f"the val loss is {val_loss} after epoch {epoch}",
                where="training",
                expected="a finite loss",
                remedy="Lower train.lr",
            )
        on_epoch(Epoch(epoch, train_loss, val_loss))
        if val_loss < best_loss:
            best_loss, best_epoch = val_loss, epoch
            best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        elif epoch - best_epoch >= settings.patience:
            break
    model.load_state_dict(best)


def _train_epoch(
    model: nn.Module,
    data: Iterator[tuple[Tensor, Tensor]],
    loss_of: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
) -> float:
    """Run one pass and return the mean loss of its batches."""
    model.train()
    losses = []
    for inputs, targets in data:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses))
