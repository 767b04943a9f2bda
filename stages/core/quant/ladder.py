"""The ladder of precisions: how each rung is made from the trained network, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stages.core.dsp.contract import INPUT_SCALE
from stages.core.errors import OperatorError
from stages.core.evenly import evenly
from stages.core.graph.export import export_onnx
from stages.core.graph.lower import read_graph
from stages.core.nets.costs import Costs, costs, worthwhile
from stages.core.nets.examples import Examples
from stages.core.nets.losses import loss_function
from stages.core.nets.prune import prune
from stages.core.quant.equalise import equalise
from stages.core.quant.equality import Equality, check_float, check_quantised
from stages.core.quant.ptq import ptq
from stages.core.quant.qat import QatOptions, qat
from stages.core.quant.quantizer import QuantOptions
from stages.core.schema.model import Model
from stages.core.schema.quantize import Quantize, Rung
from stages.core.schema.train import Train

#: Windows on which the steps from one form of the network to the next are compared.
_COMPARED = 128


@dataclass(frozen=True)
class Attempt:
    """A rung that was made, or the reason why it was not.

    Attributes
    ----------
    model : bytes or None
        ONNX.
    equalities : tuple of Equality
        Every step on the way from the trained network.
    reason : str or None
        Why there is no such rung.
    costs : dict of str to Costs
        Of the network before and after pruning, if it was pruned.
    origin : bytes or None
        The float network that it was made from, if not the one that all others are.
    """

    model: bytes | None
    equalities: tuple[Equality, ...] = ()
    reason: str | None = None
    costs: dict[str, Costs] = field(default_factory=dict)
    origin: bytes | None = None


@dataclass(frozen=True)
class Ladder:
    """What every rung starts from.

    Attributes
    ----------
    trained : Module
        The float network, in evaluation mode.
    architecture : schema.model.DsCnn or Mlp
    train, val : Examples
    rows : ndarray of int64
        Training windows on which activation ranges are measured.
    quantize : Quantize
    training : Train
    seed : int
    on_epoch : callable
        Called with the rung, the epoch and its mean loss.
    """

    trained: nn.Module
    architecture: Model
    train: Examples
    val: Examples
    rows: NDArray[np.int64]
    quantize: Quantize
    training: Train
    seed: int
    on_epoch: Callable[[Rung, int, float], None] = lambda rung, epoch, loss: None

    def make(self, rung: Rung) -> Attempt:
        """Make one rung, or say why it cannot be.

        Raises
        ------
        ParityBroken
            If a step on the way changed what the network computes.
        """
        try:
            match rung:
                case "float":
                    return self._float()
                case "pruned":
                    return self._pruned()
                case "qat":
                    return self._fine_tuned(rung, self._start)
                case "ptq":
                    return self._calibrated(self._options())
                case "int16":
                    return self._calibrated(QuantOptions(INPUT_SCALE, activation="int16"))
        except OperatorError as error:
            return Attempt(None, reason=str(error))

    @cached_property
    def _calibration(self) -> NDArray[np.int8]:
        return self.train.planes[self.rows]

    @cached_property
    def _start(self) -> nn.Module:
        """The network that quantisation starts from."""
        if not self.quantize.equalise:
            return self.trained
        return equalise(self.trained, self._calibration, INPUT_SCALE)

    def _options(self) -> QuantOptions:
        section = self.quantize
        return QuantOptions(
            INPUT_SCALE,
            section.observer,
            section.per_channel,
            score=section.score,
            percentile_share=section.percentile_share,
        )

    def _float(self) -> Attempt:
        _, length, channels = self.train.codes.shape
        exported = export_onnx(self._start, channels, length, INPUT_SCALE)
        read_graph(exported)  # refuses what the device cannot run
        equalised = self._start if self.quantize.equalise else None
        checked = check_float(self.trained, exported, self._compared(), INPUT_SCALE, equalised=equalised)
        return Attempt(exported, tuple(checked))

    def _calibrated(self, options: QuantOptions) -> Attempt:
        _, channels, length = self._calibration.shape
        converted = ptq(self._start, self._calibration, options)
        exported = export_onnx(converted, channels, length, INPUT_SCALE)
        return Attempt(exported, tuple(check_quantised(converted, exported, self._compared(), INPUT_SCALE)))

    def _fine_tuned(self, rung: Rung, start: nn.Module) -> Attempt:
        section, targets = self.quantize.qat, self.train.targets
        options = QatOptions(
            epochs=section.epochs,
            frozen_epochs=section.frozen_epochs,
            batch=self.training.batch_size,
            learning_rate=self.training.lr * section.lr_factor,
            seed=self.seed,
            distillation=section.distillation,
        )
        result = qat(
            start,
            self.train.planes,
            targets.astype(np.float32),
            self._options(),
            options,
            loss_function(self.training.loss, targets),
            lambda epoch, loss: self.on_epoch(rung, epoch, loss),
            calibration=self._calibration,
        )
        return Attempt(result.exported, result.equalities[-1])

    def _pruned(self) -> Attempt:
        pruning = self.quantize.pruning
        if pruning is None:
            return Attempt(None, reason="quantize.pruning says nothing of how")
        given = (self.trained, self.architecture, self.train, self.val, self.training, pruning, self.seed)
        smaller, _ = prune(*given)
        _, length, channels = self.train.codes.shape
        found = {"before": costs(self.trained, length), "after": costs(smaller, length)}
        if not worthwhile(found["before"], found["after"]):
            return Attempt(None, reason="dropped: it saves too little of weights, work and memory", costs=found)
        start = equalise(smaller, self._calibration, INPUT_SCALE) if self.quantize.equalise else smaller
        made = self._fine_tuned("pruned", start)
        return Attempt(made.model, made.equalities, None, found, export_onnx(start, channels, length, INPUT_SCALE))

    def _compared(self) -> NDArray[np.int8]:
        return evenly(self.val.planes, _COMPARED)
