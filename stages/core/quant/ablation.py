"""One cell of the ablation: a seed's float network, quantised in one of the ways, judged against that float network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stages.core.dsp.contract import INPUT_SCALE
from stages.core.errors import OperatorError
from stages.core.evaluation import REFERENCE, evaluate
from stages.core.graph.export import export_onnx
from stages.core.nets.examples import Examples
from stages.core.nets.inference import float_scores
from stages.core.nets.loop import fit_best
from stages.core.quant.calibration import choose_rows
from stages.core.quant.effects import FACTORS, Cell, Outcome
from stages.core.quant.ladder import Ladder
from stages.core.schema.labels import Labels
from stages.core.schema.model import Model
from stages.core.schema.quantize import Quantize
from stages.core.schema.train import Train
from stages.core.scoring import Scored, score, tune
from stages.core.settings import Settings
from stages.core.thresholds import choosers


class Recipe(Settings):
    """What all cells have in common: the sections of the configuration."""

    seed: int
    labels: Labels
    model: Model
    train: Train
    quantize: Quantize


@dataclass(frozen=True)
class Parts:
    """The windows of the split."""

    train: Examples
    val: Examples
    test: Examples


@dataclass(frozen=True)
class Judged:
    """Scores on test, and thresholds from val.

    Attributes
    ----------
    test : ndarray of float64, shape (windows, outputs)
        Logits.
    thresholds : tuple of float
        One per output.
    """

    test: NDArray[np.float64]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class FloatRun:
    """What a seed's cells start from.

    Attributes
    ----------
    judged : Judged
    rows : dict of str to list of int
        Training windows to calibrate with, by design of the set.
    """

    judged: Judged
    rows: dict[str, list[int]]


def train_float(recipe: Recipe, seed: int, varied: Examples, parts: Parts) -> nn.Module:
    """Train the float network of one seed.

    Parameters
    ----------
    recipe : Recipe
    seed : int
        In place of the recipe's own.
    varied : Examples
        The training windows, as training is to read them.
    parts : Parts
    """
    return fit_best(recipe.model, varied, parts.val, recipe.train, seed)[0]


def judge_float(recipe: Recipe, model: nn.Module, parts: Parts) -> FloatRun:
    """Score the float network, and choose the calibration sets by it."""
    judged = judge(recipe, _export(model, parts), parts)
    scores = float_scores(model, parts.train.planes, INPUT_SCALE).astype(np.float64)
    rows = {}
    for design in FACTORS["calibration"]:
        section = recipe.quantize.calibration.model_copy(update={"design": design})
        train = parts.train
        rows[design] = choose_rows(section, train.labels, train.targets, scores, judged.thresholds).tolist()
    return FloatRun(judged, rows)


def quantise(recipe: Recipe, cell: Cell, seed: int, model: nn.Module, rows: list[int], parts: Parts) -> bytes:
    """Return the cell's network as ONNX.

    Parameters
    ----------
    recipe : Recipe
    cell : Cell
    seed : int
    model : Module
        The float network.
    rows : list of int
        Training windows to calibrate with.
    parts : Parts

    Raises
    ------
    OperatorError
        If the device could not run it.
    ParityBroken
        If a step on the way changed what the network computes.
    """
    choices = {"per_channel": cell.weights == "per_channel", "score": cell.score}
    section = recipe.quantize.model_copy(update=choices)
    ladder = Ladder(model, recipe.model, parts.train, parts.val, np.array(rows), section, recipe.train, seed)
    attempt = ladder.make("qat" if cell.method == "qat" else "ptq")
    if attempt.model is None:
        raise OperatorError(
            found=str(attempt.reason),
            where=str(cell),
            expected="a network that can be quantised in every way",
            remedy="Change the architecture in conf/model",
        )
    return attempt.model


def judge(recipe: Recipe, model: bytes, parts: Parts) -> Judged:
    """Set a network's thresholds on val, and score test."""
    objectives = choosers(recipe.train.threshold, recipe.labels.classes[1:], _hop_s(parts.val))
    tuned = tune(score(model, parts.val), parts.val.targets, objectives)
    scored: Scored = score(model, parts.test)
    return Judged(scored.logits, tuple(threshold.logit for threshold in tuned))


def compare(recipe: Recipe, cell: Cell, seed: int, reference: Judged, judged: Judged, test: Examples) -> Outcome:
    """Return what a cell cost on test against its seed's float network."""
    both = {REFERENCE: reference, str(cell): judged}
    evaluation = evaluate(
        {name: each.test for name, each in both.items()},
        {name: each.thresholds for name, each in both.items()},
        test.targets,
        recipe.labels.classes[1:],
        [str(cell)],
    )
    return Outcome(cell, seed, evaluation.costs[str(cell)])


def in_common(recipe: Recipe) -> list[str]:
    """Say what the configuration lays down for every cell alike."""
    section = recipe.quantize
    return [
        f"{section.calibration.windows} calibration windows at most",
        f"observer {section.observer}",
        f"channels {'' if section.equalise else 'not '}equalised",
        f"{section.qat.epochs} epochs of QAT at {section.qat.lr_factor:g} of the learning rate",
    ]


def _hop_s(examples: Examples) -> float:
    return float("nan") if examples.origins is None else examples.origins.hop_s


def _export(model: nn.Module, parts: Parts) -> bytes:
    _, length, channels = parts.train.codes.shape
    return export_onnx(model, channels, length, INPUT_SCALE)
