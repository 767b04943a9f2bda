"""The training loop, shared by float training and quantisation-aware fine-tuning."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from stages.core.dsp.contract import INPUT_SCALE
from stages.core.errors import TrainingError
from stages.core.nets.examples import Examples
from stages.core.nets.inference import dequantise, float_scores
from stages.core.nets.losses import LossFunction, loss_function
from stages.core.nets.models import build_model
from stages.core.nets.polish import polish
from stages.core.nets.sampling import epoch_rows
from stages.core.schema.model import Model
from stages.core.schema.train import Sampling, Train
from stages.core.seeds import derive_seed, seed_torch


def batches(
    examples: Examples, batch_size: int, generator: torch.Generator, epoch: int, sampling: Sampling = "shuffled"
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of inputs and float targets in random order; rows are read in file order within a batch.

    A single window left over is left out: with one frame it would have no batch statistics.
    """
    order = epoch_rows(examples, sampling, generator)
    targets = examples.targets
    for start in range(0, len(order) - (len(order) % batch_size == 1), batch_size):
        rows = np.sort(order[start : start + batch_size])
        yield dequantise(examples.inputs(rows, epoch), INPUT_SCALE), torch.from_numpy(targets[rows].astype(np.float32))


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to."""

    epoch: int
    train_loss: float
    val_loss: float


def initialised(section: Model, channels: int, outputs: int, seed: int, restart: int = 0) -> nn.Module:
    """Build the untrained network of a seed's first start or of another."""
    seed_torch(derive_seed(seed, "train", *_path(restart)))
    return build_model(section, channels, outputs)


def _path(restart: int) -> list[int]:
    """Return what tells the seeds of a restart from those of the first start."""
    return [restart] if restart else []


def fit_best(
    section: Model,
    train: Examples,
    val: Examples,
    settings: Train,
    seed: int,
    on_epoch: Callable[[int, Epoch], None] = lambda restart, epoch: None,
) -> tuple[nn.Module, int]:
    """Train from as many initialisations as configured, and keep the network of the lowest val loss.

    The smaller a network, the more its initialisation decides which optimum it finds.

    Parameters
    ----------
    section : schema.model.DsCnn or Mlp
    train, val : Examples
    settings : Train
    seed : int
        Initialisations and orders of batches derive from it.
    on_epoch : callable
        Told of the start, from 0, and of each of its finished epochs.

    Returns
    -------
    Module
        In evaluation mode.
    int
        The start that it came from, from 0.

    Raises
    ------
    TrainingError
        If the loss diverges.
    """
    fitted: list[tuple[float, nn.Module]] = []
    for restart in range(settings.restarts + 1):
        model = initialised(section, train.codes.shape[2], train.outputs, seed, restart)
        generator = torch.Generator().manual_seed(derive_seed(seed, "train", "order", *_path(restart)))
        loss = fit(model, train, val, settings, generator=generator, on_epoch=functools.partial(on_epoch, restart))
        fitted.append((loss, model))
    kept = min(range(len(fitted)), key=lambda start: fitted[start][0])
    return fitted[kept][1].eval(), kept


def fit(
    model: nn.Module,
    train: Examples,
    val: Examples,
    settings: Train,
    *,
    generator: torch.Generator,
    on_epoch: Callable[[Epoch], None],
) -> float:
    """Train in place with AdamW and a cosine schedule; keep the weights of the lowest val loss, and polish them.

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

    Returns
    -------
    float
        The val loss of the network.

    Raises
    ------
    TrainingError
        If the loss diverges.
    """
    # Every epoch draws the same number of each class, so any draw tells the weights.
    drawn = epoch_rows(train, settings.sampling, torch.Generator())
    loss_of = loss_function(settings.loss, train.targets[drawn])
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
    best_loss, best_epoch = float("inf"), 0
    best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for epoch in range(1, settings.epochs + 1):
        data = batches(train, settings.batch_size, generator, epoch, settings.sampling)
        train_loss = _train_epoch(model, data, loss_of, optimizer)
        schedule.step()
        val_loss = _val_loss(model, val, loss_of, f"epoch {epoch}", "Lower train.lr")
        on_epoch(Epoch(epoch, train_loss, val_loss))
        if val_loss < best_loss:
            best_loss, best_epoch = val_loss, epoch
            best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        elif epoch - best_epoch >= settings.patience:
            break
    model.load_state_dict(best)
    if settings.polish is None:
        return best_loss
    # One draw of the training windows, as of one more epoch.
    ((inputs, targets),) = batches(train, len(drawn), generator, settings.epochs + 1, settings.sampling)
    polish(model.eval(), inputs, targets, loss_of, settings.polish, generator)
    return _val_loss(model, val, loss_of, "polishing", "Raise train.polish.l2")


def _val_loss(model: nn.Module, val: Examples, loss_of: LossFunction, after: str, remedy: str) -> float:
    logits = torch.from_numpy(float_scores(model.eval(), val.planes, INPUT_SCALE))
    loss = float(loss_of(logits, torch.from_numpy(val.targets.astype(np.float32))))
    if not math.isfinite(loss):
        raise TrainingError(
            found=f"the val loss is {loss} after {after}", where="training", expected="a finite loss", remedy=remedy
        )
    return loss


def _train_epoch(
    model: nn.Module,
    data: Iterator[tuple[Tensor, Tensor]],
    loss_of: LossFunction,
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
