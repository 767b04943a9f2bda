"""Which kernel computes each operation, and with which constants."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stages.core.cgen.literals import array_lines, float32
from stages.core.errors import OperatorError
from stages.core.graph.ir import Conv1d, Dense, GlobalAveragePool, Op, Tensor


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
class KernelCall:
    """A kernel with everything that is fixed at compile time.

    Attributes
    ----------
    kernel : str
        The C function; it lives in the header ``<kernel without tg_>.h``.
    params_type : str
        The C struct of its shape.
    params : dict of str to int
        The struct's fields except the output codes.
    arrays : list of Array
        Passed in this order.
    scalars : list of str
        C literals passed after the arrays.
    """

    kernel: str
    params_type: str
    params: dict[str, int]
    arrays: list[Array] = field(default_factory=list)
    scalars: list[str] = field(default_factory=list)

    @property
    def header(self) -> str:
        """The header that defines the kernel."""
        return self.kernel.removeprefix("tg_") + ".h"


def kernel_call(op: Op) -> KernelCall:
    """Choose the kernel of an operation and lay its constants out in the order the kernel reads them.

    Parameters
    ----------
    op : Op

    Returns
    -------
    KernelCall

    Raises
    ------
    OperatorError
        If an accumulator could leave int32, or a multiplier is not a positive finite number.
    """
    match op:
        case Conv1d():
            return _conv1d(op)
        case Dense():
            return KernelCall(
                kernel="tg_dense_s8",
                params_type="tg_dense",
                params={"inputs": op.weight.shape[1], "outputs": op.weight.shape[0]},
                arrays=_constants(op, op.weight),
            )
        case GlobalAveragePool():
            _check_multiplier(op.name, np.atleast_1d(op.multiplier))
            return KernelCall(
                kernel="tg_global_average_pool_s8",
                params_type="tg_global_average_pool",
                params=_fields(op.input, length="length", channels="channels"),
                scalars=[float32(float(op.multiplier))],
            )


def _conv1d(op: Conv1d) -> KernelCall:
    channels, kernel = op.input.channels, op.weight.shape[2]
    if op.groups == channels == op.output.channels:
        name, weight = "tg_depthwise_conv1d_s8", op.weight[:, 0, :].T
    elif kernel == op.groups == 1 and op.pad_left == op.pad_right == 0:
        name, weight = "tg_pointwise_conv1d_s8", op.weight[:, :, 0]
    else:
        name, weight = "tg_conv1d_s8", op.weight.transpose(0, 2, 1)
    return KernelCall(
        kernel=name,
        params_type="tg_conv1d",
        params={
            **_fields(op.input, length="input_length", channels="input_channels"),
            "output_length": op.output.length,
            "output_channels": op.output.channels,
            "groups": op.groups,
            "kernel": kernel,
            "stride": op.stride,
            "pad_left": op.pad_left,
        },
        arrays=_constants(op, weight),
    )


def _fields(tensor: Tensor, length: str, channels: str) -> dict[str, int]:
    return {length: tensor.length, channels: tensor.channels, "input_zero_point": tensor.zero_point}


def _constants(op: Conv1d | Dense, weight: NDArray[np.int8]) -> list[Array]:
    """Lay out weights, bias and multipliers; the bias takes up the input's zero point (conv1d_shape.h)."""
    rows = op.weight.reshape(op.weight.shape[0], -1).astype(np.int64)
    bias = op.bias.astype(np.int64) - op.input.zero_point * rows.sum(axis=1)
    reach = np.abs(bias) + 128 * np.abs(rows).sum(axis=1)
    if reach.max() >= 2**31:
        raise OperatorError(
            found=f"the accumulator can reach {int(reach.max())}",
            where=f"node {op.name}",
            expected="less than 2^31, so that int32 never overflows",
            remedy="Use fewer input channels or a shorter kernel, or look for an outlier in the bias",
        )
    _check_multiplier(op.name, op.multiplier)
    return [
        Array("weights", "int8_t", np.ascontiguousarray(weight)),
        Array("bias", "int32_t", bias.astype(np.int32)),
        Array("multiplier", "float", op.multiplier.astype(np.float32)),
    ]


def _check_multiplier(name: str, multiplier: NDArray[np.float32]) -> None:
    if not (np.isfinite(multiplier).all() and (multiplier > 0).all()):
        raise OperatorError(
            found=f"a requantisation multiplier is {multiplier.min()} or not finite",
            where=f"node {name}",
            expected="positive finite multipliers",
            remedy="Look for a zero or infinite scale in the quantised network, usually a channel of zero weights",
        )
