"""The cells of the ablation differ in what they say they differ in, and in nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml

from stages.core.graph.lower import lower
from stages.core.graph.reference import execute
from stages.core.nets.examples import Examples
from stages.core.quant.ablation import Parts, Recipe, compare, judge, judge_float, quantise, train_float
from stages.core.quant.effects import Cell
from stages.core.tail import compare as tail_compare

CONF = Path(__file__).parents[3] / "conf"
LENGTH, CHANNELS = 16, 2
PLAIN = Cell("near_threshold", "per_channel", "ptq", "int8")


def recipe() -> Recipe:
    """The default configuration, made small."""
    train, quantize = (yaml.safe_load((CONF / name / "default.yaml").read_text()) for name in ("train", "quantize"))
    small = {"epochs": 3, "patience": 3, "batch_size": 32, "lr": 0.02, "weight_decay": 0.0}
    plain = {"observer": "minmax", "percentile_share": 0.999, "equalise": False, "score": "int8", "ladder": ["ptq"]}
    plain["pruning"] = None
    return Recipe.model_validate(
        {
            "seed": 1,
            "labels": {"kind": "ordered", "classes": ["ok", "bad"], "min_overlap": 0.5},
            "model": {"kind": "mlp", "hidden": [6]},
            "train": train | small,
            "quantize": quantize
            | plain
            | {
                "calibration": {"design": "representative", "windows": 40},
                "qat": {"epochs": 1, "frozen_epochs": 0, "lr_factor": 0.1, "distillation": 0.0},
            },
        }
    )


def part(seed: int, n: int = 200) -> Examples:
    """Noise of one or of three times that amplitude; a few anomalous windows are ten times as loud."""
    rng = np.random.Generator(np.random.PCG64(seed))
    labels = (np.arange(n) % 2).astype(np.int8)
    amplitude = np.where(labels == 1, np.where(np.arange(n) % 20 == 1, 60, 18), 6)
    codes = rng.normal(0, 1, (n, LENGTH, CHANNELS)) * amplitude[:, None, None]
    return Examples(np.clip(np.rint(codes), -128, 127).astype(np.int8), labels, 1)


@pytest.fixture(scope="module")
def parts():
    return Parts(part(1), part(2), part(3))


@pytest.fixture(scope="module")
def model(parts):
    return train_float(recipe(), 7, parts.train, parts)


@pytest.fixture(scope="module")
def run(model, parts):
    return judge_float(recipe(), model, parts)


@pytest.fixture(scope="module")
def graphs(model, run, parts):
    """The networks of some cells: the plain one, and one that differs from it in each choice."""
    different = {
        "plain": PLAIN,
        "calibration": replace(PLAIN, calibration="healthy_only"),
        "weights": replace(PLAIN, weights="per_tensor"),
        "method": replace(PLAIN, method="qat"),
        "score": replace(PLAIN, score="int32"),
    }
    return {
        name: lower(onnx.load_from_string(quantise(recipe(), cell, 7, model, run.rows[cell.calibration], parts)))
        for name, cell in different.items()
    }


def test_calibration_sets_are_of_their_design(run, parts):
    assert set(parts.train.labels[run.rows["healthy_only"]]) == {0}
    assert set(parts.train.labels[run.rows["near_threshold"]]) == {0, 1}
    assert len(run.rows["near_threshold"]) <= 40


def test_healthy_calibration_makes_the_smaller_ranges_and_keeps_the_weights(graphs):
    plain, healthy = graphs["plain"].ops[0], graphs["calibration"].ops[0]
    assert healthy.output.scale < 0.5 * plain.output.scale
    assert np.array_equal(healthy.weight, plain.weight)


def test_per_tensor_weights_have_one_scale_and_the_same_activation_ranges(graphs):
    plain, tensor = graphs["plain"].ops[0], graphs["weights"].ops[0]
    assert len(np.unique(tensor.multiplier)) == 1 < len(np.unique(plain.multiplier))
    assert tensor.output.scale == pytest.approx(plain.output.scale, rel=0.05)


def test_qat_moves_the_weights(graphs):
    assert not np.array_equal(graphs["method"].ops[0].weight, graphs["plain"].ops[0].weight)


def test_whole_score_is_the_accumulator_of_the_same_network(graphs, parts):
    plain, whole = graphs["plain"], graphs["score"]
    assert (plain.output.dtype, whole.output.dtype) == ("int8", "int32")
    hidden = [execute(graph, parts.test.codes)[graph.ops[-1].input.name] for graph in (plain, whole)]
    assert np.array_equal(*hidden)


def test_float_network_costs_nothing_against_itself(run, parts):
    outcome = compare(recipe(), PLAIN, 7, run.judged, run.judged, parts.test)
    assert (outcome.cell, outcome.seed) == (PLAIN, 7)
    costs = outcome.costs["bad"]
    assert costs["auc_drop"] == costs["flipped_fraction"] == costs["wasserstein_anomalous"] == 0


def test_costs_are_those_of_the_tail_module_with_thresholds_from_val(model, run, parts):
    cell = replace(PLAIN, calibration="healthy_only")
    judged = judge(recipe(), quantise(recipe(), cell, 7, model, run.rows["healthy_only"], parts), parts)
    found = compare(recipe(), cell, 7, run.judged, judged, parts.test).costs["bad"]
    scores, labels = (run.judged.test[:, 0], judged.test[:, 0]), parts.test.labels
    expected = tail_compare(*scores, labels, run.judged.thresholds[0], judged.thresholds[0])
    assert {name: found[name] for name in expected} == pytest.approx(expected, nan_ok=True)
    assert found["wasserstein_anomalous"] > 0.1  # a tail that calibration never saw is cut


def test_same_seed_gives_the_same_network_and_another_seed_another(model, parts):
    again, other = (train_float(recipe(), seed, parts.train, parts) for seed in (7, 8))
    weights = [each.head.weight.detach().numpy() for each in (model, again, other)]
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
