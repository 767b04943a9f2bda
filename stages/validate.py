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
from stages.core.contest import Contest
from stages.core.device.chain import Device, Expected, check_budget, measure, prove, prove_formula
from stages.core.evaluation import coverage, flat, headline
from stages.core.graph.lower import lower
from stages.core.graph.onnx_view import read_model
from stages.core.nets.baselines import Logistic
from stages.core.nets.examples import Examples, load_examples
from stages.core.parity import Agreement, choose_windows
from stages.core.recordings.batches import read_counts
from stages.core.recordings.dataset import session_files
from stages.core.recordings.windows import UNSEEN, read_windows
from stages.core.report.figures import ScoreSet, save_histograms
from stages.core.report.page import render
from stages.core.schema.build import Board
from stages.core.schema.labels import Labels
from stages.core.schema.validate import Validate
from stages.core.schema.window import Window
from stages.core.scoring import Scored, score_columns
from stages.core.settings import Settings, load
from stages.core.stage import progress, run
from stages.core.tracking import track

_GOLDEN_WINDOWS = 8


class ValidateSettings(Settings):
    """The sections that this stage reads."""

    task: str
    labels: Labels
    window: Window
    board: dict[str, Board]
    validation: Validate = Field(alias="validate")


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    settings = load(paths.config, ValidateSettings)
    index = read_windows(paths.split / "windows.parquet")
    windows = index[index["part"] == "test"].reset_index(drop=True)
    leaky = read_json(paths.split / "split.json")["leaky"]
    gate = read_json(paths.quantize / "gate.json")
    contest = read_contest(paths, gate, settings.labels)
    parts = ["test", UNSEEN] if (index["part"] == UNSEEN).any() else ["test"]
    test, *apart = load_examples(paths.split, paths.features, settings.labels.outputs, *parts)
    scored, evaluation = contest.judge(test)
    unseen = contest.judge(apart[0])[1] if apart else None
    expected = expectation(paths, windows, test, scored[gate["selected"]], settings.window.length)
    codes = read_json(paths.convert / "contract.json")["decision"]["threshold_codes"]
    rows = choose_windows(test.codes, expected.outputs, codes, settings.validation.board_windows)
    with output_directory(paths.out) as out, track("validate", settings.validation.model_dump()) as record:
        agreements, boards = run_boards(paths, settings, expected, rows)
        golden = rows[np.linspace(0, len(rows) - 1, min(_GOLDEN_WINDOWS, len(rows))).astype(int)]
        (out / "golden.bin").write_bytes(pack_golden(expected.samples[golden], expected.outputs[golden]))
        write_json(out / "parity.json", json_ready(agreements))
        write_json(out / "device.json", boards)
        figures = {"leaky": leaky, "test": evaluation.metrics, "cost": evaluation.costs}
        write_json(out / "metrics.json", json_ready(figures | ({"unseen": unseen.metrics} if unseen else {})))
        write_scores(out / "scores.parquet", windows, scored, contest.outputs)
        sets = [ScoreSet(name, each.logits, contest.thresholds[name]) for name, each in scored.items()]
        save_histograms(out / "scores.png", sets, test.labels, settings.labels.classes)
        page = render(
            task=settings.task,
            gate=gate,
            outputs=contest.outputs,
            leaky=leaky,
            unseen=unseen,
            windows=len(test.labels),
            coverage=coverage(index),
            evaluation=evaluation,
            parity=agreements,
            boards=boards,
            board_windows=len(rows),
        )
        (out / "report.md").write_text(page, encoding="utf-8")
        record.metrics(flat(evaluation.metrics))
        for path in sorted(out.iterdir()):
            record.artifact(path)
    emulated = f", {len(rows)} on each emulated board" if len(boards) > 1 else ""
    shipped = headline({gate["selected"]: evaluation.metrics[gate["selected"]]})
    return (
        f"validate: {', '.join(boards)} at 0 LSB from the reference ({len(test.labels)} windows natively{emulated}); "
        f"test{' of a LEAKY split' if leaky else ''}: {shipped}"
    )


def read_contest(paths: argparse.Namespace, gate: dict[str, Any], labels: Labels) -> Contest:
    """Collect precisions and baselines from the stages that made them."""
    trained = read_json(paths.train / "metrics.json")
    tuned = read_json(paths.quantize / "thresholds.json")
    thresholds = {name: [each["logit"] for each in by_output] for name, by_output in tuned.items()}
    thresholds |= {name: [of["threshold"] for of in trained[name].values()] for name in ("energy", "logistic")}
    return Contest(
        {name: read_model(paths.quantize / f"{name}.onnx") for name in ("float", *gate["rungs"])},
        [Logistic.from_json(each) for each in read_json(paths.train / "baselines.json")["logistic"]],
        thresholds,
        labels.classes[1:],
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
    samples = read_counts(windows, session_files(paths.capture), length)
    graph = lower(onnx.load_from_string(read_model(paths.convert / "model.onnx")))
    return Expected(graph, samples, np.asarray(test.codes), np.asarray(chosen.codes))


def write_scores(path: Path, windows: pd.DataFrame, scored: dict[str, Scored], outputs: tuple[str, ...]) -> None:
    """Write the test scores side by side with the identity of each window."""
    identity = windows[["session_id", "state", "condition", "start", "label"]]
    identity.assign(**score_columns(scored, outputs)).to_parquet(path, index=False)


if __name__ == "__main__":
    run(main, "capture", "split", "features", "train", "quantize", "convert", "build")
