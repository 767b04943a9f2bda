"""Make every precision of the float model, score each on val, and let the gate choose or refuse."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from stages.core.artifacts import json_ready, output_directory, read_json, write_json
from stages.core.bootstrap import Resampling
from stages.core.classes import rejection
from stages.core.dsp.contract import INPUT_SCALE
from stages.core.evaluation import REFERENCE, Evaluation, evaluate, flat, headline
from stages.core.gate import Row, judge, passes, refusal, table
from stages.core.nets.examples import Examples, load_examples
from stages.core.nets.inference import float_scores
from stages.core.nets.models import build_model, load_weights
from stages.core.quant.calibration import choose_rows
from stages.core.quant.ladder import Attempt, Ladder
from stages.core.schema.gate import Gate
from stages.core.schema.labels import Labels
from stages.core.schema.model import Model
from stages.core.schema.quantize import Quantize, Rung
from stages.core.schema.train import Train
from stages.core.scoring import Scored, Threshold, score, score_columns, tune
from stages.core.settings import Settings, load
from stages.core.stage import progress_bar, run
from stages.core.thresholds import choosers
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
    outputs = settings.labels.classes[1:]
    with output_directory(paths.out) as out, track("quantize", settings.quantize.model_dump()) as record:
        with ladder(settings, train, val, paths, record) as rungs:
            names: dict[Rung, None] = dict.fromkeys(("float", *settings.quantize.ladder))
            attempts: dict[str, Attempt] = {name: rungs.make(name) for name in names}
        models = {name: each.model for name, each in attempts.items() if each.model is not None}
        scored = {name: score(model, val) for name, model in models.items()}
        choose = choosers(settings.train.threshold, outputs, val.hop_s)
        thresholds = {name: tune(each, val.targets, choose) for name, each in scored.items()}
        climbed: list[str] = [name for name in settings.quantize.ladder if name in models]
        evaluation = judged(scored, thresholds, val, settings, climbed)
        costs, spans = evaluation.costs, evaluation.cost_intervals
        verdicts = {name: judge(costs[name], settings.gate, spans[name]) for name in climbed}
        selected = next((name for name in climbed if passes(verdicts[name])), None)
        print(table(verdicts))
        for name, model in models.items():
            (out / f"{name}.onnx").write_bytes(model)
        calibration = {"design": settings.quantize.calibration.design, "train_rows": rungs.rows.tolist()}
        write_json(out / "calibration.json", calibration)
        write_json(out / "thresholds.json", json_ready(thresholds))
        write_json(out / "metrics.json", json_ready({"scores": evaluation.metrics, "cost": evaluation.costs}))
        write_json(out / "reject.json", json_ready(withheld(scored, thresholds, val, settings.train)))
        write_json(out / "intervals.json", json_ready(evaluation.intervals_json()))
        write_json(out / "equality.json", json_ready({name: each.equalities for name, each in attempts.items()}))
        write_json(out / "gate.json", json_ready(verdict(selected, verdicts, attempts)))
        write_scores(out / "scores.parquet", scored, val, outputs)
        record.metrics(flat(evaluation.metrics))
        for path in sorted(out.iterdir()):
            record.artifact(path)
    if selected is None:
        raise refusal(verdicts)
    return f"quantize: {selected} passes the gate; val {headline(evaluation.metrics)}"


@contextmanager
def ladder(
    settings: QuantizeSettings, train: Examples, val: Examples, paths: argparse.Namespace, record: Run
) -> Iterator[Ladder]:
    """Give the ladder, and show its training while it is climbed."""
    model = build_model(settings.model, train.codes.shape[2], train.outputs).eval()
    load_weights(model, paths.train / "float.safetensors")
    float_metrics = read_json(paths.train / "metrics.json")[REFERENCE]
    limits = [float_metrics[output]["threshold"] for output in settings.labels.classes[1:]]
    scores = float_scores(model, train.planes, INPUT_SCALE)
    rows = choose_rows(settings.quantize.calibration, train.labels, scores, limits)
    trained = [rung for rung in settings.quantize.ladder if rung in ("qat", "pruned")]
    with progress_bar("quantize: QAT epochs", settings.quantize.qat.epochs * len(trained)) as advance:

        def on_epoch(rung: Rung, epoch: int, loss: float) -> None:
            record.metrics({f"{rung}_loss": loss}, step=epoch)
            advance()

        given = (settings.quantize, settings.train, settings.seed, on_epoch)
        yield Ladder(model, settings.model, train, val, rows, *given)


def judged(
    scored: dict[str, Scored],
    thresholds: dict[str, list[Threshold]],
    val: Examples,
    settings: QuantizeSettings,
    climbed: list[str],
) -> Evaluation:
    """Hold every precision against float, with intervals."""
    logits = {name: each.logits for name, each in scored.items()}
    at = {name: [threshold.logit for threshold in each] for name, each in thresholds.items()}
    bootstrap = settings.gate.bootstrap
    resampling = Resampling(bootstrap.resamples, bootstrap.confidence, settings.seed)
    return evaluate(logits, at, val.targets, settings.labels.classes[1:], climbed, val.origins, resampling)


def withheld(
    scored: dict[str, Scored], thresholds: dict[str, list[Threshold]], val: Examples, training: Train
) -> dict[str, Any]:
    """Choose from how sure a decision must be to be made."""
    reject = training.threshold.reject
    if reject is None:
        return {"reject": None, "rungs": {}}
    at = {name: [threshold.logit for threshold in each] for name, each in thresholds.items()}
    rungs = {name: rejection(each.logits, at[name], val.labels, reject) for name, each in scored.items()}
    return {"reject": reject.model_dump(), "rungs": rungs}


def verdict(selected: str | None, verdicts: dict[str, list[Row]], attempts: dict[str, Attempt]) -> dict[str, Any]:
    """Collect what became of every rung."""
    missing = {name: each.reason for name, each in attempts.items() if each.reason}
    pruning = {name: each.costs for name, each in attempts.items() if each.costs}
    return {"selected": selected, "rungs": verdicts, "missing": missing, "costs": pruning}


def write_scores(path: Path, scored: dict[str, Scored], val: Examples, outputs: tuple[str, ...]) -> None:
    """Write the val scores side by side, in the row order of the split."""
    pd.DataFrame({"label": val.labels, **score_columns(scored, outputs)}).to_parquet(path, index=False)


if __name__ == "__main__":
    run(main, "split", "features", "train")
