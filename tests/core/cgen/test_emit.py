"""The generated C: exact, readable, deterministic, and refused where it would be wrong."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.core.bundle.format import BOARDS
from stages.core.cgen.emit import FILES, emit
from stages.core.cgen.identity import INTERFACE_VERSION, graph_hash
from stages.core.cgen.lifetimes import lifetimes
from stages.core.cgen.literals import array_lines, comment, float32, identifier
from stages.core.cgen.operators import KernelCall, kernel_calls
from stages.core.cgen.weights import pack_weights
from stages.core.errors import ArtifactError, OperatorError
from stages.core.plan import overlaps, plan
from stages.core.runtime.decision import Rules
from tests.kernels.random_networks import (
    conv,
    preprocess_contract,
    random_dense,
    random_graph,
    random_pool,
    tensor,
)

IDS = ("TG_PREPROCESS_ID", "TG_GRAPH_HASH")


@pytest.fixture
def rng():
    return np.random.Generator(np.random.PCG64(21))


def generate(graph, contract, threshold_codes=(10,)):
    return emit(graph, plan(lifetimes(graph)), contract, rules=Rules.plain(threshold_codes), model_sha256="ab" * 32)


def kernel_call(op) -> KernelCall:
    (call,) = kernel_calls(op)
    return call


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_are_exact(value):
    literal = float32(value)
    assert literal.endswith("f")
    assert np.float32(float.fromhex(literal[:-1])) == np.float32(value)


@pytest.mark.parametrize(("value", "literal"), [(np.inf, "INFINITY"), (-np.inf, "-INFINITY"), (-0.0, "-0x0p+0f")])
def test_float_literals_know_infinities_and_the_sign_of_zero(value, literal):
    assert float32(value) == literal


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


@pytest.mark.parametrize(("dtype", "suffix"), [("int8", "s8"), ("int16", "s16"), ("float32", "f32")])
def test_each_convolution_gets_the_kernel_of_its_shape_and_type(rng, dtype, suffix):
    x = tensor(rng, "x", 20, 6, dtype)
    expected = {
        (6, 3, (0, 0), 6): "tg_depthwise_conv1d",
        (8, 1, (0, 0), 1): "tg_pointwise_conv1d",
        (8, 1, (1, 0), 1): "tg_conv1d",
        (8, 3, (0, 0), 2): "tg_conv1d",
        (12, 3, (0, 0), 6): "tg_conv1d",
    }
    for (out, kernel, pads, groups), name in expected.items():
        assert kernel_call(conv(rng, "c", x, out, kernel, 1, pads, groups)).kernel == f"{name}_{suffix}"


@pytest.mark.parametrize(
    ("precision", "kernels"),
    [
        ("int8", ["tg_conv1d_s8", "tg_dense_s8"]),
        ("int8+int32", ["tg_conv1d_s8", "tg_dense_s8_s32"]),
        ("int16", ["tg_widen_s16", "tg_dense_s16"]),
        ("int16+int32", ["tg_widen_s16", "tg_dense_s16_s32"]),
        ("float32", ["tg_widen_f32", "tg_dense_f32"]),
    ],
)
def test_each_precision_begins_and_ends_with_its_own_kernels(rng, precision, kernels):
    graph = random_graph(rng, 64, 2, precision=precision)
    assert [kernel_call(op).kernel for op in (graph.ops[0], graph.ops[-1])] == kernels


@pytest.mark.parametrize(
    ("precision", "bytes_per_weight", "bytes_per_channel"),
    [("int8", 1, 8), ("int16", 1, 8), ("float32", 4, 4)],
)
def test_weights_are_packed_as_the_kernels_read_them(rng, precision, bytes_per_weight, bytes_per_channel):
    graph = random_graph(rng, 64, 2, precision=precision)
    blob, table = pack_weights(graph)
    layers = [op for op in graph.ops if hasattr(op, "weight")]
    assert sum(row["count"] for row in table if row["array"] == "weights") == sum(op.weight.size for op in layers)
    assert len({(row["operation"], row["array"]) for row in table}) == len(table)
    least = sum(bytes_per_weight * op.weight.size + bytes_per_channel * len(op.bias) for op in layers)
    assert least <= len(blob) < least + 16 * len(table)
    dense = next(row for row in table if row["operation"] == "dense" and row["array"] == "weights")
    content = blob[dense["offset"] : dense["offset"] + bytes_per_weight * dense["count"]]
    assert content == layers[-1].weight.tobytes()


def test_types_that_no_kernel_has_are_refused(rng):
    pool = random_pool(rng)
    pool = dataclasses.replace(pool, output=dataclasses.replace(pool.output, dtype="int32"))
    with pytest.raises(OperatorError, match=r"node pool: GlobalAveragePool from int8 to int32\. Expected int8 to int8"):
        kernel_call(pool)


def test_a_possible_overflow_is_refused(rng):
    op = conv(rng, "huge", tensor(rng, "x", 20, 6), 2, 3, 1, (0, 0), 1)
    op = dataclasses.replace(op, bias=np.array([2**31 - 100, 0], np.int32))
    with pytest.raises(OperatorError, match=r"node huge: the accumulator can reach \d+\. Expected less than 2\^31"):
        kernel_call(op)


def test_an_overflow_that_only_int16_makes_possible_is_refused(rng):
    ops = {dtype: random_dense(rng, tensor(rng, "x", 1, 600, dtype), 1, dtype) for dtype in ("int8", "int16")}
    weight = np.full((1, 600), 127, np.int8)
    assert kernel_call(dataclasses.replace(ops["int8"], weight=weight)).kernel == "tg_dense_s8"
    with pytest.raises(OperatorError, match="the accumulator can reach"):
        kernel_call(dataclasses.replace(ops["int16"], weight=weight))


def test_a_pool_too_long_for_int32_is_refused(rng):
    for length, accepted in [(65535, True), (65536, False)]:
        pool = random_pool(rng, tensor(rng, "x", length, 1, "int16"))
        if accepted:
            assert kernel_call(pool).shape["length"] == length
        else:
            with pytest.raises(OperatorError, match=r"the accumulator can reach 2147483648"):
                kernel_call(pool)


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_float_constant_that_is_not_finite_is_refused(rng, bad):
    op = random_dense(rng, outputs=2, dtype="float32")
    op = dataclasses.replace(op, bias=np.array([0.0, bad], np.float32))
    with pytest.raises(OperatorError, match="node dense: a weight or bias is infinite or not a number"):
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
    ("precision", "codes", "message"),
    [
        ("int8", (129,), r"the threshold codes are \[129\], not all within -128 to 128"),
        ("int16", (-32769,), "not all within -32768 to 32768"),
        ("int8+int32", (2**31,), "not all within -2147483648 to 2147483647"),
        ("float32", (-(2**31) - 1,), "not all within -2147483648 to 2147483647"),
        ("int8", (1, 2), "1 outputs and there are 2 threshold codes"),
    ],
)
def test_thresholds_that_do_not_fit_the_outputs_are_refused(rng, precision, codes, message):
    with pytest.raises(ArtifactError, match=message):
        generate(random_graph(rng, 64, 2, precision=precision), preprocess_contract(rng, 64, 2), threshold_codes=codes)


@pytest.mark.parametrize(
    ("precision", "codes"),
    [("int8", (128,)), ("int16", (32768,)), ("int8+int32", (-(2**31),)), ("float32", (2**31 - 1,))],
)
def test_the_contract_states_scores_and_thresholds(rng, precision, codes):
    graph = random_graph(rng, 64, 2, precision=precision)
    text = generate(graph, preprocess_contract(rng, 64, 2), threshold_codes=codes)["contract.h"]
    assert f"{{ {{ {codes[0]}, {codes[0]}, {codes[0]}, {codes[0]} }} }}" in text
    assert f"one {graph.output.dtype} score" in text
    assert "#define TG_MODEL_OUTPUTS 1\n" in text
    assert "#define TG_MODEL_INPUT_BYTES 128\n" in text
    assert "typedef int16_t tg_sample;" in text


def test_the_contract_states_what_a_bundle_must_agree_with(rng):
    graph, contract = random_graph(rng, 64, 2), preprocess_contract(rng, 64, 2)
    text = generate(graph, contract)["contract.h"].replace("\\\n", "")
    stated = {name: [int(n) for n in re.search(rf"{name} *{{([^}}]*)}}", text)[1].split(",")] for name in IDS}
    assert stated["TG_PREPROCESS_ID"] == list(bytes.fromhex(contract["preprocess_id"]))
    assert stated["TG_GRAPH_HASH"] == list(bytes.fromhex(graph_hash(graph, plan(lifetimes(graph)), {})))
    assert f"#define TG_INTERFACE_VERSION {INTERFACE_VERSION}\n" in text
    assert f"#define TG_WEIGHTS_BYTES {len(pack_weights(graph)[0])}\n" in text
    assert all(f"#define TG_BOARD_{name} {bit}\n" in text for name, bit in BOARDS.items())


def test_code_holds_nothing_that_training_determines(rng):
    graph = random_graph(rng, 64, 2)
    ops = [dataclasses.replace(op, multiplier=2 * op.multiplier) for op in graph.ops]
    ops[0] = dataclasses.replace(ops[0], weight=-ops[0].weight, bias=ops[0].bias + 1)
    moved = dataclasses.replace(ops[0].output, zero_point=ops[0].output.zero_point ^ 1)
    ops[0], ops[1] = dataclasses.replace(ops[0], output=moved), dataclasses.replace(ops[1], input=moved)
    texts = [
        generate(each, preprocess_contract(np.random.Generator(np.random.PCG64(1)), 64, 2))["model.c"]
        for each in (graph, dataclasses.replace(graph, ops=tuple(ops)))
    ]
    built_in = re.compile(r"built_in = {.*?^};", flags=re.DOTALL | re.MULTILINE)
    assert texts[0] != texts[1]
    assert built_in.sub("", texts[0]) == built_in.sub("", texts[1])


def test_a_network_that_does_not_begin_with_codes_is_refused(rng):
    graph = random_graph(rng, 64, 2, precision="int16")
    graph = dataclasses.replace(graph, input=graph.ops[0].output, ops=graph.ops[1:])
    with pytest.raises(ArtifactError, match="the network reads int16 and the preprocessing gives int8"):
        generate(graph, preprocess_contract(rng, 64, 2))
