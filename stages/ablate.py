"""Measure what calibration set, weight scales, QAT and score head are worth: every combination, over several seeds."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from safetensors.torch import save_file

from stages.core.artifacts import json_ready, output_directory, read_json, sha256_file, sha256_json, write_json
from stages.core.evaluation import REFERENCE
from stages.core.nets.augment import varied
from stages.core.nets.examples import load_examples
from stages.core.nets.models import load_model
from stages.core.parallel import map_sessions
from stages.core.quant.ablation import (
    Parts,
    Recipe,
    compare,
    in_common,
    judge,
    judge_float,
    quantise,
    train_float,
)
from stages.core.quant.ablation_files import folder, keep, read_judged, read_outcome
from stages.core.quant.effects import Cell, Outcome, cells, extremes
from stages.core.report.ablation_page import Setting, rankings, render_ablation, save_effects
from stages.core.report.figures import ScoreSet, save_histograms
from stages.core.schema.compute import Compute
from stages.core.settings import load
from stages.core.stage import exit_with, progress


class AblateSettings(Recipe):
    """The sections that this command reads."""

    task: str


def main(paths: argparse.Namespace) -> str:
    """Run the command; what an earlier run finished with the same configuration and data is kept."""
    settings = load(paths.config, AblateSettings)
    work = paths.out / "work" / identity(paths, settings)
    seeds = range(settings.seed, settings.seed + paths.seeds)
    compute = Compute(backend="loky", workers=paths.jobs)
    pairs = [(seed, cell) for seed in seeds for cell in cells()]
    floats = [seed for seed in seeds if not folder(work, seed, REFERENCE).exists()]
    missing = [(seed, cell) for seed, cell in pairs if not folder(work, seed, cell).exists()]
    for todo, function in ((floats, make_float), (missing, make_cell)):
        made = map_sessions(partial(function, paths, settings, work), todo, compute)
        for _ in progress(made, f"ablate: {'networks' if todo is floats else 'combinations'}", total=len(todo)):
            pass
    outcomes = [read_outcome(work, seed, cell) for seed, cell in pairs]
    report(paths, settings, work, outcomes)
    return f"ablate: {len(pairs)} combinations and seeds, {len(missing)} of them new; {paths.out / 'ablation.md'}"


def identity(paths: argparse.Namespace, settings: Recipe) -> str:
    """Name the configuration and the data, so that nothing of another run is taken for this one's."""
    data = [sha256_file(path) for path in (paths.features / "codes.npy", paths.split / "windows.parquet")]
    return sha256_json({"settings": settings.model_dump(mode="json"), "data": data})[:12]


def read_parts(paths: argparse.Namespace, settings: Recipe) -> Parts:
    """Memory-map the windows."""
    return Parts(*load_examples(paths.split, paths.features, settings.labels, "train", "val", "test"))


def make_float(paths: argparse.Namespace, settings: AblateSettings, work: Path, seed: int) -> None:
    """Train and keep the float network of a seed."""
    parts = read_parts(paths, settings)
    data = {"capture": paths.capture, "split": paths.split, "features": paths.features}
    with varied(parts.train, settings.train.augment, settings.labels, seed, **data) as windows:
        model = train_float(settings, seed, windows, parts)
    run = judge_float(settings, model, parts)
    with output_directory(folder(work, seed, REFERENCE)) as out:
        save_file(model.state_dict(), out / "weights.safetensors")
        keep(out, run.judged, {"rows": run.rows})


def make_cell(paths: argparse.Namespace, settings: AblateSettings, work: Path, item: tuple[int, Cell]) -> None:
    """Quantise a seed's float network in one way, and keep what that cost."""
    seed, cell = item
    parts, source = read_parts(paths, settings), folder(work, seed, REFERENCE)
    shape = (parts.train.codes.shape[2], parts.train.outputs)
    model = load_model(settings.model, *shape, source / "weights.safetensors")
    rows = read_json(source / "result.json")["rows"][cell.calibration]
    judged = judge(settings, quantise(settings, cell, seed, model, rows, parts), parts)
    outcome = compare(settings, cell, seed, read_judged(source), judged, parts.test)
    with output_directory(folder(work, seed, cell)) as out:
        keep(out, judged, {"costs": outcome.costs})


def report(paths: argparse.Namespace, settings: AblateSettings, work: Path, outcomes: list[Outcome]) -> None:
    """Write the table, the figures and their data."""
    test = read_parts(paths, settings).test
    outputs = settings.labels.classes[1:]
    by_question = rankings(outcomes, outputs)
    seed, worst, best = extremes(outcomes, outputs)
    shown: dict[str, Cell | str] = {"float": REFERENCE, f"worst: {worst}": worst, f"best: {best}": best}
    judged = {f"{title}, seed {seed}": read_judged(folder(work, seed, what)) for title, what in shown.items()}
    sets = [ScoreSet(title, each.test, each.thresholds) for title, each in judged.items()]
    save_histograms(paths.out / "scores.png", sets, test.labels, settings.labels.classes)
    save_effects(paths.out / "effects.png", by_question)
    setting = Setting(settings.task, len(test.labels), in_common(settings), list(judged))
    page = render_ablation(outcomes, by_question, outputs, setting)
    (paths.out / "ablation.md").write_text(page, encoding="utf-8")
    facts = json_ready({"setting": setting, "outcomes": outcomes, "rankings": by_question})
    write_json(paths.out / "ablation.json", facts)


def arguments() -> argparse.Namespace:
    """Parse the command line; everything has a default on the working directory's artifacts."""
    parser = argparse.ArgumentParser(prog="python -m stages.ablate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="float networks, each quantised in every way")
    parser.add_argument("--jobs", type=int, default=1, help="processes; the results do not depend on it")
    parser.add_argument("--config", type=Path, default=Path("data/config.yaml"))
    parser.add_argument("--capture", type=Path, default=Path("data/capture"))
    parser.add_argument("--split", type=Path, default=Path("data/split"))
    parser.add_argument("--features", type=Path, default=Path("data/features"))
    parser.add_argument("--out", type=Path, default=Path("models/ablation"))
    return parser.parse_args()


if __name__ == "__main__":
    exit_with(lambda: print(main(arguments())))
