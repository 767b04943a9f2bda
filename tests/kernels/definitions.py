"""Operations of several inputs, of windows over images and of tables by their definition, one output at a time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from stages.core.graph.ir import Add, AveragePool, Concat, Conv2d, Lookup, MaxPool, Op, Pad, Softmax, Window
from tests.kernels.arithmetic import float32, requantize

Place = tuple[int, int, int]


def op_output(op: Op, inputs: list[np.ndarray]) -> np.ndarray:
    """One operation on tensors of any shape."""
    images = [x.reshape(t.height, t.length, t.channels) for x, t in zip(inputs, op.inputs, strict=True)]
    y = np.zeros((op.output.height, op.output.length, op.output.channels), op.output.dtype)
    for place in np.ndindex(y.shape):
        y[place] = element(op, images, place)
    return y.reshape(op.output.shape)


def element(op: Op, images: list[np.ndarray], place: Place) -> float:
    elements = {
        Add: added,
        AveragePool: average,
        Concat: joined,
        Conv2d: convolved,
        Lookup: looked_up,
        MaxPool: largest,
        Pad: padded,
        Softmax: share,
    }
    return elements[type(op)](op, images, place)


def under(window: Window, x: np.ndarray, place: Place) -> list[tuple[int, int, int, int]]:
    """Row and column of every tap, and of what lies under it."""
    top = place[0] * window.stride[0] - window.pads[0]
    left = place[1] * window.stride[1] - window.pads[1]
    return [(k, j, top + k, left + j) for k in range(window.kernel[0]) for j in range(window.kernel[1])]


def inside(x: np.ndarray, row: int, column: int) -> bool:
    return 0 <= row < x.shape[0] and 0 <= column < x.shape[1]


def values_inside(op: MaxPool | AveragePool, x: np.ndarray, place: Place) -> list[float]:
    taps = under(op.window, x, place)
    return [x[row, column, place[2]].item() for _, _, row, column in taps if inside(x, row, column)]


def convolved(op: Conv2d, images: list[np.ndarray], place: Place) -> float:
    (x,), o = images, place[2]
    per_group = op.weight.shape[1]
    first = o // (op.output.channels // op.groups) * per_group
    products = []
    for k, j, row, column in under(op.window, x, place):
        for i in range(per_group):
            value = x[row, column, first + i].item() if inside(x, row, column) else op.input.zero_point
            products.append((op.weight[o, i, k, j].item(), value))
    if op.output.dtype == "float32":
        acc = op.bias[o].item()
        for w, v in products:
            acc = float32(acc + float32(w * v))
        return clip(acc, op)
    acc = op.bias[o].item() + sum(w * (v - op.input.zero_point) for w, v in products)
    ends = int(op.y_min), int(op.y_max)
    return requantize(acc, op.multiplier[o].item(), op.output.zero_point, *ends)


def largest(op: MaxPool, images: list[np.ndarray], place: Place) -> float:
    return max(values_inside(op, images[0], place))


def average(op: AveragePool, images: list[np.ndarray], place: Place) -> float:
    values = values_inside(op, images[0], place)
    if op.output.dtype == "int16":
        return requantize(sum(values), op.multiplier.item(), 0, int(op.y_min), int(op.y_max))
    acc = 0.0
    for value in values:
        real = value if op.output.dtype == "float32" else float32((value - op.input.zero_point) * op.input.scale)
        acc = float32(acc + real)
    if op.output.dtype == "float32":
        return clip(float32(acc * op.multiplier.item()), op)
    mean = float32(float32(acc / op.window.taps) / op.output.scale)
    return clip(round(float32(mean + op.output.zero_point)), op)


def added(op: Add, images: list[np.ndarray], place: Place) -> float:
    a, b = (x[place].item() for x in images)
    if op.output.dtype == "float32":
        return clip(float32(a + b), op)
    m_a, m_b = (Fraction(m.item()) for m in op.multipliers)
    inner = nearest_float32(b * m_b + Fraction(op.offset.item()))
    return clip(round(nearest_float32(a * m_a + inner)), op)


def nearest_float32(value: Fraction) -> Fraction:
    """The nearest number of 24 bits, ties to even."""
    if not value:
        return value
    step = Fraction(1)
    while abs(value) >= step * 2**24:
        step *= 2
    while abs(value) < step * 2**23:
        step /= 2
    return round(value / step) * step


def joined(op: Concat, images: list[np.ndarray], place: Place) -> float:
    axis = {"height": 0, "length": 1, "channels": 2}[op.axis]
    at, part = list(place), 0
    while at[axis] >= images[part].shape[axis]:
        at[axis] -= images[part].shape[axis]
        part += 1
    value, table = images[part][tuple(at)].item(), op.tables[part]
    if table is not None:
        return table[value + 128].item()
    if op.output.dtype == "int16":
        return requantize(value, op.multipliers[part].item(), 0, -32768, 32767)
    return value


def padded(op: Pad, images: list[np.ndarray], place: Place) -> float:
    row, column = place[0] - op.pads[0], place[1] - op.pads[1]
    return images[0][row, column, place[2]].item() if inside(images[0], row, column) else op.input.zero_point


def looked_up(op: Lookup, images: list[np.ndarray], place: Place) -> float:
    return op.table[images[0][place].item() + 128].item()


def share(op: Softmax, images: list[np.ndarray], place: Place) -> float:
    codes = images[0][0, 0].tolist()
    e = [op.table[max(codes) - code].item() for code in codes]
    return min((256 * e[place[2]] + sum(e) // 2) // sum(e) - 128, 127)


def clip(value: float, op: AveragePool | Add | Conv2d) -> float:
    if value < op.y_min:
        return op.y_min
    return op.y_max if value > op.y_max else value
