"""Which kernel computes each operation, and with which constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.cgen.literals import array_lines, float32
from stages.core.errors import OperatorError
from stages.core.graph.ir import (
    Add,
    AveragePool,
    Clipping,
    Concat,
    Conv1d,
    Conv2d,
    Dense,
    Dtype,
    GlobalAveragePool,
    Lookup,
    MaxPool,
    Op,
    Pad,
    Softmax,
    Tensor,
    Widen,
    Window,
)

#: Names of types in kernels, and the C types of activations (kernels/types.h).
SUFFIX: dict[Dtype, str] = {"int8": "s8", "int16": "s16", "int32": "s32", "float32": "f32"}
ACTIVATION: dict[Dtype, str] = {"int8": "int8_t", "int16": "tg_s16", "int32": "tg_s32", "float32": "tg_f32"}
_LARGEST: dict[Dtype, int] = {"int8": 128, "int16": 32768}


@dataclass(frozen=True)
class Array:
    """One constant array of an operation."""

    name: str
    ctype: str
    values: NDArray[np.generic]

    @property
    def count(self) -> int:
        """Number of elements."""
        return int(self.values.size)

    @property
    def lines(self) -> list[str]:
        """The elements as C text."""
        return array_lines(self.values)


@dataclass(frozen=True)
class Learned:
    """A number that training determines: it lies among the weights, and the code reads it from there."""

    value: int | np.float32

    @property
    def array(self) -> str:
        """The array of the operation that holds it: codes, or factors."""
        return "factors" if isinstance(self.value, np.float32) else "codes"


Fields = Mapping[str, int | str | Learned]


@dataclass(frozen=True)
class KernelCall:
    """A kernel with everything that it is given.

    What is `Learned` or in an array may be exchanged with the weights; all else is fixed at compile time.

    Attributes
    ----------
    kernel : str
        The C function; it lives in the header ``<kernel without tg_>.h``.
    shape_type : str
        The C struct of its shape.
    shape : mapping of str to int, str or Learned
        The struct's fields.
    clip_type : str or None
        The C struct of what it may produce, passed after the shape, if the kernel clips.
    clip : mapping of str to str or Learned
        That struct's fields, literals as in C.
    arrays : list of Array
        Passed in this order after the inputs.
    scalars : list of str or Learned
        Passed after the arrays, literals as in C.
    inputs : tuple of int
        Which of the operation's inputs are passed.
    part : str
        Tells the learned numbers of an operation's several calls apart.
    """

    kernel: str
    shape_type: str
    shape: Fields
    clip_type: str | None = None
    clip: Fields = field(default_factory=dict)
    arrays: list[Array] = field(default_factory=list)
    scalars: Sequence[str | Learned] = ()
    inputs: tuple[int, ...] = (0,)
    part: str = ""

    @property
    def header(self) -> str:
        """The header that defines the kernel."""
        return self.kernel.removeprefix("tg_") + ".h"

    @property
    def constants(self) -> list[Array]:
        """All that lies among the weights: the arrays, and those of the learned numbers."""
        given = [*self.shape.values(), *self.clip.values(), *self.scalars]
        learned = [each for each in given if isinstance(each, Learned)]
        codes, factors = ([each.value for each in learned if each.array == name] for name in ("codes", "factors"))
        return [
            *self.arrays,
            *([Array(f"codes{self.part}", "int32_t", np.array(codes, dtype=np.int32))] if codes else []),
            *([Array(f"factors{self.part}", "float", np.array(factors, dtype=np.float32))] if factors else []),
        ]

    def written(self, place: Callable[[str, int], str]) -> KernelCall:
        """Return the call in C alone.

        Parameters
        ----------
        place : callable
            How the code reads a learned number, given its array and its index there.
        """
        used = {"codes": 0, "factors": 0}

        def c(value: int | str | Learned) -> str:
            if not isinstance(value, Learned):
                return str(value)
            used[value.array] += 1
            return place(f"{value.array}{self.part}", used[value.array] - 1)

        shape, clip = ({key: c(value) for key, value in given.items()} for given in (self.shape, self.clip))
        return replace(self, shape=shape, clip=clip, scalars=[c(value) for value in self.scalars])


def kernel_calls(op: Op) -> list[KernelCall]:
    """Choose the kernels of an operation and lay its constants out in the order the kernels read them.

    Parameters
    ----------
    op : Op

    Returns
    -------
    list of KernelCall
        One, but for a concatenation, which has one for each input.

    Raises
    ------
    OperatorError
        If no kernel has the operation's types, if an accumulator could leave int32, if a multiplier is not a positive
        finite number, or if a float constant is not finite.
    """
    _check_types(op)
    if isinstance(op, Concat):
        return [_concat(op, i) for i in range(len(op.inputs))]
    return [_kernel_call(op)]


def _kernel_call(op: Op) -> KernelCall:
    match op:
        case Widen():
            call = _widen(op)
        case Conv1d():
            call = _conv1d(op)
        case Conv2d():
            call = _conv2d(op)
        case Dense():
            call = _dense(op)
        case GlobalAveragePool():
            call = _global_average_pool(op)
        case MaxPool():
            call = KernelCall(f"tg_max_pool_{_types(op)}", "tg_pool", _pool_shape(op.input, op.output, op.window))
        case AveragePool():
            call = _average_pool(op)
        case Add():
            call = _add(op)
        case Pad():
            call = _pad(op)
        case Lookup():
            table = Array("table", "int8_t", op.table)
            call = KernelCall("tg_lookup_s8", "tg_elements", _elements(op.output), arrays=[table])
        case Softmax():
            table = Array("table", "uint32_t", op.table)
            call = KernelCall("tg_softmax_s8", "tg_softmax", {"channels": op.input.channels}, arrays=[table])
        case _:
            raise NotImplementedError(type(op))
    return call


def _check_types(op: Op) -> None:
    """Each kernel keeps its input's type, except `Widen` and a dense layer whose output is its accumulator."""
    types = (op.inputs[0].dtype, op.output.dtype)
    kept = [("int8", "int8"), ("int16", "int16"), ("float32", "float32")]
    heads = [("int8", "int32"), ("int16", "int32")]
    special = {
        Widen: [("int8", "int16"), ("int8", "float32")],
        Dense: kept + heads,
        Lookup: kept[:1],
        Softmax: kept[:1],
    }
    known = special.get(type(op), kept)
    if types not in known:
        raise OperatorError(
            found=f"{type(op).__name__} from {types[0]} to {types[1]}",
            where=f"node {op.name}",
            expected=" or ".join(f"{a} to {b}" for a, b in known),
            remedy="Choose another precision, or add a kernel to firmware/kernels",
        )


def _types(op: Op) -> str:
    if op.inputs[0].dtype == op.output.dtype:
        return SUFFIX[op.output.dtype]
    return f"{SUFFIX[op.inputs[0].dtype]}_{SUFFIX[op.output.dtype]}"


def _clip(op: Clipping) -> tuple[str | None, Fields]:
    """Say what may be produced; a limit that is the type's own, or zero, is in the code, where it costs least."""
    if op.output.dtype == "float32":
        return "tg_range", {"min": float32(op.y_min), "max": float32(op.y_max)}
    if op.output.dtype == "int32":
        return None, {}
    least, most = -_LARGEST[op.output.dtype], _LARGEST[op.output.dtype] - 1
    given = {least, most} | ({0} if op.output.dtype == "int16" else set())
    y_min, y_max = (int(code) if code in given else Learned(int(code)) for code in (op.y_min, op.y_max))
    return "tg_codes", {"zero_point": _zero_point(op.output), "min": y_min, "max": y_max}


def _zero_point(tensor: Tensor) -> int | Learned:
    """Leave the zero point of what begins at real zero, as after a ReLU, in the code: no training moves it."""
    least = -_LARGEST["int8"]
    return Learned(tensor.zero_point) if tensor.dtype == "int8" and tensor.zero_point != least else tensor.zero_point


def _factor(value: float | np.float32) -> Learned:
    return Learned(np.float32(value))


def _widen(op: Widen) -> KernelCall:
    scalars = []
    if op.output.dtype == "float32":
        _check_multiplier(op.name, np.atleast_1d(op.multiplier))
        scalars = [_factor(op.multiplier)]
    return KernelCall(f"tg_widen_{SUFFIX[op.output.dtype]}", "tg_widen", _elements(op.input), scalars=scalars)


def _elements(tensor: Tensor) -> dict[str, int]:
    return {"count": tensor.positions * tensor.channels}


def _dense(op: Dense) -> KernelCall:
    shape = {"inputs": op.weight.shape[1], "outputs": op.weight.shape[0]}
    return KernelCall(f"tg_dense_{_types(op)}", "tg_dense", shape, *_clip(op), arrays=_constants(op, op.weight))


def _global_average_pool(op: GlobalAveragePool) -> KernelCall:
    if op.input.dtype != "float32":
        _check_reach(op.name, (_LARGEST[op.input.dtype] + abs(op.input.zero_point)) * op.input.positions)
    _check_multiplier(op.name, np.atleast_1d(op.multiplier))
    return KernelCall(
        f"tg_global_average_pool_{_types(op)}",
        "tg_global_average_pool",
        {**_fields(op.input, length="length", channels="channels"), "length": op.input.positions},
        *_clip(op),
        scalars=[_factor(op.multiplier)],
    )


def _conv1d(op: Conv1d) -> KernelCall:
    channels, kernel = op.input.channels, op.weight.shape[2]
    if op.groups == channels == op.output.channels:
        name, weight = "depthwise_conv1d", op.weight[:, 0, :].T
    elif kernel == op.groups == 1 and op.pad_left == op.pad_right == 0:
        name, weight = "pointwise_conv1d", op.weight[:, :, 0]
    else:
        name, weight = "conv1d", op.weight.transpose(0, 2, 1)
    return KernelCall(
        f"tg_{name}_{_types(op)}",
        "tg_conv1d",
        {
            **_fields(op.input, length="input_length", channels="input_channels"),
            "output_length": op.output.length,
            "output_channels": op.output.channels,
            "groups": op.groups,
            "kernel": kernel,
            "stride": op.stride,
            "pad_left": op.pad_left,
        },
        *_clip(op),
        arrays=_constants(op, weight),
    )


def _conv2d(op: Conv2d) -> KernelCall:
    if op.window == Window((1, 1), (1, 1), (0, 0, 0, 0)) and op.groups == 1:
        return _conv1d(_over_positions(op))
    if op.groups == op.input.channels == op.output.channels:
        name, weight = "depthwise_conv2d", op.weight[:, 0].transpose(1, 2, 0)
    else:
        name, weight = "conv2d", op.weight.transpose(0, 2, 3, 1)
    shape = {
        "input_height": op.input.height,
        **_fields(op.input, length="input_length", channels="input_channels"),
        "output_height": op.output.height,
        "output_length": op.output.length,
        "output_channels": op.output.channels,
        "groups": op.groups,
        **_window_fields(op.window),
    }
    return KernelCall(f"tg_{name}_{_types(op)}", "tg_conv2d", shape, *_clip(op), arrays=_constants(op, weight))


def _over_positions(op: Conv2d) -> Conv1d:
    """Return a convolution of one tap as one over length, of all rows one after another."""
    x, y = (replace(tensor, length=tensor.positions, height=1) for tensor in (op.input, op.output))
    return Conv1d(op.name, x, y, op.weight[:, :, 0], op.bias, op.multiplier, 1, 0, 0, 1, op.y_min, op.y_max)


def _window_fields(window: Window) -> Fields:
    return {
        "kernel_height": window.kernel[0],
        "kernel_length": window.kernel[1],
        "stride_height": window.stride[0],
        "stride_length": window.stride[1],
        "pad_top": window.pads[0],
        "pad_left": window.pads[1],
    }


def _pool_shape(x: Tensor, y: Tensor, window: Window) -> Fields:
    return {
        "input_height": x.height,
        **_fields(x, length="input_length", channels="channels"),
        "output_height": y.height,
        "output_length": y.length,
        **_window_fields(window),
    }


def _average_pool(op: AveragePool) -> KernelCall:
    factors = [float(op.multiplier)]
    if op.input.dtype == "int8":
        factors = [op.input.scale, op.output.scale]
    elif op.input.dtype == "int16":
        _check_reach(op.name, _LARGEST["int16"] * op.window.taps)
    _check_multiplier(op.name, np.array(factors, dtype=np.float32))
    shape = _pool_shape(op.input, op.output, op.window)
    scalars: list[str | Learned] = [_factor(factor) for factor in factors]
    if op.input.dtype == "int8":
        scalars.insert(1, float32(op.window.taps))
    return KernelCall(f"tg_average_pool_{_types(op)}", "tg_pool", shape, *_clip(op), scalars=scalars)


def _add(op: Add) -> KernelCall:
    scalars = []
    if op.output.dtype != "float32":
        _check_multiplier(op.name, np.array(op.multipliers))
        scalars = [_factor(value) for value in (*op.multipliers, op.offset)]
    shape = _elements(op.output)
    return KernelCall(f"tg_add_{_types(op)}", "tg_elements", shape, *_clip(op), scalars=scalars, inputs=(0, 1))


def _concat(op: Concat, i: int) -> KernelCall:
    """One input; rows are what lies between two of its elements' places in the output."""
    rows, row = _rows(op.inputs[i], op.axis)
    before = sum(_rows(x, op.axis)[1] for x in op.inputs[:i])
    shape = {"rows": rows, "row": row, "output_row": _rows(op.output, op.axis)[1], "offset": before}
    table, multiplier = op.tables[i], op.multipliers[i]
    if table is not None:
        return KernelCall("tg_concat_s8", "tg_concat", shape, arrays=[Array(f"table{i}", "int8_t", table)], inputs=(i,))
    if op.output.dtype == "int16" and multiplier != 1:
        _check_multiplier(op.name, np.atleast_1d(multiplier))
        return KernelCall("tg_concat_s16", "tg_concat", shape, scalars=[_factor(multiplier)], inputs=(i,), part=str(i))
    size = np.dtype(op.output.dtype).itemsize
    shape = {name: value if name == "rows" else value * size for name, value in shape.items()}
    return KernelCall("tg_concat_bytes", "tg_concat", shape, inputs=(i,))


def _rows(tensor: Tensor, axis: str) -> tuple[int, int]:
    """Return how many rows a tensor has beside an axis, and the elements of one."""
    rows = {"height": 1, "length": tensor.height, "channels": tensor.positions}[axis]
    return rows, tensor.positions * tensor.channels // rows


def _pad(op: Pad) -> KernelCall:
    top, left, bottom, right = op.pads
    pixel = op.input.channels * np.dtype(op.input.dtype).itemsize
    shape = {
        "rows_above": top,
        "rows": op.input.height,
        "rows_below": bottom,
        "bytes_before": left * pixel,
        "row_bytes": op.input.length * pixel,
        "bytes_after": right * pixel,
        "fill": _zero_point(op.input),
    }
    return KernelCall("tg_pad_bytes", "tg_pad", shape)


def _fields(tensor: Tensor, length: str, channels: str) -> Fields:
    return {length: tensor.length, channels: tensor.channels, "input_zero_point": _zero_point(tensor)}


def _constants(op: Conv1d | Conv2d | Dense, weight: NDArray[Any]) -> list[Array]:
    """Lay out weights, bias and, where the sum is requantised, multipliers."""
    weight = np.ascontiguousarray(weight)
    if op.input.dtype == "float32":
        _check_finite(op)
        return [
            Array("weights", "float", weight.astype(np.float32)),
            Array("bias", "float", op.bias.astype(np.float32)),
        ]
    arrays = [Array("weights", "int8_t", weight.astype(np.int8)), Array("bias", "int32_t", _folded_bias(op))]
    _check_multiplier(op.name, op.multiplier)
    if op.output.dtype == "int32":
        return arrays
    return [*arrays, Array("multiplier", "float", op.multiplier.astype(np.float32))]


def _folded_bias(op: Conv1d | Conv2d | Dense) -> NDArray[np.int32]:
    """Let the bias take up the input's zero point (kernels/shape.h), after a check that no sum can leave int32."""
    rows = op.weight.reshape(op.weight.shape[0], -1).astype(np.int64)
    bias = op.bias.astype(np.int64) - op.input.zero_point * rows.sum(axis=1)
    reach = np.abs(bias) + _LARGEST[op.input.dtype] * np.abs(rows).sum(axis=1)
    _check_reach(op.name, int(reach.max()))
    return bias.astype(np.int32)


def _check_reach(name: str, reach: int) -> None:
    if reach >= 2**31:
        raise OperatorError(
            found=f"the accumulator can reach {reach}",
            where=f"node {name}",
            expected="less than 2^31, so that int32 never overflows",
            remedy="Use fewer input channels or a shorter kernel, or look for an outlier in the bias",
        )


def _check_finite(op: Conv1d | Conv2d | Dense) -> None:
    if not (np.isfinite(op.weight).all() and np.isfinite(op.bias).all()):
        raise OperatorError(
            found="a weight or bias is infinite or not a number",
            where=f"node {op.name}",
            expected="finite float32 constants",
            remedy="Look for a training run that diverged",
        )


def _check_multiplier(name: str, multiplier: NDArray[np.float32]) -> None:
    if not (np.isfinite(multiplier).all() and (multiplier > 0).all()):
        raise OperatorError(
            found=f"a requantisation multiplier is {multiplier.min()} or not finite",
            where=f"node {name}",
            expected="positive finite multipliers",
            remedy="Look for a zero or infinite scale in the quantised network, usually a channel of zero weights",
        )
