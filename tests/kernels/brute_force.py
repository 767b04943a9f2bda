"""The network by its definition, one output at a time, in Python integers and floats."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np

from stages.core.graph.ir import Conv1d, Dense, GlobalAveragePool, Graph, Op, Widen
from tests.kernels import definitions
from tests.kernels.arithmetic import float32, requantize


def op_output(op: Op, x: np.ndarray) -> np.ndarray:
    """One operation on x of shape (length, channels)."""
    y = np.zeros((op.output.length, op.output.channels), op.output.dtype)
    for t in range(op.output.length):
        for o in range(op.output.channels):
            y[t, o] = element(op, x, t, o)
    return y


def element(op: Op, x: np.ndarray, t: int, o: int) -> int | float:
    if isinstance(op, Widen):
        code = int(x[t, o])
        return code * 256 if op.output.dtype == "int16" else float32(float32(code) * float(op.multiplier))
    if op.output.dtype == "float32":
        return float_element(op, x, t, o)
    acc, multiplier = accumulate(op, x, t, o)
    if op.output.dtype == "int32":
        return acc
    return requantize(acc, multiplier, op.output.zero_point, int(op.y_min), int(op.y_max))


def accumulate(op: Conv1d | Dense | GlobalAveragePool, x: np.ndarray, t: int, o: int) -> tuple[int, float]:
    z = op.input.zero_point
    if isinstance(op, GlobalAveragePool):
        return sum(int(v) - z for v in x[:, o]), float(op.multiplier)
    acc = int(op.bias[o])
    for w, v in terms(op, x, t, o, z):
        acc += int(w) * (int(v) - z)
    return acc, float(op.multiplier[o])


def terms(op: Conv1d | Dense, x: np.ndarray, t: int, o: int, zero: float) -> list[tuple[float, float]]:
    """Weight and input of every product of one output, by tap and then by input channel."""
    if isinstance(op, Dense):
        return list(zip(op.weight[o].tolist(), x[0].tolist(), strict=True))
    _, per_group, kernel = op.weight.shape
    first = o // (op.output.channels // op.groups) * per_group
    products: list[tuple[float, float]] = []
    for k in range(kernel):
        position = t * op.stride - op.pad_left + k
        inside = 0 <= position < op.input.length
        row = x[position, first : first + per_group].tolist() if inside else [zero] * per_group
        products += zip(op.weight[o, :, k].tolist(), row, strict=True)
    return products


def float_element(op: Conv1d | Dense | GlobalAveragePool, x: np.ndarray, t: int, o: int) -> float:
    """Every product and sum in double, then rounded to float32: the same as rounding once, and no BLAS in it."""
    acc = 0.0 if isinstance(op, GlobalAveragePool) else float(op.bias[o])
    if isinstance(op, GlobalAveragePool):
        for v in x[:, o].tolist():
            acc = float32(acc + v)
        acc = float32(acc * float(op.multiplier))
    else:
        for w, v in terms(op, x, t, o, 0.0):
            acc = float32(acc + float32(w * v))
    if acc < op.y_min:
        return float(op.y_min)
    return float(op.y_max) if acc > op.y_max else acc


def score_codes(output: np.ndarray) -> list[int]:
    """Scores as int32: integers as they are; a float by its place among all floats of its sign."""
    if output.dtype != np.float32:
        return [int(v) for v in output.ravel()]
    codes = []
    for value in output.ravel():
        (magnitude,) = struct.unpack("<I", struct.pack("<f", abs(float(value))))
        codes.append(-magnitude - 1 if math.copysign(1.0, float(value)) < 0 else magnitude)
    return codes


def tensors(graph: Graph, codes: np.ndarray) -> list[np.ndarray]:
    """Every operation's output, in order, for an input of the graph's shape."""
    by_name, outputs = {graph.input.name: codes}, []
    for op in graph.ops:
        outputs.append(any_output(op, [by_name[tensor.name] for tensor in op.inputs]))
        by_name[op.output.name] = outputs[-1]
    return outputs


def any_output(op: Op, inputs: list[np.ndarray]) -> np.ndarray:
    """Any operation on tensors of any shape."""
    by_position = isinstance(op, Widen | Conv1d | GlobalAveragePool | Dense)
    return flat_output(op, *inputs) if by_position else definitions.op_output(op, inputs)


def flat_output(op: Op, x: np.ndarray) -> np.ndarray:
    """An operation over positions, on what may be an image."""
    rows, output = op.input.positions, replace(op.output, height=1, length=op.output.positions)
    flat = replace(op, input=replace(op.input, height=1, length=rows), output=output)
    return op_output(flat, x.reshape(rows, -1)).reshape(op.output.shape)


def preprocess(contract: dict, samples: np.ndarray) -> np.ndarray:
    """The preprocess contract on one raw window (length, channels), in Python integers."""
    assert contract["extractor"] == {"kind": "raw"}
    columns = [levelled(contract, [int(v) for v in samples[:, c]]) for c in range(samples.shape[1])]
    codes = [[code(item["program"], v) for v in columns[item["source"]]] for item in contract["codes"]]
    return np.array(codes, np.int8).T


def levelled(contract: dict, counts: list[int]) -> list[int]:
    """One channel of a window after its mean is taken away and its RMS divided out, if the contract says so."""
    n = len(counts)
    mean = (sum(counts) + n // 2) // n if contract["dc"] == "window_mean" else 0
    values = [count - mean for count in counts]
    if contract["normalise"] is None:
        return values
    divisor = math.isqrt(sum(v * v for v in values) // n) + contract["normalise"]["epsilon"]
    scaled = [min((abs(v) * 1024 + divisor // 2) // divisor, 2**17 - 1) for v in values]
    return [-s if v < 0 else s for s, v in zip(scaled, values, strict=True)]


def code(program: dict, value: int) -> int:
    """One value through an affine program or a table."""
    if program["kind"] == "table":
        return -128 + sum(point <= value for point in program["breakpoints"])
    product = (value - program["offset"]) * program["multiplier"]
    assert -(2**31) <= product + 2 ** (program["shift"] - 1) < 2**31, "the program must fit int32"
    return min(max((product + 2 ** (program["shift"] - 1)) // 2 ** program["shift"], -128), 127)
