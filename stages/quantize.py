"""Make every precision of the float model, score each on val, and let the gate choose or refuse."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from stages.core.artifacts import json_ready, output_directory, read_json, write_json
from stages.core.dsp.contract import INPUT_SCALE
from stages.core.evaluation import REFERENCE, flat, headline
from stages.core.gate import refusal, table
from stages.core.graph.lower import read_graph
from stages.core.nets.examples import Examples, load_examples
from stages.core.nets.inference import float_scores
from stages.core.nets.models import load_model
from stages.core.quant.calibration import choose_rows
from stages.core.quant.debug import Diagnosis, diagnose, sample
from stages.core.quant.ladder import Attempt, Ladder
from stages.core.schema.gate import Gate
from stages.core.schema.labels import Labels
from stages.core.schema.model import Model
from stages.core.schema.quantize import Quantize, Rung
from stages.core.schema.train import Train
from stages.core.scoring import score, write_scores
from stages.core.selection import select
from stages.core.settings import Settings, load
from stages.core.stage import progress_bar, run
from stages.core.tracking import Run, track

_DIAGNOSED_WINDOWS = 256


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
    with track("quantize", settings.quantize.model_dump(), paths.out) as record:
        return climb(paths, settings, record)


def climb(paths: argparse.Namespace, settings: QuantizeSettings, record: Run) -> str:
    """Climb the ladder and judge, and return the closing line."""
    train, val = load_examples(paths.split, paths.features, settings.labels, "train", "val")
    with output_directory(paths.out) as out:
        with ladder(settings, train, val, paths, record) as rungs:
            names: dict[Rung, None] = dict.fromkeys(("float", *settings.quantize.ladder))
            attempts: dict[str, Attempt] = {name: rungs.make(name) for name in names}
        models = {name: each.model for name, each in attempts.items() if each.model is not None}
        scored = {name: score(model, val) for name, model in models.items()}
        climbed = [name for name in settings.quantize.ladder if name in models]
        objectives = settings.train.threshold
        selection = select(scored, val, climbed, settings.labels, objectives, settings.gate, settings.seed)
        evaluation, selected = selection.evaluation, selection.selected
        print(table(selection.verdicts))
        for name, each in attempts.items():
            write_models(out, name, each)
        calibration = {"design": settings.quantize.calibration.design, "train_rows": rungs.rows.tolist()}
        gate = {
            "selected": selected,
            "ladder": climbed,
            "rungs": selection.verdicts,
            "missing": {name: each.reason for name, each in attempts.items() if each.reason},
            "costs": {name: each.costs for name, each in attempts.items() if each.costs},
        }
        artifacts = {
            "calibration": calibration,
            "thresholds": selection.thresholds,
            "reject": {"reject": objectives.reject and objectives.reject.model_dump(), "rungs": selection.rejections},
            "metrics": {"scores": evaluation.metrics, "cost": evaluation.costs},
            "intervals": evaluation.intervals_json(),
            "equality": {name: each.equalities for name, each in attempts.items()},
            "layers": diagnoses(attempts, val),
            "gate": gate,
        }
        for name, content in artifacts.items():
            write_json(out / f"{name}.json", json_ready(content))
        write_scores(out / "scores.parquet", pd.DataFrame({"label": val.labels}), scored, settings.labels.classes[1:])
        record.metrics(flat(evaluation.metrics))
    if selected is None:
        raise refusal(selection.verdicts)
    return f"quantize: {selected} passes the gate; val {headline(evaluation.metrics)}"


@contextmanager
def ladder(
    settings: QuantizeSettings, train: Examples, val: Examples, paths: argparse.Namespace, record: Run
) -> Iterator[Ladder]:
    """Give the ladder, and show its training while it is climbed."""
    model = load_model(settings.model, train.codes.shape[2], train.outputs, paths.train / "float.safetensors")
    float_metrics = read_json(paths.train / "metrics.json")[REFERENCE]
    limits = [float_metrics[output]["threshold"] for output in settings.labels.classes[1:]]
    scores = float_scores(model, train.planes, INPUT_SCALE)
    rows = choose_rows(settings.quantize.calibration, train.labels, train.targets, scores, limits)
    trained = [rung for rung in settings.quantize.ladder if rung in ("qat", "pruned")]
    with progress_bar("quantize: QAT epochs", settings.quantize.qat.epochs * len(trained)) as advance:

        def on_epoch(rung: Rung, epoch: int, loss: float) -> None:
            record.metrics({f"{rung}_loss": loss}, step=epoch)
            advance()

        given = (settings.quantize, settings.train, settings.seed, on_epoch)
        yield Ladder(model, settings.model, train, val, rows, *given)


def write_models(out: Path, name: str, attempt: Attempt) -> None:
    """Write a rung, and the float network that it was made from where that is another than the ladder's."""
    if attempt.model is not None:
        (out / f"{name}.onnx").write_bytes(attempt.model)
    if attempt.origin is not None:
        (out / f"{name}_float.onnx").write_bytes(attempt.origin)


def diagnoses(attempts: Mapping[str, Attempt], val: Examples) -> dict[str, Diagnosis]:
    """Explain by its layers what each quantised rung lost."""
    windows = sample(val, _DIAGNOSED_WINDOWS)
    shared = attempts[REFERENCE].model
    found = {}
    for name, each in attempts.items():
        if name != REFERENCE and shared is not None and each.model is not None:
            reference, graph = map(read_graph, (each.origin or shared, each.model))
            found[name] = diagnose(reference, graph, windows)
    return found


if __name__ == "__main__":
    run(main, "split", "features", "train")
