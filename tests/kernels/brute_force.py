"""The integer network by its definition, one output at a time, in Python integers and numpy float32."""

from __future__ import annotations

import math

import numpy as np

from stages.core.graph.ir import Conv1d, Dense, GlobalAveragePool, Graph


def requantize(acc: int, multiplier: float, zero_point: int, y_min: int, y_max: int) -> int:
    """clip(rint(float32(acc) * multiplier) + zero_point): `round` of a float is half to even and exact."""
    with np.errstate(over="ignore"):
        product = float(np.float32(acc) * np.float32(multiplier))
    if math.isinf(product):
        return y_max if product > 0 else y_min
    return min(max(round(product) + zero_point, y_min), y_max)


def op_output(op: Conv1d | Dense | GlobalAveragePool, x: np.ndarray) -> np.ndarray:
    """One operation on x of shape (length, channels)."""
    y = np.zeros((op.output.length, op.output.channels), np.int8)
    for t in range(op.output.length):
        for o in range(op.output.channels):
            acc, multiplier = accumulate(op, x, t, o)
            y[t, o] = requantize(acc, multiplier, op.output.zero_point, op.y_min, op.y_max)
    return y


def accumulate(op: Conv1d | Dense | GlobalAveragePool, x: np.ndarray, t: int, o: int) -> tuple[int, float]:
    z = op.input.zero_point
    if isinstance(op, GlobalAveragePool):
        return sum(int(v) - z for v in x[:, o]), float(op.multiplier)
    acc = int(op.bias[o])
    if isinstance(op, Dense):
        acc += sum(int(w) * (int(v) - z) for w, v in zip(op.weight[o], x[0], strict=True))
        return acc, float(op.multiplier[o])
    _, per_group, kernel = op.weight.shape
    first = o // (op.output.channels // op.groups) * per_group
    for k in range(kernel):
        position = t * op.stride - op.pad_left + k
        if 0 <= position < op.input.length:
            row = x[position, first : first + per_group]
            acc += sum(int(w) * (int(v) - z) for w, v in zip(op.weight[o, :, k], row, strict=True))
    return acc, float(op.multiplier[o])


def tensors(graph: Graph, codes: np.ndarray) -> list[np.ndarray]:
    """Every operation's output, in order, for an input of shape (length, channels)."""
    by_name, outputs = {graph.input.name: codes}, []
    for op in graph.ops:
        outputs.append(op_output(op, by_name[op.input.name]))
        by_name[op.output.name] = outputs[-1]
    return outputs


def preprocess(contract: dict, samples: np.ndarray) -> np.ndarray:
    """The preprocess contract on one window (length, channels), in Python integers."""
    codes = np.zeros(samples.shape, np.int8)
    for c, scale in enumerate(contract["scale"]):
        counts = [int(v) for v in samples[:, c]]
        mean = (sum(counts) + len(counts) // 2) // len(counts) if contract["dc"] == "window_mean" else 0
        for t, count in enumerate(counts):
            product = (count - mean - scale["offset"]) * scale["multiplier"] + 2 ** (scale["shift"] - 1)
            codes[t, c] = min(max(product // 2 ** scale["shift"], -128), 127)
    return codes
