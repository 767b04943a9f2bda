"""Quantise the float model, score every precision on val, and let the gate choose or refuse."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from stages.core.artifacts import json_ready, output_directory, write_json
from stages.core.dsp.contract import INPUT_SCALE
from stages.core.evaluation import evaluate, flat, headline
from stages.core.gate import Row, judge, passes, refusal
from stages.core.graph.export import export_onnx
from stages.core.nets.examples import Examples, load_examples
from stages.core.nets.loop import weighted_loss
from stages.core.nets.models import build_model, load_weights
from stages.core.quant.calibration import choose_rows
from stages.core.quant.ptq import ptq
from stages.core.quant.qat import QatOptions, qat
from stages.core.quant.quantizer import QuantOptions
from stages.core.schema.gate import Gate
from stages.core.schema.labels import Labels
from stages.core.schema.model import Model
from stages.core.schema.quantize import Quantize
from stages.core.schema.train import Train
from stages.core.scoring import Scored, score, score_columns, tune
from stages.core.settings import Settings, load
from stages.core.stage import progress_bar, run
from stages.core.tracking import Run, track


class QuantizeSettings(Settings):
    """The sections that this stage reads."""

    seed: int
    labels: Labels
    model: Model
    train: Train
    quantize: Quantize
    gate: Gate


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    settings = load(paths.config, QuantizeSettings)
    train, val = load_examples(paths.split, paths.features, settings.labels.outputs, "train", "val")
    rows = choose_rows(train.labels, settings.quantize.calibration.windows)
    with output_directory(paths.out) as out, track("quantize", settings.quantize.model_dump()) as record:
        models = quantised(load_model(settings, train, paths.train), train, rows, settings, record)
        scored = {name: score(model, val) for name, model in models.items()}
        thresholds = {name: tune(each, val.targets, settings.train.threshold.max_fpr) for name, each in scored.items()}
        logits = {name: each.logits for name, each in scored.items()}
        at = {name: [threshold.logit for threshold in each] for name, each in thresholds.items()}
        evaluation = evaluate(logits, at, val.targets, settings.labels.classes[1:], settings.quantize.ladder)
        metrics, costs = evaluation.metrics, evaluation.costs
        verdicts: dict[str, list[Row]] = {rung: judge(costs[rung], settings.gate) for rung in costs}
        selected = next((rung for rung in settings.quantize.ladder if passes(verdicts[rung])), None)
        for name, model in models.items():
            (out / f"{name}.onnx").write_bytes(model)
        write_json(out / "calibration.json", {"train_rows": rows.tolist()})
        write_json(out / "thresholds.json", json_ready(thresholds))
        write_json(out / "metrics.json", json_ready({"scores": metrics, "cost": costs}))
        write_json(out / "gate.json", json_ready({"selected": selected, "rungs": verdicts}))
        write_scores(out / "scores.parquet", scored, val, settings.labels.classes[1:])
        record.metrics(flat(metrics))
        for path in sorted(out.iterdir()):
            record.artifact(path)
    if selected is None:
        raise refusal(verdicts)
    return f"quantize: {selected} passes the gate; val {headline(metrics)}"


def load_model(settings: QuantizeSettings, train: Examples, folder: Path) -> nn.Module:
    """Rebuild the trained float network."""
    model = build_model(settings.model, train.codes.shape[2], train.outputs)
    load_weights(model, folder / "float.safetensors")
    return model.eval()


def quantised(
    model: nn.Module, train: Examples, rows: np.ndarray, settings: QuantizeSettings, record: Run
) -> dict[str, bytes]:
    """Make every precision, float first, as ONNX."""
    section = settings.quantize
    calibration = train.planes[rows]
    makers: dict[str, Callable[[], nn.Module]] = {
        "ptq": lambda: ptq(model, calibration, QuantOptions(INPUT_SCALE, section.observer, section.per_channel)),
        "qat": lambda: fine_tune(model, train, settings, record),
    }
    _, length, channels = train.codes.shape
    models = {"float": export_onnx(model, channels, length, INPUT_SCALE)}
    for rung in section.ladder:
        models[rung] = export_onnx(makers[rung](), channels, length, INPUT_SCALE)
    return models


def fine_tune(model: nn.Module, train: Examples, settings: QuantizeSettings, record: Run) -> nn.Module:
    """Train on with fake quantisation."""
    section = settings.quantize.qat
    options = QatOptions(
        epochs=section.epochs,
        frozen_epochs=section.frozen_epochs,
        batch=settings.train.batch_size,
        learning_rate=settings.train.lr * section.lr_factor,
        seed=settings.seed,
    )
    quant = QuantOptions(INPUT_SCALE, section.observer, settings.quantize.per_channel)
    with progress_bar("quantize: QAT epochs", section.epochs) as advance:

        def on_epoch(epoch: int, loss: float) -> None:
            record.metrics({"qat_loss": loss}, step=epoch)
            advance()

        targets = train.targets
        return qat(
            model, train.planes, targets.astype(np.float32), quant, options, weighted_loss(targets), on_epoch
        ).converted


def write_scores(path: Path, scored: dict[str, Scored], val: Examples, outputs: tuple[str, ...]) -> None:
    """Write the val scores side by side, in the row order of the split."""
    pd.DataFrame({"label": val.labels, **score_columns(scored, outputs)}).to_parquet(path, index=False)


if __name__ == "__main__":
    run(main, "split", "features", "train")
