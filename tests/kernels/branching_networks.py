"""Random networks with branches: residual sums, concatenations, pools and padding, over length or over images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stages.core.graph import mixing
from stages.core.graph.ir import (
    AveragePool,
    Conv1d,
    Conv2d,
    Dense,
    Dtype,
    GlobalAveragePool,
    Graph,
    Lookup,
    MaxPool,
    Op,
    Pad,
    Softmax,
    Tensor,
    Window,
)
from stages.core.graph.lower import pool_multiplier
from tests.kernels.brute_force import any_output
from tests.kernels.random_networks import (
    LIMITS,
    SPREAD,
    codes,
    conv,
    output_range,
    parameters,
    random_dense,
    random_weight,
    tensor,
    widen,
)

Rng = np.random.Generator


class Net:
    """A network under construction, and for a random window every value in it."""

    def __init__(self, x: Tensor, rng: Rng, dtype: Dtype = "int8") -> None:
        self.rng, self.dtype, self.images = rng, dtype, x.height > 1
        self.input = self.last = x
        self.ops: list[Op] = []
        self.values = {x.name: codes(rng, x.positions, x.channels).reshape(x.shape)}
        if dtype != "int8":
            self.add(widen(x, dtype))

    def add(self, op: Op) -> Tensor:
        inputs = [self.values[tensor.name] for tensor in op.inputs]
        if isinstance(op, Conv1d | Conv2d) and self.dtype != "float32":
            op = centred(op, inputs[0])
        self.values[op.output.name] = any_output(op, inputs)
        self.ops.append(op)
        self.last = op.output
        return op.output

    def output(self, height: int, length: int, channels: int) -> Tensor:
        """A tensor of the network's type, with a scale of its own and room above its zero point."""
        made = replace(tensor(self.rng, f"t{len(self.ops)}", length, channels, self.dtype), height=height)
        made = replace(made, zero_point=min(made.zero_point, 40))
        return made if self.dtype == "float32" else replace(made, scale=float(np.float32(self.rng.uniform(0.02, 0.1))))

    def window(self, x: Tensor) -> Window:
        """Up to 4 taps each way, any stride and padding, at least one output."""
        sizes = (x.height, x.length)
        kernel = [int(self.rng.integers(1, min(4, size) + 1)) for size in sizes]
        stride = [int(self.rng.integers(1, 3)) for _ in sizes]
        pads = [int(self.rng.integers(0, k)) if self.images or i % 2 else 0 for i, k in enumerate(kernel * 2)]
        return Window((kernel[0], kernel[1]), (stride[0], stride[1]), (pads[0], pads[1], pads[2], pads[3]))

    def under(self, x: Tensor, window: Window, channels: int) -> Tensor:
        top, left, bottom, right = window.pads
        height = (x.height + top + bottom - window.kernel[0]) // window.stride[0] + 1
        length = (x.length + left + right - window.kernel[1]) // window.stride[1] + 1
        return self.output(height, length, channels)

    def conv(self, x: Tensor, channels: int, window: Window, groups: int = 1) -> Tensor:
        name = f"conv{len(self.ops)}"
        if not self.images:
            pads = (window.pads[1], window.pads[3])
            op = conv(self.rng, name, x, channels, window.kernel[1], window.stride[1], pads, groups)
            y = self.output(1, op.output.length, channels)
            low, high = output_range(self.rng, y)
            return self.add(replace(op, output=y, y_min=low, y_max=high))
        y = self.under(x, window, channels)
        weight = random_weight(self.rng, self.dtype, channels, x.channels // groups, *window.kernel)
        bias, multiplier = parameters(self.rng, self.dtype, channels, weight[0].size)
        return self.add(Conv2d(name, x, y, weight, bias, multiplier, window, groups, *output_range(self.rng, y)))

    def residual(self, x: Tensor) -> Tensor:
        """x plus a convolution of x of its shape."""
        size = 3 if self.images else 1
        same = Window((size, 3), (1, 1), (size // 2, 1, size // 2, 1))
        b = self.conv(x, x.channels, same, x.channels if self.rng.random() < 0.5 else 1)
        return self.sum(x, b) if self.rng.random() < 0.5 else self.sum(b, x)

    def sum(self, a: Tensor, b: Tensor) -> Tensor:
        y = self.output(a.height, a.length, a.channels)
        return self.add(mixing.add(f"add{len(self.ops)}", (a, b), y, output_range(self.rng, y)))

    def concat(self, axis: str, *inputs: Tensor) -> Tensor:
        sizes = {name: getattr(inputs[0], name) for name in ("height", "length", "channels")}
        sizes[axis] *= len(inputs)
        y = self.output(**sizes)
        if self.rng.random() < 0.3:
            y = replace(y, scale=inputs[-1].scale, zero_point=inputs[-1].zero_point)
        return self.add(mixing.concat(f"concat{len(self.ops)}", inputs, y, axis))

    def pool(self, x: Tensor, kind: str, window: Window) -> Tensor:
        y = self.under(x, window, x.channels)
        if kind == "max":
            y = replace(y, scale=x.scale, zero_point=x.zero_point)
            return self.add(MaxPool(f"max{len(self.ops)}", x, y, window))
        factor = pool_multiplier(x.scale, y.scale, window.taps)
        return self.add(AveragePool(f"average{len(self.ops)}", x, y, window, factor, *output_range(self.rng, y)))

    def pad(self, x: Tensor) -> Tensor:
        top, left, bottom, right = (int(v) for v in self.rng.integers(0, 3, 4))
        pads = (top, left, bottom, right) if self.images else (0, left, 0, right)
        y = self.output(x.height + pads[0] + pads[2], x.length + left + right, x.channels)
        y = replace(y, scale=x.scale, zero_point=x.zero_point)
        return self.add(Pad(f"pad{len(self.ops)}", x, y, pads))

    def head(self, outputs: int, ending: str) -> Graph:
        """The mean, a dense layer, and in int8 a softmax or a sigmoid behind it."""
        y = self.output(1, 1, self.last.channels)
        factor = pool_multiplier(self.last.scale, y.scale, self.last.positions)
        self.add(GlobalAveragePool("mean", self.last, y, factor, *LIMITS[self.dtype]))
        dense = random_dense(self.rng, self.last, outputs)
        factors = dense.multiplier * np.float32(1 if self.dtype == "float32" else 0.5)
        self.add(Dense("dense", dense.input, dense.output, dense.weight, dense.bias, factors, *LIMITS[self.dtype]))
        shares = replace(self.last, name="scores", scale=2.0**-8, zero_point=-128)
        if ending == "softmax":
            self.add(Softmax("softmax", self.last, shares, mixing.softmax_table("softmax", self.last, shares)))
        if ending == "sigmoid":
            self.add(Lookup("sigmoid", self.last, shares, mixing.sigmoid_table(self.last, shares)))
        return Graph(self.input, self.last, tuple(self.ops))


@dataclass(frozen=True)
class Case:
    """A network, a window, and every operation's output as defined."""

    graph: Graph
    window: np.ndarray
    tensors: list[np.ndarray]


def centred(op: Conv1d | Conv2d, x: np.ndarray) -> Conv1d | Conv2d:
    """Choose bias and multiplier so that every output channel varies about the middle of its codes."""
    least = 2.0**-10 if op.input.dtype == "int8" else 2.0**-18
    wide = replace(op.output, dtype="int16", zero_point=0)
    channels = op.output.channels
    one = replace(op, bias=op.bias * 0, multiplier=np.full(channels, least, np.float32), y_min=-32768, y_max=32767)
    sums = any_output(replace(one, output=wide), [x]).reshape(-1, channels).astype(np.float64)
    spread = SPREAD[op.input.dtype] / np.maximum(sums.std(), 1.0)
    bias = np.rint(-sums.mean(axis=0) / least).astype(np.int32)
    return replace(op, bias=bias, multiplier=np.full(channels, spread * least, np.float32))


def random_input(rng: Rng, dtype: Dtype, images: bool, channels: int | None) -> Tensor:
    height = int(rng.integers(5, 10)) if images else 1
    length = int(rng.integers(5, 10)) if images else int(rng.integers(18, 30))
    x = replace(tensor(rng, "codes", length, channels or int(rng.integers(1, 6))), height=height)
    return x if dtype == "int8" else replace(x, zero_point=0)


def branching(rng: Rng, dtype: Dtype, *, images: bool, ending: str = "", channels: int | None = None) -> Case:
    """Every operation, in an order in which all of them meet several shapes."""
    net = Net(random_input(rng, dtype, images, channels), rng, dtype)
    stem = net.conv(net.last, int(rng.choice([3, 8, 16, 20])), net.window(net.last))
    sums = net.residual(stem)
    parts = [net.pool(sums, str(rng.choice(["max", "average"])), net.window(sums))]
    parts.append(net.residual(parts[0]))
    axis = str(rng.choice(["height", "length", "channels"] if images else ["length", "channels"]))
    joined = net.concat(axis, *parts, parts[0])
    wide = net.pad(joined)
    for kind in ("average", "max"):
        wide = net.pool(wide, kind, net.window(wide))
    depth = net.conv(wide, wide.channels, net.window(wide), wide.channels)
    groups = 2 if depth.channels % 2 == 0 else 1
    net.conv(depth, 6, Window((1, 1), (1, 1), (0, 0, 0, 0)) if rng.random() < 0.5 else net.window(depth), groups)
    graph = net.head(int(rng.integers(2, 6)), ending)
    return Case(graph, net.values["codes"], [net.values[op.output.name] for op in graph.ops])
