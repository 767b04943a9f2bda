"""Prove that every execution agrees, hold the boards to their budgets, and read the test split once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from stages.core.artifacts import json_ready, output_directory, read_json, write_json
from stages.core.bundle import pack_golden
from stages.core.device.chain import Device, Expected, check_budget, measure, prove, prove_formula
from stages.core.evaluation import coverage, evaluate
from stages.core.graph.lower import lower
from stages.core.graph.onnx_view import read_model
from stages.core.nets.baselines import Logistic, describe, energy
from stages.core.nets.examples import Examples, load_examples
from stages.core.parity import Agreement, choose_windows
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
    index = read_windows(paths.split / "windows.parquet")
    windows = index[index["part"] == "test"].reset_index(drop=True)
    (test,) = load_examples(paths.split, paths.features, "test")
    gate = read_json(paths.quantize / "gate.json")
    scored = {name: score(read_model(paths.quantize / f"{name}.onnx"), test) for name in ("float", *gate["rungs"])}
    expected = expectation(paths, windows, test, scored[gate["selected"]], settings.window.length)
    threshold_code = read_json(paths.convert / "contract.json")["decision"]["threshold_code"]
    rows = choose_windows(test.codes, expected.outputs, threshold_code, settings.validation.board_windows)
    with output_directory(paths.out) as out, track("validate", settings.validation.model_dump()) as record:
        agreements, boards = run_boards(paths, settings, expected, rows)
        scores, thresholds = all_scores(paths, test, scored)
        evaluation = evaluate(scores, thresholds, test.labels, list(gate["rungs"]))
        golden = rows[np.linspace(0, len(rows) - 1, min(_GOLDEN_WINDOWS, len(rows))).astype(int)]
        (out / "golden.bin").write_bytes(pack_golden(expected.samples[golden], expected.outputs[golden]))
        write_json(out / "parity.json", json_ready(agreements))
        write_json(out / "device.json", boards)
        write_json(out / "metrics.json", json_ready({"test": evaluation.metrics, "cost": evaluation.costs}))
        write_scores(out / "scores.parquet", windows, scored)
        sets = [ScoreSet(name, each.logits, thresholds[name]) for name, each in scored.items()]
        save_histograms(out / "scores.png", sets, test.labels)
        page = render(
            task=settings.task,
            gate=gate,
            windows=len(test.labels),
            coverage=coverage(index),
            evaluation=evaluation,
            parity=agreements,
            boards=boards,
            board_windows=len(rows),
        )
        (out / "report.md").write_text(page, encoding="utf-8")
        record.metrics({f"{name}_{key}": value for name, of in evaluation.metrics.items() for key, value in of.items()})
        for path in sorted(out.iterdir()):
            record.artifact(path)
    best = evaluation.metrics[gate["selected"]]
    return (
        f"validate: {len(boards)} boards agree with the reference to 0 LSB ({len(test.labels)} windows native, "
        f"{len(rows)} emulated); test AUC {best['auc']:.4f}, TPR at 1 % FPR {best['tpr_at_fpr_1']:.3f}"
    )


def run_boards(
    paths: argparse.Namespace, settings: ValidateSettings, expected: Expected, rows: NDArray[np.int64]
) -> tuple[list[Agreement], dict[str, Any]]:
    """Prove every board, native first: it is the fastest to answer, and the easiest to search."""
    agreements, boards = [prove_formula(expected)], {}
    sizes = read_json(paths.build / "size.json")
    in_order = sorted(settings.board.items(), key=lambda item: (item[1].kind != "native", item[0]))
    for name, board in progress(in_order, "validate: boards"):
        device = Device(name, board, paths.build / name / "harness.elf", settings.validation.timeout_s)
        part = expected if board.kind == "native" else expected.rows(rows)
        proven, result = prove(device, part, settings.validation.repeats)
        agreements += proven
        boards[name] = measure(device, result, expected.graph, sizes[name])
        check_budget(name, board, boards[name])
    return agreements, boards


def expectation(
    paths: argparse.Namespace, windows: pd.DataFrame, test: Examples, chosen: Scored, length: int
) -> Expected:
    """Collect the counts of the test windows and what every execution must make of them."""
    entries = {entry["session_id"]: entry["path"] for entry in read_json(paths.capture / "dataset.json")["sessions"]}
    files = {name: SessionFile(paths.capture / entries[name]) for name in windows["session_id"].unique()}
    samples = np.concatenate([counts for _, counts in counts_by_session(windows, files, length)])
    graph = lower(onnx.load_from_string(read_model(paths.convert / "model.onnx")))
    return Expected(graph, samples, np.asarray(test.codes), np.asarray(chosen.codes))


def all_scores(
    paths: argparse.Namespace, test: Examples, scored: dict[str, Scored]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
    """Return the scores and val thresholds of every precision and baseline."""
    thresholds = {name: each["logit"] for name, each in read_json(paths.quantize / "thresholds.json").items()}
    trained = read_json(paths.train / "metrics.json")
    logistic = Logistic.from_json(read_json(paths.train / "baselines.json")["logistic"])
    scores = {name: each.logits for name, each in scored.items()}
    scores |= {"energy": energy(test.codes), "logistic": logistic.score(describe(test.codes))}
    thresholds |= {name: trained[name]["threshold"] for name in ("energy", "logistic")}
    return scores, thresholds


def write_scores(path: Path, windows: pd.DataFrame, scored: dict[str, Scored]) -> None:
    """Write the test scores side by side with the identity of each window."""
    columns = {name: each.logits for name, each in scored.items()}
    codes = {f"{name}_code": each.codes for name, each in scored.items() if each.codes is not None}
    identity = windows[["session_id", "state", "condition", "start", "label"]]
    identity.assign(**columns, **codes).to_parquet(path, index=False)


if __name__ == "__main__":
    run(main, "capture", "split", "features", "train", "quantize", "convert", "build")
