"""The generated C: exact, readable, deterministic, and refused where it would be wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.cgen.emit import FILES, emit
from stages.core.cgen.lifetimes import lifetimes
from stages.core.cgen.literals import array_lines, comment, float32, identifier
from stages.core.cgen.operators import kernel_call
from stages.core.errors import ArtifactError, OperatorError
from stages.core.plan import overlaps, plan
from tests.kernels.random_networks import conv, preprocess_contract, random_graph, tensor


@pytest.fixture
def rng():
    return np.random.Generator(np.random.PCG64(21))


def generate(graph, contract, threshold_codes=(10,)):
    return emit(graph, plan(lifetimes(graph)), contract, threshold_codes=threshold_codes, model_sha256="ab" * 32)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_are_exact(value):
    literal = float32(value)
    assert literal.endswith("f")
    assert np.float32(float.fromhex(literal[:-1])) == np.float32(value)


def test_array_lines_hold_every_value_in_order():
    values = np.arange(-300, 300, dtype=np.int32).reshape(2, -1)
    assert [int(v) for line in array_lines(values) for v in line.split(",")] == list(range(-300, 300))


def test_names_are_made_safe():
    assert identifier("block0/Depth-wise.1") == "block0_depth_wise_1"
    assert "*/" not in comment("a */ b")
    assert comment("a\nb") == "a?b"


def test_the_same_network_gives_the_same_text(rng):
    graph, contract = random_graph(rng, 64, 2), preprocess_contract(rng, 64, 2)
    assert generate(graph, contract) == generate(graph, contract)


def test_every_file_is_stamped_and_names_its_nodes(rng):
    graph = random_graph(rng, 64, 2)
    files = generate(graph, preprocess_contract(rng, 64, 2))
    assert sorted(files) == sorted(FILES)
    assert all("ab" * 32 in text.splitlines()[0] for text in files.values())
    assert all(comment(op.name) in files["model.c"] for op in graph.ops)


def test_lifetimes_of_a_chain_never_overlap_in_the_arena(rng):
    buffers = lifetimes(random_graph(rng, 256, 1))
    assert [(b.first_use, b.last_use) for b in buffers] == [
        (0, 0),
        (0, 1),
        (1, 2),
        (2, 3),
        (3, 4),
        (4, 5),
        (5, 6),
        (6, 6),
    ]
    assert overlaps(buffers, plan(buffers).offsets) == []


def test_each_convolution_gets_the_kernel_of_its_shape(rng):
    x = tensor(rng, "x", 20, 6)
    expected = {
        (6, 3, (0, 0), 6): "tg_depthwise_conv1d_s8",
        (8, 1, (0, 0), 1): "tg_pointwise_conv1d_s8",
        (8, 1, (1, 0), 1): "tg_conv1d_s8",
        (8, 3, (0, 0), 2): "tg_conv1d_s8",
        (12, 3, (0, 0), 6): "tg_conv1d_s8",
    }
    for (out, kernel, pads, groups), name in expected.items():
        assert kernel_call(conv(rng, "c", x, out, kernel, 1, pads, groups)).kernel == name


def test_a_possible_overflow_is_refused(rng):
    op = conv(rng, "huge", tensor(rng, "x", 20, 6), 2, 3, 1, (0, 0), 1)
    op = dataclasses.replace(op, bias=np.array([2**31 - 100, 0], np.int32))
    with pytest.raises(OperatorError, match=r"node huge: the accumulator can reach \d+\. Expected less than 2\^31"):
        kernel_call(op)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_a_multiplier_that_is_not_positive_is_refused(rng, bad):
    op = conv(rng, "odd", tensor(rng, "x", 20, 6), 2, 3, 1, (0, 0), 1)
    op = dataclasses.replace(op, multiplier=np.array([0.1, bad], np.float32))
    with pytest.raises(OperatorError, match="node odd: a requantisation multiplier"):
        kernel_call(op)


def affine(source, multiplier, shift):
    program = {"kind": "affine", "offset": 0, "multiplier": multiplier, "shift": shift}
    return {"name": "a", "source": source, "program": program}


def table(breakpoints):
    return {"name": "t", "source": 0, "program": {"kind": "table", "breakpoints": list(breakpoints)}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 128}, "reads 64 rows of 2 codes and the preprocessing gives 128 of 2"),
        ({"codes": [affine(1, 1, 1)]}, "reads 64 rows of 2 codes and the preprocessing gives 64 of 1"),
        ({"dc": "high_pass"}, "dc is 'high_pass'"),
        ({"codes": [affine(2, 1, 1)] * 2}, "code 'a' reads column 2 of 2"),
        ({"codes": [affine(0, 1 << 13, 1)] * 2}, "code 'a' has multiplier 8192 and shift 1"),
        ({"codes": [affine(0, 1, 31)] * 2}, "code 'a' has multiplier 1 and shift 31"),
        ({"codes": [table(range(254))] * 2}, "code 't' has 254 breakpoints and not 255"),
        ({"codes": [table(range(255, 0, -1))] * 2}, "code 't' has breakpoints that fall"),
    ],
)
def test_a_contract_that_does_not_fit_the_network_is_refused(rng, change, message):
    graph, contract = random_graph(rng, 64, 2), preprocess_contract(rng, 64, 2)
    with pytest.raises(ArtifactError, match=message):
        generate(graph, contract | change)


@pytest.mark.parametrize(
    ("codes", "message"),
    [((129,), r"the threshold codes are \[129\]"), ((1, 2), "1 outputs and there are 2 threshold codes")],
)
def test_thresholds_that_do_not_fit_the_outputs_are_refused(rng, codes, message):
    with pytest.raises(ArtifactError, match=message):
        generate(random_graph(rng, 64, 2), preprocess_contract(rng, 64, 2), threshold_codes=codes)
