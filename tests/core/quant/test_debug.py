"""A layer that was made bad is named first, with the right reason; figures are those of a hand calculation."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from stages.core.errors import ArtifactError, ConfigError
from stages.core.graph.export import export_onnx
from stages.core.graph.ir import Conv1d, Dense, Graph, Op
from stages.core.graph.lower import lower
from stages.core.graph.reference import execute
from stages.core.nets.examples import Examples
from stages.core.nets.inference import float_scores
from stages.core.quant.debug import Diagnosis, diagnose, sample, sqnr_db, tail_cost, to_real
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from tests.core.graph.networks import SCALE, ds_cnn

CHANNELS, LENGTH = 2, 128


def bursts() -> Examples:
    """Noise, half of the windows with bursts in it that grow from one to the next."""
    rng = np.random.Generator(np.random.PCG64(5))
    codes, labels = rng.normal(0, 8, (240, LENGTH, CHANNELS)), np.arange(240) % 2
    envelope = np.exp(-(((np.arange(LENGTH) - LENGTH / 2) / 12) ** 2))[:, np.newaxis]
    strength = np.linspace(5, 100, 240) * labels
    codes += strength[:, None, None] * envelope * rng.normal(0, 1, codes.shape)
    return Examples(np.clip(np.rint(codes), -128, 127).astype(np.int8), labels.astype(np.int8), 1)


def taught(model: nn.Module, examples: Examples) -> nn.Module:
    """Give the network a head that tells the two classes apart."""
    trunk = copy.deepcopy(model)
    trunk.head = nn.Identity()
    features = float_scores(trunk, examples.planes, SCALE).astype(np.float64)
    spread = features.std(axis=0) + 1e-3
    probe = LogisticRegression(max_iter=2000).fit(features / spread, examples.labels)
    with torch.no_grad():
        model.head.weight[:] = torch.from_numpy(probe.coef_ / spread)
        model.head.bias[:] = torch.from_numpy(probe.intercept_)
    return model


def graph_of(module: nn.Module) -> Graph:
    return lower(onnx.load_from_string(export_onnx(module, CHANNELS, LENGTH, SCALE)))


@pytest.fixture(scope="module")
def examples() -> Examples:
    return bursts()


@pytest.fixture(scope="module")
def model(examples: Examples) -> nn.Module:
    return taught(ds_cnn(CHANNELS), examples)


@pytest.fixture(scope="module")
def reference(model: nn.Module) -> Graph:
    return graph_of(model)


@pytest.fixture(scope="module")
def graph(model: nn.Module, examples: Examples) -> Graph:
    return graph_of(ptq(model, examples.planes, QuantOptions(SCALE)))


def with_output_scale(graph: Graph, layer: str, factor: float) -> Graph:
    """Give one layer's output another scale, and its reader the constants that go with it."""
    ops: list[Op] = list(graph.ops)
    place = [op.name for op in ops].index(layer)
    spoilt, reader = ops[place], ops[place + 1]
    output = replace(spoilt.output, scale=spoilt.output.scale * factor)
    ops[place] = replace(spoilt, output=output, multiplier=np.float32(spoilt.multiplier / factor))
    changes = {"input": output, "multiplier": np.float32(reader.multiplier * factor)}
    if isinstance(reader, Conv1d | Dense):
        changes["bias"] = np.rint(reader.bias / factor).astype(np.int32)
    ops[place + 1] = replace(reader, **changes)
    return replace(graph, ops=tuple(ops))


def first(diagnosis: Diagnosis) -> str:
    return diagnosis.reasons[0].noise.layer


@pytest.mark.parametrize("layer", ["stem", "block0_pointwise", "block1_depthwise"])
def test_layer_whose_range_is_eight_times_too_small_is_named_first_and_saturates(
    layer: str, reference: Graph, graph: Graph, examples: Examples
) -> None:
    sound = {each.noise.layer: each.noise.saturated_anomalous for each in diagnose(reference, graph, examples).reasons}
    found = diagnose(reference, with_output_scale(graph, layer, 1 / 8), examples)
    assert first(found) == layer
    assert found.reasons[0].healed > 0.8
    assert found.reasons[1].healed < 0.2
    saturated = {reason.noise.layer: reason.noise.saturated_anomalous for reason in found.reasons}
    assert max(saturated, key=saturated.__getitem__) == layer
    assert saturated[layer] > 100 * sound[layer]


@pytest.mark.parametrize("layer", ["stem", "block0_pointwise"])
def test_layer_whose_range_is_sixteen_times_too_large_is_named_first_and_uses_few_codes(
    layer: str, reference: Graph, graph: Graph, examples: Examples
) -> None:
    found = diagnose(reference, with_output_scale(graph, layer, 16), examples)
    assert first(found) == layer
    noise = found.reasons[0].noise
    assert noise.distinct_codes is not None and noise.distinct_codes <= 17
    assert noise.range_use is not None and noise.range_use <= 17 / 256
    assert noise.saturated_anomalous == 0


def test_layer_spoilt_by_one_outlier_channel_under_one_weight_scale_is_named_first(examples: Examples) -> None:
    """The weights of one channel are 200 times those of the rest; its bias keeps it silent in float."""
    model = ds_cnn(CHANNELS)
    with torch.no_grad():
        model.block[0].pointwise.norm.weight[3] *= 200
        model.block[0].pointwise.norm.bias[3] = -1e3
    taught(model, examples)
    per_tensor = graph_of(ptq(model, examples.planes, QuantOptions(SCALE, per_channel=False)))
    found = diagnose(graph_of(model), per_tensor, examples)
    assert first(found) == "block0_pointwise"
    noise = found.reasons[0].noise
    others = [r.noise.weight_sqnr_db for r in found.reasons[1:] if r.noise.weight_sqnr_db is not None]
    assert noise.worst_channel != 3
    assert noise.worst_channel_sqnr_db is not None and noise.worst_channel_sqnr_db < min(others) - 10


def test_sound_network_is_near_float_and_noise_grows_from_layer_to_layer(
    reference: Graph, graph: Graph, examples: Examples
) -> None:
    found = diagnose(reference, graph, examples)
    noise = {reason.noise.layer: reason.noise for reason in found.reasons}
    assert set(noise) == {op.name for op in graph.ops}
    assert noise["stem"].sqnr_db == noise["stem"].own_sqnr_db  # nothing comes before it
    assert noise["block1_pointwise"].sqnr_db < noise["block1_pointwise"].own_sqnr_db
    assert noise["pool"].weight_sqnr_db is None and noise["pool"].worst_channel is None
    assert all(each.own_sqnr_db > 25 and each.saturated_anomalous < 0.01 for each in noise.values())


def test_wider_activations_leave_the_noise_of_the_weights(
    model: nn.Module, reference: Graph, graph: Graph, examples: Examples
) -> None:
    wide = graph_of(ptq(model, examples.planes, QuantOptions(SCALE, activation="int16")))
    narrow, found = (diagnose(reference, each, examples) for each in (graph, wide))
    assert {reason.noise.layer for reason in found.reasons} == {reason.noise.layer for reason in narrow.reasons}
    pool, stem = (next(r.noise for r in found.reasons if r.noise.layer == name) for name in ("pool", "stem"))
    assert pool.own_sqnr_db > 75  # nothing but rounding to 16 bits, and no weights
    assert stem.own_sqnr_db == pytest.approx(stem.weight_sqnr_db, abs=6)
    assert found.cost.tail_error < narrow.cost.tail_error


def test_whole_accumulator_as_score_has_no_codes_to_saturate(
    model: nn.Module, reference: Graph, examples: Examples
) -> None:
    found = diagnose(reference, graph_of(ptq(model, examples.planes, QuantOptions(SCALE, score="int32"))), examples)
    head = next(reason.noise for reason in found.reasons if reason.noise.layer == "head")
    assert (head.range_use, head.distinct_codes, head.saturated_anomalous) == (None, None, 0)
    assert head.own_sqnr_db > 25


def test_layer_left_in_float_computes_what_torch_computes_from_the_codes_before_it(
    model: nn.Module, reference: Graph, graph: Graph, examples: Examples
) -> None:
    """The head left in float, by hand: float weights on what the pool's codes stand for."""
    found = diagnose(reference, graph, examples)
    tensors = execute(graph, examples.codes)
    pool = to_real(graph.ops[-2], tensors["pool"])[:, 0]
    scores = pool @ model.head.weight.detach().numpy().astype(np.float64).T + model.head.bias.detach().numpy()
    exact = float_scores(model, examples.planes, SCALE).astype(np.float64)
    expected = tail_cost(exact, scores, examples.targets).tail_error
    head = next(reason for reason in found.reasons if reason.noise.layer == "head")
    assert head.in_float.tail_error == pytest.approx(expected, rel=1e-4)
    assert head.healed == pytest.approx(1 - expected / found.cost.tail_error, abs=1e-4)


def test_sqnr_is_that_of_the_textbook() -> None:
    signal = np.array([3.0, 4.0])
    assert sqnr_db(signal, signal + np.array([0.3, 0.4])) == pytest.approx(20.0)
    assert sqnr_db(signal, signal) is None
    assert sqnr_db(np.zeros(2), np.ones(2)) == pytest.approx(-300)


def test_tail_error_counts_anomalous_windows_and_the_highest_healthy_ones_alone() -> None:
    reference = np.arange(160.0)[:, None]
    targets = (np.arange(160) >= 120).astype(np.int8)[:, None]  # the healthy tail is 114 .. 119
    assert tail_cost(reference, reference + 7, targets).tail_error == 0  # a threshold tuned anew follows
    candidate = reference.copy()
    candidate[:100] += 50  # deep in the healthy windows: no decision is made there
    assert tail_cost(reference, candidate, targets).tail_error == 0
    candidate[119], candidate[150] = 118.5, 140.0
    assert tail_cost(reference, candidate, targets).tail_error == pytest.approx((0.5 + 10.0) / 46)
    reversed_scores = tail_cost(reference, -reference, targets)
    assert (reversed_scores.auc_drop, reversed_scores.tpr_at_fpr_1_drop) == (1.0, 1.0)


def test_sample_takes_as_many_windows_of_each_class(examples: Examples) -> None:
    few = sample(examples, 21)
    assert np.bincount(few.labels).tolist() == [10, 10]
    assert len(sample(examples, 10_000).labels) == len(examples.labels)
    with pytest.raises(ConfigError, match=r"1 window\(s\) are asked for"):
        sample(examples, 1)


def test_network_of_other_layers_is_refused(reference: Graph, graph: Graph, examples: Examples) -> None:
    shorter = replace(graph, ops=graph.ops[:-1], output=graph.ops[-2].output)
    with pytest.raises(ArtifactError, match="Compare a pruned network with its own float network"):
        diagnose(reference, shorter, examples)
