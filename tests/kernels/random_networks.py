"""Random operations and networks with integers that reach both ends of the output range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stages.core.graph.ir import Conv1d, Dense, GlobalAveragePool, Graph, Op, Tensor
from tests.kernels.brute_force import accumulate, op_output

Rng = np.random.Generator


def codes(rng: Rng, length: int, channels: int) -> np.ndarray:
    """Any codes, with both extremes more often than chance."""
    x = rng.integers(-128, 128, (length, channels)).astype(np.int8)
    x[rng.random(x.shape) < 0.1] = -128
    x[rng.random(x.shape) < 0.1] = 127
    return x


def tensor(rng: Rng, name: str, length: int, channels: int) -> Tensor:
    return Tensor(name, length, channels, 0.05, int(rng.integers(-128, 128)))


def _range(rng: Rng, zero_point: int) -> tuple[int, int]:
    """Output codes, half the time with a fused ReLU."""
    return (zero_point if rng.random() < 0.5 else -128), 127


def _parameters(rng: Rng, outputs: int, fan_in: int) -> tuple[np.ndarray, np.ndarray]:
    """Bias and multipliers that spread typical accumulators over about the output range."""
    typical = 73 * 73 * np.sqrt(fan_in)
    bias = rng.normal(0, typical, outputs).astype(np.int32)
    multiplier = (rng.uniform(0.3, 3.0, outputs) * 60 / typical).astype(np.float32)
    return bias, multiplier


def conv(
    rng: Rng, name: str, x: Tensor, out: int, kernel: int, stride: int, pads: tuple[int, int], groups: int
) -> Conv1d:
    y = tensor(rng, f"{name}_out", (x.length + sum(pads) - kernel) // stride + 1, out)
    weight = rng.integers(-127, 128, (out, x.channels // groups, kernel)).astype(np.int8)
    bias, multiplier = _parameters(rng, out, weight[0].size)
    low, high = _range(rng, y.zero_point)
    return Conv1d(name, x, y, weight, bias, multiplier, stride, *pads, groups, low, high)


def random_conv(rng: Rng, kind: str) -> Conv1d:
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
    return conv(rng, kind, tensor(rng, "x", length, ins), outs, kernel, stride, pads, groups)


def random_pool(rng: Rng, x: Tensor | None = None) -> GlobalAveragePool:
    x = x or tensor(rng, "x", int(rng.integers(1, 200)), int(rng.integers(1, 20)))
    y = tensor(rng, "pool_out", 1, x.channels)
    multiplier = np.float32(rng.uniform(0.5, 8.0) / x.length)
    return GlobalAveragePool("pool", x, y, multiplier, *_range(rng, y.zero_point))


def random_dense(rng: Rng, x: Tensor | None = None, outputs: int | None = None) -> Dense:
    x = x or tensor(rng, "x", 1, int(rng.integers(1, 70)))
    outputs = outputs or int(rng.integers(1, 9))
    y = tensor(rng, "dense_out", 1, outputs)
    weight = rng.integers(-127, 128, (outputs, x.channels)).astype(np.int8)
    return Dense("dense", x, y, weight, *_parameters(rng, outputs, x.channels), *_range(rng, y.zero_point))


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


def random_graph(rng: Rng, window: int, channels: int, outputs: int = 1) -> Graph:
    """A chain with every kernel in it: padded, grouped, depthwise, pointwise, pool, dense to the scores."""
    x = tensor(rng, "codes", window, channels)
    a = conv(rng, "stem", x, 8, 7, 3, (3, 2), 1)
    b = conv(rng, "block0/depthwise", a.output, 8, 5, 2, (0, 0), 8)
    c = conv(rng, "block0/pointwise", b.output, 12, 1, 1, (0, 0), 1)
    d = conv(rng, "grouped", c.output, 9, 3, 1, (1, 1), 3)
    e = conv(rng, "block1.depthwise */", d.output, 9, 4, 1, (2, 1), 9)
    f = random_pool(rng, e.output)
    g = random_dense(rng, f.output, outputs)
    ops: list[Op] = []
    values = rng.normal(0, 40, (window, channels)).clip(-128, 127).astype(np.int8)
    for op in (a, b, c, d, e, f, replace(g, y_min=-128)):
        ops.append(calibrated(op, values, 0.005 if isinstance(op, Dense) else 40.0))
        values = op_output(ops[-1], values)
    return Graph(x, g.output, tuple(ops))


def preprocess_contract(rng: Rng, window: int, channels: int, dc: str = "window_mean") -> dict:
    """Raw windows, an affine code for each channel."""
    names = [f"accel_{axis}" for axis in "xyz"[:channels]]
    return {
        "sample_rate_hz": 12800.0,
        "channels": names,
        "window": window,
        "hop": window // 2,
        "dc": dc,
        "normalise": None,
        "extractor": {"kind": "raw"},
        "codes": [{"name": name, "source": source, "program": _affine(rng)} for source, name in enumerate(names)],
        "shape": [window, channels],
        "preprocess_id": "0123456789abcdef" * 4,
    }


def _affine(rng: Rng) -> dict:
    offset, multiplier = int(rng.integers(-500, 500)), int(rng.integers(4096, 8192))
    return {"kind": "affine", "offset": offset, "multiplier": multiplier, "shift": 18}
