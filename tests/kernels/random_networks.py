"""Random operations and networks of every type, with values that reach both ends of the output range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.core.graph.ir import Conv1d, Dense, Dtype, GlobalAveragePool, Graph, Op, Tensor, Widen
from tests.kernels.brute_force import accumulate, op_output

Rng = np.random.Generator


#: Ends of the output range, and about half of it.
LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767), "float32": (-np.inf, np.inf)}
SPREAD = {"int8": 40.0, "int16": 40.0 * 256}
TINY = np.finfo(np.float32).smallest_subnormal


def codes(rng: Rng, length: int, channels: int, dtype: Dtype = "int8") -> np.ndarray:
    """Any values, with both extremes more often than chance; in float32 zeros of both signs and subnormals."""
    if dtype == "float32":
        x = rng.normal(0, 1, (length, channels)).astype(np.float32)
        for special in (0.0, -0.0, TINY, -1000 * TINY, 1e-20, -1e15):
            x[rng.random(x.shape) < 0.03] = special
        return x
    low, high = LIMITS[dtype]
    x = rng.integers(low, high + 1, (length, channels)).astype(dtype)
    x[rng.random(x.shape) < 0.1] = low
    x[rng.random(x.shape) < 0.1] = high
    return x


def tensor(rng: Rng, name: str, length: int, channels: int, dtype: Dtype = "int8") -> Tensor:
    zero_point = int(rng.integers(-128, 128)) if dtype == "int8" else 0
    return Tensor(name, length, channels, 1.0 if dtype == "float32" else 0.05, zero_point, dtype)


def output_range(rng: Rng, y: Tensor) -> tuple[float, float]:
    """Output range, half the time with a fused ReLU."""
    low, high = LIMITS[y.dtype]
    return (y.zero_point if rng.random() < 0.5 else low), high


def random_weight(rng: Rng, dtype: Dtype, *shape: int) -> np.ndarray:
    if dtype == "float32":
        return rng.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)
    return rng.integers(-127, 128, shape).astype(np.int8)


def parameters(rng: Rng, dtype: Dtype, outputs: int, fan_in: int) -> tuple[np.ndarray, np.ndarray]:
    """Bias and multipliers that spread typical accumulators over about the output range."""
    if dtype == "float32":
        return rng.normal(0, 0.5, outputs).astype(np.float32), np.ones(outputs, np.float32)
    reach = 1 if dtype == "int8" else 256
    typical = 73 * 73 * np.sqrt(fan_in)
    bias = (rng.normal(0, typical, outputs) * reach).astype(np.int32)
    multiplier = (rng.uniform(0.3, 3.0, outputs) * 60 / typical).astype(np.float32)
    return bias, multiplier


def conv(
    rng: Rng, name: str, x: Tensor, out: int, kernel: int, stride: int, pads: tuple[int, int], groups: int
) -> Conv1d:
    y = tensor(rng, f"{name}_out", (x.length + sum(pads) - kernel) // stride + 1, out, x.dtype)
    weight = random_weight(rng, x.dtype, out, x.channels // groups, kernel)
    bias, multiplier = parameters(rng, x.dtype, out, weight[0].size)
    low, high = output_range(rng, y)
    return Conv1d(name, x, y, weight, bias, multiplier, stride, *pads, groups, low, high)


def large_conv(rng: Rng, kind: str, x: Tensor | None = None, most_macs: int = 20_000) -> Conv1d:
    """int8 of up to 40 channels on either side, 32 taps and any padding, as long as `most_macs` allow.

    kind is conv, grouped, depthwise or pointwise; x, if given, is what it reads.
    """
    while True:
        groups = int(rng.integers(2, 5)) if kind == "grouped" else 1
        ins = x.channels if x else groups * int(rng.integers(1, 40 // groups + 1))
        outs = groups * int(rng.integers(1, 40 // groups + 1))
        kernel, stride = int(rng.integers(1, 33)), int(rng.integers(1, 6))
        pads = (int(rng.integers(0, kernel)), int(rng.integers(0, kernel)))
        if kind == "depthwise":
            groups = outs = ins
        if kind == "pointwise":
            kernel, pads = 1, (0, 0)
        shortest = max(kernel - sum(pads), 1)
        length = x.length if x else shortest + int(rng.integers(0, 40))
        macs = ((length + sum(pads) - kernel) // stride + 1) * outs * ins // groups * kernel
        if ins % groups == 0 and length >= shortest and macs <= most_macs:
            return conv(rng, kind, x or tensor(rng, "x", length, ins), outs, kernel, stride, pads, groups)


def random_layers(rng: Rng, kinds: list[str]) -> Graph:
    """A chain of large convolutions, a pool and a dense layer, each calibrated on random codes."""
    x = tensor(rng, "codes", int(rng.integers(60, 120)), int(rng.integers(1, 41)))
    values = codes(rng, x.length, x.channels)
    ops: list[Op] = []

    def add(op: Op) -> None:
        nonlocal values
        ops.append(calibrated(op, values, SPREAD["int8"]))
        values = op_output(ops[-1], values)

    for i, kind in enumerate(kinds):
        y = ops[-1].output if ops else x
        layer = large_conv(rng, "conv" if kind == "grouped" and y.channels % 2 else kind, y)
        add(replace(layer, name=f"{kind}{i}", output=replace(layer.output, name=f"{kind}{i}_out")))
    add(random_pool(rng, ops[-1].output))
    last = random_dense(rng, ops[-1].output, int(rng.integers(1, 10)))
    ops.append(whole_score(last) if rng.random() < 0.5 else replace(last, y_min=-128))
    return Graph(x, ops[-1].output, tuple(ops))


def random_conv(rng: Rng, kind: str, dtype: Dtype = "int8") -> Conv1d:
    """kind is conv, depthwise or pointwise; every shape parameter is drawn."""
    groups = int(rng.integers(1, 4))
    ins, outs = groups * int(rng.integers(1, 6)), groups * int(rng.integers(1, 6))
    kernel, stride = int(rng.integers(1, 9)), int(rng.integers(1, 5))
    pads = (int(rng.integers(0, kernel)), int(rng.integers(0, kernel)))
    if kind == "depthwise":
        groups = outs = ins
    if kind == "pointwise":
        groups, kernel, pads = 1, 1, (0, 0)
    length = max(int(rng.integers(1, 40)), kernel - sum(pads))
    return conv(rng, kind, tensor(rng, "x", length, ins, dtype), outs, kernel, stride, pads, groups)


def random_pool(rng: Rng, x: Tensor | None = None, dtype: Dtype = "int8") -> GlobalAveragePool:
    x = x or tensor(rng, "x", int(rng.integers(1, 200)), int(rng.integers(1, 20)), dtype)
    y = tensor(rng, "pool_out", 1, x.channels, x.dtype)
    multiplier = np.float32((1.0 if x.dtype == "float32" else rng.uniform(0.5, 8.0)) / x.length)
    return GlobalAveragePool("pool", x, y, multiplier, *output_range(rng, y))


def random_dense(rng: Rng, x: Tensor | None = None, outputs: int | None = None, dtype: Dtype = "int8") -> Dense:
    x = x or tensor(rng, "x", 1, int(rng.integers(1, 70)), dtype)
    outputs = outputs or int(rng.integers(1, 9))
    y = tensor(rng, "dense_out", 1, outputs, x.dtype)
    weight = random_weight(rng, x.dtype, outputs, x.channels)
    return Dense("dense", x, y, weight, *parameters(rng, x.dtype, outputs, x.channels), *output_range(rng, y))


def whole_score(op: Dense) -> Dense:
    """The layer with its accumulator as output."""
    return replace(op, output=replace(op.output, scale=1.0, zero_point=0, dtype="int32"))


def widen(x: Tensor, dtype: Dtype) -> Widen:
    scale = {"int16": x.scale / 256, "float32": 1.0}[dtype]
    multiplier = {"int16": np.float32(256), "float32": np.float32(x.scale)}[dtype]
    return Widen("widen", x, replace(x, name="wide", scale=scale, dtype=dtype), multiplier)


def calibrated(op: Op, x: np.ndarray, spread: float) -> Op:
    """Set bias and multiplier so that the codes of `x` are centred and vary by about `spread`.

    A dense layer gives one accumulator, whose deviation counts as 1: there `spread` is the multiplier itself.
    """
    acc = np.array([[accumulate(op, x, t, o)[0] for o in range(op.output.channels)] for t in range(op.output.length)])
    deviation = 1.0 if isinstance(op, Dense) else max(float(acc.std()), 1.0)
    if isinstance(op, GlobalAveragePool):
        return replace(op, multiplier=np.float32(spread / deviation))
    bias = op.bias - acc.mean(axis=0).astype(np.int32)
    scale = np.random.Generator(np.random.PCG64(len(bias))).uniform(0.5, 2.0, len(bias))
    return replace(op, bias=bias.astype(np.int32), multiplier=(scale * spread / deviation).astype(np.float32))


def random_graph(rng: Rng, window: int, channels: int, outputs: int = 1, precision: str = "int8") -> Graph:
    """A chain with every kernel in it: padded, grouped, depthwise, pointwise, pool, dense to the scores.

    precision is int8, int16 or float32, or one of the first two with ``+int32``: the accumulator as the score.
    """
    dtype, _, head = precision.partition("+")
    x = tensor(rng, "codes", window, channels)
    first: list[Op] = [] if dtype == "int8" else [widen(replace(x, zero_point=0), dtype)]
    a = conv(rng, "stem", first[0].output if first else x, 8, 7, 3, (3, 2), 1)
    b = conv(rng, "block0/depthwise", a.output, 8, 5, 2, (0, 0), 8)
    c = conv(rng, "block0/pointwise", b.output, 12, 1, 1, (0, 0), 1)
    d = conv(rng, "grouped", c.output, 9, 3, 1, (1, 1), 3)
    e = conv(rng, "block1.depthwise */", d.output, 9, 4, 1, (2, 1), 9)
    f = random_pool(rng, e.output)
    g = random_dense(rng, f.output, outputs)
    g = replace(g, y_min=LIMITS[g.output.dtype][0])
    ops: list[Op] = []
    values = rng.normal(0, 40, (window, channels)).clip(-128, 127).astype(np.int8)
    for op in (*first, a, b, c, d, e, f, whole_score(g) if head else g):
        fixed = isinstance(op, Widen) or dtype == "float32"
        ops.append(op if fixed else calibrated(op, values, 0.005 if isinstance(op, Dense) else SPREAD[dtype]))
        values = op_output(ops[-1], values)
    return Graph(ops[0].input, ops[-1].output, tuple(ops))


def preprocess_contract(rng: Rng, window: int, channels: int, dc: str = "window_mean") -> dict:
    """Raw windows, an affine code for each channel; channels beyond three repeat them."""
    names = [f"accel_{axis}" for axis in "xyz"[:channels]]
    sources = [c % len(names) for c in range(channels)]
    return {
        "sample_rate_hz": 12800.0,
        "channels": names,
        "window": window,
        "hop": window // 2,
        "dc": dc,
        "normalise": None,
        "extractor": {"kind": "raw"},
        "codes": [{"name": f"code_{c}", "source": source, "program": _affine(rng)} for c, source in enumerate(sources)],
        "shape": [window, channels],
        "preprocess_id": "0123456789abcdef" * 4,
    }


def _affine(rng: Rng) -> dict:
    offset, multiplier = int(rng.integers(-500, 500)), int(rng.integers(4096, 8192))
    return {"kind": "affine", "offset": offset, "multiplier": multiplier, "shift": 18}
