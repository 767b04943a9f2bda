"""Train the float model and its baselines, and set their thresholds on val."""

from __future__ import annotations

import argparse
from typing import Any

import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn

from stages.core.artifacts import json_ready, output_directory, write_json
from stages.core.dsp.contract import INPUT_SCALE
from stages.core.evaluation import ByModel, flat, headline
from stages.core.graph.contract import check_module
from stages.core.nets.augment import varied
from stages.core.nets.baselines import Logistic, baseline_scores, describe
from stages.core.nets.examples import Examples, load_examples
from stages.core.nets.inference import float_scores
from stages.core.nets.loop import Epoch, fit
from stages.core.nets.models import build_model
from stages.core.schema.labels import Labels
from stages.core.schema.model import Model
from stages.core.schema.train import Train
from stages.core.seeds import derive_seed, seed_torch
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
    train, val = load_examples(paths.split, paths.features, config.labels.outputs, "train", "val")
    model = untrained(config, train)
    with (
        output_directory(paths.out) as out,
        track("train", config.train.model_dump()) as record,
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
        history = train_float(model, varying, val, config, record)
        described = describe(train.codes)
        logistic = [Logistic.fit(described, targets) for targets in train.targets.T]
        scores: dict[str, NDArray[Any]] = {
            "float": float_scores(model.eval(), val.planes, INPUT_SCALE),
            **baseline_scores(val.codes, logistic),
        }
        metrics = score_metrics(scores, val, config)
        save_file(model.state_dict(), out / "float.safetensors")
        write_json(out / "baselines.json", {"logistic": [each.to_json() for each in logistic]})
        write_json(out / "metrics.json", json_ready(metrics))
        write_json(out / "history.json", history)
        record.metrics(flat(metrics))
        record.artifact(out / "float.safetensors")
        record.artifact(out / "metrics.json")
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    return f"train: {n_parameters} parameters, {len(history)} epochs; val {headline(metrics)}"


def untrained(config: TrainSettings, train: Examples) -> nn.Module:
    """Build the seeded network, and refuse it before the first epoch if the device could not run it."""
    seed_torch(derive_seed(config.seed, "train"))
    _, length, channels = train.codes.shape
    model = build_model(config.model, channels, train.outputs)
    check_module(model, channels, length)
    return model


def train_float(
    model: nn.Module, train: Examples, val: Examples, config: TrainSettings, record: Run
) -> list[dict[str, Any]]:
    """Fit the network and return its history."""
    history: list[dict[str, Any]] = []
    generator = torch.Generator().manual_seed(derive_seed(config.seed, "train", "order"))
    with progress_bar("train: epochs", config.train.epochs) as advance:

        def on_epoch(epoch: Epoch) -> None:
            history.append(epoch.__dict__)
            record.metrics({"train_loss": epoch.train_loss, "val_loss": epoch.val_loss}, step=epoch.epoch)
            advance()

        fit(model, train, val, config.train, generator=generator, on_epoch=on_epoch)
    return history


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
