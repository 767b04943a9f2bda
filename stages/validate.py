"""Prove that every execution agrees, hold the boards to their budgets, and read the test split once."""

from __future__ import annotations

import argparse

import numpy as np
from pydantic import Field

from stages.core.artifacts import json_ready, output_directory, read_json, write_json
from stages.core.bootstrap import Resampling
from stages.core.bundle.sections import pack_golden
from stages.core.classes import any_class
from stages.core.contest import read_contest
from stages.core.device.harness import Samples
from stages.core.device.ladder import Bench, Rung, make_rung
from stages.core.device.streaming import hold, severest, stream_boards
from stages.core.evaluation import REFERENCE, coverage, flat, headline
from stages.core.graph.onnx_view import read_model
from stages.core.nets.examples import Examples, load_examples
from stages.core.product import Product
from stages.core.recordings.batches import read_counts
from stages.core.recordings.dataset import session_files
from stages.core.recordings.windows import UNSEEN, read_windows
from stages.core.report.curves import roc_table
from stages.core.report.figures import ScoreSet, save_histograms
from stages.core.report.page import frame, render
from stages.core.report.streams import figures_of, write_streams
from stages.core.runtime.refused import limit_refused, refused
from stages.core.schema.build import Board
from stages.core.schema.gate import Gate
from stages.core.schema.labels import Labels
from stages.core.schema.validate import Validate
from stages.core.schema.window import Window
from stages.core.scoring import Scored, write_scores
from stages.core.settings import Settings, load
from stages.core.stage import progress, run
from stages.core.tracking import Run, track

_GOLDEN_WINDOWS = 8
_IDENTITY = ["session_id", "state", "condition", "start", "label"]


class ValidateSettings(Settings):
    """The sections that this stage reads."""

    task: str
    seed: int
    labels: Labels
    window: Window
    gate: Gate
    board: dict[str, Board]
    validation: Validate = Field(alias="validate")


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    settings = load(paths.config, ValidateSettings)
    with track("validate", settings.validation.model_dump(), paths.out) as record:
        return validate(paths, settings, record)


def validate(paths: argparse.Namespace, settings: ValidateSettings, record: Run) -> str:
    """Hold every execution against the reference, and return the closing line."""
    index = read_windows(paths.split / "windows.parquet")
    windows = index[index["part"] == "test"].reset_index(drop=True)
    leaky = read_json(paths.split / "split.json")["leaky"]
    gate = read_json(paths.quantize / "gate.json")
    contest = read_contest(paths.train, paths.quantize, settings.labels)
    parts = ["test", UNSEEN] if (index["part"] == UNSEEN).any() else ["test"]
    test, *apart = load_examples(paths.split, paths.features, settings.labels, *parts)
    scored, evaluation = contest.judge(test, Resampling(**dict(settings.gate.bootstrap), seed=settings.seed))
    unseen = contest.judge(apart[0])[1] if apart else None
    samples = read_counts(windows, session_files(paths.capture), settings.window.length)
    product = Product.read(paths.convert, paths.features)
    stopped = refused(product.stream.limits, samples, test.labels, settings.labels.classes)
    limit_refused(stopped, settings.validation.max_refused)
    names = sorted(set(gate["rungs"]) & set(scored), key=lambda name: (name != gate["selected"], name))
    rungs = [read_rung(paths, settings, name, samples, test, scored[name]) for name in names]
    ships, sizes = rungs[0].emulated, read_json(paths.build / "rungs.json")
    bench = Bench(settings.board, paths.build, sizes, settings.validation.repeats, settings.validation.timeout_s)
    with output_directory(paths.out) as out:
        climb = bench.climb(progress(rungs, "validate: precisions"))
        recordings = severest(windows, session_files(paths.capture), settings.validation.replay_sessions)
        streamed = stream_boards(product, settings.board, paths.build, recordings, settings.validation, settings.seed)
        boards = hold(settings.board, climb.measured[gate["selected"]], streamed)
        golden = ships.evenly(_GOLDEN_WINDOWS)
        (out / "golden.bin").write_bytes(pack_golden(golden.samples, golden.scores))
        write_json(out / "parity.json", json_ready(climb.agreements))
        write_json(out / "device.json", boards)
        write_json(out / "price.json", {"selected": gate["selected"], "rungs": climb.prices})
        write_streams(out, streamed)
        told, rejections = contest.tell(scored, test), contest.withhold(scored, test)
        figures = {"leaky": leaky, "test": evaluation.metrics, "cost": evaluation.costs, "classes": told}
        figures |= {"refused": stopped} | ({"withheld": rejections} if rejections else {})
        write_json(out / "metrics.json", json_ready(figures | ({"unseen": unseen.metrics} if unseen else {})))
        write_json(out / "intervals.json", json_ready(evaluation.intervals_json()))
        write_scores(out / "scores.parquet", windows[_IDENTITY], scored, settings.labels.classes[1:])
        shown = {"float": scored[REFERENCE], "shipped": scored[gate["selected"]]}
        of_any = {name: any_class(each.logits, settings.labels.kind) for name, each in shown.items()}
        roc_table(of_any, np.minimum(test.labels, 1)).to_csv(out / "roc.csv", index=False)
        sets = [ScoreSet(name, each.logits, contest.thresholds[name]) for name, each in scored.items()]
        save_histograms(out / "scores.png", sets, test.labels, settings.labels.classes)
        page = render(
            task=settings.task,
            gate=gate,
            leaky=leaky,
            unseen=unseen,
            windows=len(test.labels),
            coverage=coverage(index),
            evaluation=evaluation,
            **frame(settings.labels, settings.gate.bootstrap, evaluation),
            layers=read_json(paths.quantize / "layers.json"),
            told=told,
            rejections=rejections,
            refused=stopped,
            max_refused=settings.validation.max_refused,
            parity=climb.agreements,
            boards=boards,
            streams=figures_of(streamed),
            prices=climb.prices,
            board_windows=len(ships.scores),
        )
        (out / "report.md").write_text(page, encoding="utf-8")
        record.metrics(flat(evaluation.metrics))
        record.headline(flat({"test": evaluation.metrics[gate["selected"]]}))
    emulated = f", {len(ships.scores)} on each emulated board" if len(boards) > 1 else ""
    shipped = headline({gate["selected"]: evaluation.metrics[gate["selected"]]})
    return (
        f"validate: {', '.join(boards)} agree with the reference ({len(test.labels)} windows natively{emulated}) "
        f"in {', '.join(names)}; test{' of a LEAKY split' if leaky else ''}: {shipped}"
    )


def read_rung(
    paths: argparse.Namespace, settings: ValidateSettings, name: str, samples: Samples, test: Examples, scored: Scored
) -> Rung:
    """Collect what every execution of a precision must make of the counts of the test windows."""
    contract = read_json(paths.convert / "rungs" / name / "contract.json")
    ships = contract == read_json(paths.convert / "contract.json")
    model = read_model(paths.convert / "model.onnx" if ships else paths.quantize / f"{name}.onnx")
    at = contract["decision"]["threshold_codes"]
    n_windows = settings.validation.board_windows if ships else settings.validation.rung_windows
    return make_rung(name, model, samples, test.codes, scored.codes, at, n_windows, ships=ships)


if __name__ == "__main__":
    run(main, "capture", "split", "features", "train", "quantize", "convert", "build")
