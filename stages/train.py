"""Train the float model and its baselines, and set their thresholds on val."""

from __future__ import annotations

import argparse
from collections import defaultdict
from typing import Any

from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from stages.core.artifacts import json_ready, output_directory, write_json
from stages.core.dsp.contract import INPUT_SCALE
from stages.core.evaluation import ByModel, flat, headline
from stages.core.graph.export import check_module
from stages.core.nets.augment import varied
from stages.core.nets.baselines import Logistic, baseline_scores, describe
from stages.core.nets.examples import Examples, load_examples
from stages.core.nets.inference import float_scores
from stages.core.nets.loop import Epoch, fit_best, initialised
from stages.core.schema.labels import Labels
from stages.core.schema.model import Model
from stages.core.schema.train import Train
from stages.core.settings import Settings, load
from stages.core.stage import progress_bar, run
from stages.core.tail import describe as describe_scores
from stages.core.thresholds import choosers
from stages.core.tracking import Run, track


class TrainSettings(Settings):
    """The sections that this stage reads."""

    seed: int
    labels: Labels
    model: Model
    train: Train


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    config = load(paths.config, TrainSettings)
    with track("train", config.train.model_dump(), paths.out) as record:
        return train_all(paths, config, record)


def train_all(paths: argparse.Namespace, config: TrainSettings, record: Run) -> str:
    """Train and score everything, and return the closing line."""
    train, val = load_examples(paths.split, paths.features, config.labels, "train", "val")
    _, length, channels = train.codes.shape
    # Before the first epoch: training what the device could not run would be for nothing.
    check_module(initialised(config.model, channels, train.outputs, config.seed), channels, length)
    with (
        output_directory(paths.out) as out,
        varied(
            train,
            config.train.augment,
            config.labels,
            config.seed,
            capture=paths.capture,
            split=paths.split,
            features=paths.features,
        ) as varying,
    ):
        model, history = train_float(varying, val, config, record)
        described = describe(train.codes)
        logistic = [Logistic.fit(described, targets) for targets in train.targets.T]
        scores: dict[str, NDArray[Any]] = {
            "float": float_scores(model, val.planes, INPUT_SCALE),
            **baseline_scores(val.codes, logistic),
        }
        metrics = score_metrics(scores, val, config)
        save_file(model.state_dict(), out / "float.safetensors")
        write_json(out / "baselines.json", {"logistic": [each.to_json() for each in logistic]})
        write_json(out / "metrics.json", json_ready(metrics))
        write_json(out / "history.json", history)
        record.metrics(flat(metrics))
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    return f"train: {n_parameters} parameters, {len(history)} epochs; val {headline(metrics)}"


def train_float(
    train: Examples, val: Examples, config: TrainSettings, record: Run
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """Train the network, and return it and the history of the start that it came from."""
    histories = defaultdict[int, list[dict[str, Any]]](list)
    with progress_bar("train: epochs", config.train.epochs * (config.train.restarts + 1)) as advance:

        def on_epoch(start: int, epoch: Epoch) -> None:
            histories[start].append(epoch.__dict__)
            losses = {"train_loss": epoch.train_loss, "val_loss": epoch.val_loss}
            record.metrics(losses, step=start * config.train.epochs + epoch.epoch)
            advance()

        model, kept = fit_best(config.model, train, val, config.train, config.seed, on_epoch)
    return model, histories[kept]


def score_metrics(scores: dict[str, NDArray[Any]], val: Examples, config: TrainSettings) -> ByModel:
    """Set thresholds for each model and output on val, and describe its scores."""
    names, targets = config.labels.classes[1:], val.targets
    choose = choosers(config.train.threshold, names, val.hop_s)

    def at_threshold(values: NDArray[Any], k: int) -> dict[str, float]:
        below = targets[:, k] == 0
        return describe_scores(values, targets[:, k], choose[k](values[below], values[~below]), val.hop_s)

    return {
        model: {name: at_threshold(values[:, k], k) for k, name in enumerate(names)} for model, values in scores.items()
    }


if __name__ == "__main__":
    run(main, "capture", "split", "features")
