"""Prove that every execution agrees, hold the boards to their budgets, and read the test split once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from pydantic import Field

from stages.core.artifacts import json_ready, output_directory, read_json, write_json
from stages.core.bundle import pack_golden
from stages.core.device.chain import Device, Expected, check_budget, measure, prove
from stages.core.graph.lower import lower
from stages.core.graph.reference import execute as execute_reference
from stages.core.nets.baselines import Logistic, describe, energy
from stages.core.nets.examples import Examples, load_examples
from stages.core.parity import Agreement, broken, choose_windows, compare_outputs
from stages.core.recordings.session import SessionFile
from stages.core.recordings.windows import counts_by_session, read_windows
from stages.core.report.figures import ScoreSet, save_histograms
from stages.core.report.page import render
from stages.core.schema.build import Board
from stages.core.schema.validate import Validate
from stages.core.schema.window import Window
from stages.core.scoring import Scored, score
from stages.core.settings import Settings, load
from stages.core.stage import progress, run
from stages.core.tail import compare
from stages.core.tail import describe as describe_scores
from stages.core.tracking import track

_GOLDEN_WINDOWS = 8


class ValidateSettings(Settings):
    """The sections that this stage reads."""

    task: str
    window: Window
    board: dict[str, Board]
    validation: Validate = Field(alias="validate")


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    settings = load(paths.config, ValidateSettings)
    windows, (test,) = test_windows(paths), load_examples(paths.split, paths.features, "test")
    gate = read_json(paths.quantize / "gate.json")
    rungs = list(gate["rungs"])
    scored = {name: score((paths.quantize / f"{name}.onnx").read_bytes(), test) for name in ("float", *rungs)}
    chosen = scored[gate["selected"]]
    expected = expectation(paths, windows, test, chosen, settings.window.length)
    contract = read_json(paths.convert / "contract.json")
    rows = choose_windows(
        test.codes, expected.outputs, contract["decision"]["threshold_code"], settings.validation.board_windows
    )
    with output_directory(paths.out) as out, track("validate", settings.validation.model_dump()) as record:
        agreements = [check_interpreter(expected)]
        boards: dict[str, Any] = {}
        sizes = read_json(paths.build / "size.json")
        # The native build is the cheapest to search and so the first to answer.
        for name, board in progress(native_first(settings.board), "validate: boards"):
            device = Device(name, board, paths.build / name / "harness.elf", settings.validation.timeout_s)
            part = expected if board.kind == "native" else expected.rows(rows)
            proven, result = prove(device, part, settings.validation.repeats)
            agreements += proven
            boards[name] = measure(device, result, expected.graph, sizes[name])
            check_budget(name, board, boards[name])
        metrics, costs = evaluate(paths, test, scored, rungs)
        golden = rows[np.linspace(0, len(rows) - 1, min(_GOLDEN_WINDOWS, len(rows))).astype(int)]
        (out / "golden.bin").write_bytes(pack_golden(expected.samples[golden], expected.outputs[golden]))
        write_json(out / "parity.json", json_ready(agreements))
        write_json(out / "device.json", boards)
        write_json(out / "metrics.json", json_ready({"test": metrics, "cost": costs}))
        write_scores(out, windows, scored)
        thresholds = read_json(paths.quantize / "thresholds.json")
        sets = [ScoreSet(name, scored[name].logits, thresholds[name]["logit"]) for name in scored]
        save_histograms(out / "scores.png", sets, test.labels)
        page = render(
            task=settings.task,
            selected=gate["selected"],
            windows=len(test.labels),
            groups=", ".join(sorted(set(windows["group_id"]))),
            conditions=", ".join(sorted(set(windows["condition"]))),
            states=", ".join(sorted(set(windows["state"]))),
            metrics=metrics,
            costs=costs,
            rungs=rungs,
            gate=gate["rungs"],
            parity=agreements,
            boards=boards,
            board_windows=len(rows),
        )
        (out / "report.md").write_text(page, encoding="utf-8")
        record.metrics({f"{name}_{key}": value for name, of in metrics.items() for key, value in of.items()})
        for path in sorted(out.iterdir()):
            record.artifact(path)
    best = metrics[gate["selected"]]
    return (
        f"validate: {len(boards)} boards agree with the reference to 0 LSB ({len(test.labels)} windows native, "
        f"{len(rows)} emulated); test AUC {best['auc']:.4f}, TPR at 1 % FPR {best['tpr_at_fpr_1']:.3f}"
    )


def test_windows(paths: argparse.Namespace) -> pd.DataFrame:
    """Return the test rows of the window index."""
    windows = read_windows(paths.split / "windows.parquet")
    return windows[windows["part"] == "test"].reset_index(drop=True)


def expectation(
    paths: argparse.Namespace, windows: pd.DataFrame, test: Examples, chosen: Scored, length: int
) -> Expected:
    """Collect the counts of the test windows and what every execution must make of them."""
    entries = {entry["session_id"]: entry["path"] for entry in read_json(paths.capture / "dataset.json")["sessions"]}
    files = {name: SessionFile(paths.capture / entries[name]) for name in windows["session_id"].unique()}
    samples = np.concatenate([counts for _, counts in counts_by_session(windows, files, length)])
    graph = lower(onnx.load(str(paths.convert / "model.onnx")))
    return Expected(graph, samples, np.asarray(test.codes), np.asarray(chosen.codes))


def check_interpreter(expected: Expected) -> Agreement:
    """Hold the integer formula, as numpy executes it, against the reference runtime."""
    outputs = execute_reference(expected.graph, expected.codes)[expected.graph.output.name].reshape(-1)
    agreement = compare_outputs("numpy integers: score code", expected.outputs, outputs)
    if agreement.first is not None:
        raise broken(agreement, None)
    return agreement


def native_first(boards: dict[str, Board]) -> list[tuple[str, Board]]:
    """Order boards by kind, then by name."""
    return sorted(boards.items(), key=lambda item: (item[1].kind != "native", item[0]))


def evaluate(
    paths: argparse.Namespace, test: Examples, scored: dict[str, Scored], rungs: list[str]
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Describe every model and baseline on test at its val threshold, and what each rung cost against float."""
    thresholds = {name: each["logit"] for name, each in read_json(paths.quantize / "thresholds.json").items()}
    trained = read_json(paths.train / "metrics.json")
    logistic = Logistic.from_json(read_json(paths.train / "baselines.json")["logistic"])
    scores = {name: each.logits for name, each in scored.items()}
    scores |= {"energy": energy(test.codes), "logistic": logistic.score(describe(test.codes))}
    thresholds |= {name: trained[name]["threshold"] for name in ("energy", "logistic")}
    metrics = {name: describe_scores(values, test.labels, thresholds[name]) for name, values in scores.items()}
    costs = {
        rung: compare(scores["float"], scores[rung], test.labels, thresholds["float"], thresholds[rung])
        for rung in rungs
    }
    return metrics, costs


def write_scores(out: Path, windows: pd.DataFrame, scored: dict[str, Scored]) -> None:
    """Write the test scores side by side with the identity of each window."""
    columns = {name: each.logits for name, each in scored.items()}
    codes = {f"{name}_code": each.codes for name, each in scored.items() if each.codes is not None}
    identity = windows[["session_id", "state", "condition", "start", "label"]]
    identity.assign(**columns, **codes).to_parquet(out / "scores.parquet", index=False)


if __name__ == "__main__":
    run(main, "capture", "split", "features", "train", "quantize", "convert", "build")
