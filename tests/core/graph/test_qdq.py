"""Branching and image networks from QDQ ONNX: the reference gives the codes of ONNX Runtime's integer operators."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from stages.core.errors import OperatorError
from stages.core.graph.ir import Add, Concat, Conv1d, Conv2d, Pad, Softmax
from stages.core.graph.lower import lower
from stages.core.graph.onnx_view import INPUT, SCORE_CODE
from stages.core.graph.reference import execute
from stages.core.graph.runtime import reference_session
from tests.core.graph.qdq import Writer

SHARES = (2.0**-8, -128)


def over_length(seed: int) -> onnx.ModelProto:
    """A residual sum, pools, a concatenation of three scales, padding and a softmax."""
    net = Writer((1, 3, 64), 2.0**-6, 0, seed)
    stem = net.weighted("Conv", net.input, 8, 3, 5, ends="Relu", pads=[2, 2])
    branch = net.weighted("Conv", stem, 8, 1, 3, group=8, pads=[1, 1])
    total = net.layer("Add", stem, branch, ends="Relu")
    smooth = net.layer("AveragePool", total, kernel_shape=[3], strides=[2], pads=[1, 1], count_include_pad=1)
    large = net.layer("MaxPool", total, kernel_shape=[3], strides=[2], pads=[1, 1], kept=True)
    other = net.layer("Add", large, smooth)
    joined = net.layer("Concat", smooth, large, other, axis=1)
    wide = net.layer("Pad", joined, net.constant("pads", np.array([0, 0, 1, 0, 0, 2])), kept=True)
    last = net.weighted("Conv", wide, 10, 24, 4, ends="Clip", strides=[2])
    return head(net, net.layer("Concat", last, last, axis=2), "Softmax", SHARES)


def over_images(seed: int) -> onnx.ModelProto:
    """The same in two dimensions, with a depthwise and a pointwise convolution, and a sigmoid."""
    net = Writer((1, 10, 12), 2.0**-6, 0, seed)
    turned = net.node("Transpose", [net.input], "turned", perm=[0, 2, 1])
    rows = net.node("Unsqueeze", [turned, net.constant("axes", np.array([1]))], "rows")
    net.scales[rows] = net.scales[net.input]
    stem = net.weighted("Conv", rows, 8, 1, 3, 3, ends="Relu", pads=[1, 1, 1, 1])
    branch = net.weighted("Conv", stem, 8, 1, 3, 3, group=8, pads=[1, 1, 1, 1])
    total = net.layer("Add", branch, stem)
    smooth = net.layer("AveragePool", total, kernel_shape=[2, 3], strides=[2, 1])
    large = net.layer("MaxPool", total, kernel_shape=[2, 3], strides=[2, 1], kept=True)
    joined = net.layer("Concat", smooth, large, axis=2)
    wide = net.layer("Pad", joined, net.constant("pads", np.array([0, 0, 1, 0, 0, 0, 0, 2])), kept=True)
    thin = net.weighted("Conv", wide, 10, 8, 1, 1, ends="Relu")
    last = net.weighted("Conv", thin, 10, 10, 1, 4, strides=[2, 2])
    return head(net, last, "Sigmoid", (0.004, -128))


def head(net: Writer, x: str, ending: str, codes: tuple[float, int], channels: int = 10) -> onnx.ModelProto:
    mean = net.layer("GlobalAveragePool", x)
    flat = net.layer("Flatten", mean, kept=True)
    scores = net.weighted("Gemm", flat, 4, channels, transB=1)
    return net.model(net.layer(ending, scores, codes=codes), (1, 4))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("made", [over_length, over_images])
def test_every_score_is_that_of_onnx_runtime(made, seed) -> None:
    model = made(seed)
    graph = lower(model)
    rng = np.random.Generator(np.random.PCG64(seed))
    level, spread = rng.uniform(-100, 100, 24), rng.uniform(1, 60, 24)
    noise = rng.normal(0, 1, (*graph.input.shape, 24))
    codes = np.moveaxis(np.clip(noise * spread + level, -128, 127), -1, 0).astype(np.int8)
    found = execute(graph, codes)
    names = {op.output.name for op in graph.ops if op.output.name != SCORE_CODE}
    expected = runtime_tensors(model, codes, [*sorted(names), SCORE_CODE])
    for name, values in expected.items():
        assert np.array_equal(channels_last(values).reshape(found[name].shape), found[name]), name
    assert len(np.unique(expected[SCORE_CODE])) > 5
    assert len(np.unique(np.concatenate([values.ravel() for values in expected.values()]))) > 250


def runtime_tensors(model: onnx.ModelProto, codes: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """What ONNX Runtime gives for every tensor, each as an output of the model."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {value.name for value in watched.graph.output}
    watched.graph.output.extend(value for value in model.graph.value_info if value.name in set(names) - known)
    session = reference_session(watched.SerializeToString())
    _, channels, *pixels = session.get_inputs()[0].shape
    inputs = np.moveaxis(codes.reshape(-1, *pixels, channels), -1, 1)
    results = [session.run(names, {INPUT: np.ascontiguousarray(window[None])}) for window in inputs]
    return {name: np.concatenate(values) for name, values in zip(names, zip(*results, strict=True), strict=True)}


def channels_last(values: np.ndarray) -> np.ndarray:
    return np.moveaxis(values, 1, -1)


def test_operations_are_those_of_the_model() -> None:
    kinds = [type(op) for op in lower(over_length(0)).ops]
    assert (kinds.count(Add), kinds.count(Concat), kinds.count(Pad), kinds[-1]) == (2, 2, 1, Softmax)
    assert Conv2d not in kinds
    images = lower(over_images(0))
    assert [op.output.shape for op in images.ops if isinstance(op, Conv2d)] == [
        (12, 10, 8), (12, 10, 8), (13, 10, 10), (7, 4, 10)
    ]  # fmt: skip
    assert not any(isinstance(op, Conv1d) for op in images.ops)


def test_a_relu6_raises_the_least_and_lowers_the_greatest_code() -> None:
    last = [op for op in lower(over_length(0)).ops if isinstance(op, Conv1d)][-1]
    six = round(6 / last.output.scale) + last.output.zero_point
    assert (last.y_min, last.y_max) == (-128, min(six, 127))


def refused(build) -> OperatorError:
    net = Writer((1, 4, 16), 2.0**-6, 0, 1)
    first = net.weighted("Conv", net.input, 4, 4, 3, pads=[1, 1])
    last = build(net, first)
    with pytest.raises(OperatorError) as caught:
        lower(head(net, last, "Sigmoid", SHARES, channels=4) if isinstance(last, str) else last)
    return caught.value


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda net, x: net.layer("Add", x, net.constant("one", np.ones((1, 4, 16), np.float32))), "reads a constant"),
        (lambda net, x: net.layer("Add", x, net.layer("MaxPool", x, kernel_shape=[16], kept=True)), "reads tensors of"),
        (lambda net, x: net.layer("AveragePool", x, kernel_shape=[3], pads=[1, 1]), "leaves padding out of the count"),
        (lambda net, x: net.layer("MaxPool", x, kernel_shape=[2], pads=[2, 0], kept=True), "has pads"),
        (lambda net, x: net.layer("MaxPool", x, kernel_shape=[2], dilations=[2], kept=True), "has dilations"),
        (lambda net, x: net.layer("MaxPool", x, kernel_shape=[3], strides=[2], ceil_mode=1, kept=True), "ceil_mode"),
        (lambda net, x: net.layer("MaxPool", x, kernel_shape=[2]), "codes of different scales"),
        (lambda net, x: net.layer("MaxPool", x, kernel_shape=[2], kept=True, ends="Relu"), "Relu follows MaxPool"),
        (
            lambda net, x: net.layer("Pad", x, net.constant("p", np.array([0, 0, 1, 0, 0, 1])), mode="edge", kept=True),
            "fills with edge",
        ),
        (lambda net, x: net.layer("Softmax", x, codes=SHARES), "reads a tensor of shape"),
        (
            lambda net, x: net.layer("Add", x, net.layer("GlobalAveragePool", x, codes=(1e-6, 0))),
            "reads tensors of shapes",
        ),
    ],
)
def test_what_the_device_cannot_run_is_refused_by_name(build, complaint) -> None:
    error = refused(build)
    assert complaint in error.found
    assert error.where.startswith("node v")
    assert error.remedy


def test_a_sum_of_scales_too_far_apart_is_refused() -> None:
    error = refused(lambda net, x: net.layer("Add", x, net.weighted("Conv", x, 4, 4, 1), codes=(1e3, 0)))
    assert "scales of the sum" in error.found


def test_a_softmax_whose_sum_could_overflow_is_refused() -> None:
    def build(net: Writer, x: str) -> onnx.ModelProto:
        flat = net.layer("Flatten", net.layer("GlobalAveragePool", x), kept=True)
        return net.model(net.layer("Softmax", net.weighted("Gemm", flat, 513, 4, transB=1), codes=SHARES), (1, 513))

    assert "over 513 channels" in refused(build).found


def test_a_softmax_of_other_codes_is_refused() -> None:
    def build(net: Writer, x: str) -> onnx.ModelProto:
        flat = net.layer("Flatten", net.layer("GlobalAveragePool", x), kept=True)
        return net.model(net.layer("Softmax", flat, codes=(0.01, -128)), (1, 4))

    assert "scale 0.01" in refused(build).found
