"""The constants of operations without weights, from the scales of what they read and write (formulas in `ir`)."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import OperatorError
from stages.core.graph.ir import Add, Concat, Tensor
from stages.core.graph.reference import fma

#: Largest ratio of an addition's multipliers to one another and to a step of the output: up to it, 53 bits hold every
#: product and sum exactly, so that a core without a fused multiply-add gives the same codes.
WIDEST_RATIO = 2.0**12


def add(name: str, inputs: tuple[Tensor, Tensor], output: Tensor, ends: tuple[float, float]) -> Add:
    """Describe a sum.

    Raises
    ------
    OperatorError
        If the scales are too far apart.
    """
    a, b = inputs
    m_a, m_b = _ratio(a, output), _ratio(b, output)
    if max(float(m_a), float(m_b), 1.0) > WIDEST_RATIO * min(m_a, m_b):
        raise OperatorError(
            found=f"the scales of the sum are {a.scale:.3g} and {b.scale:.3g}, and of its output {output.scale:.3g}",
            where=f"node {name}",
            expected=f"scales within a factor of {WIDEST_RATIO:g}",
            remedy="Look for an input of the sum that is nearly always zero, or leave the sum out",
        )
    zero = fma(a.zero_point, m_a, np.float32(m_b * np.float32(b.zero_point)))
    offset = np.float32(np.float32(output.zero_point) - zero)
    return Add(name, inputs, output, (m_a, m_b), offset, *ends)


def concat(
    name: str, inputs: tuple[Tensor, ...], output: Tensor, axis: Literal["height", "length", "channels"]
) -> Concat:
    """Describe a concatenation."""
    tables = tuple(_rescaling_table(x, output) if output.dtype == "int8" else None for x in inputs)
    return Concat(name, inputs, output, axis, tables, tuple(_ratio(x, output) for x in inputs))


def sigmoid_table(x: Tensor, output: Tensor) -> NDArray[np.int8]:
    """Return the output codes of the input codes from -128 on."""
    values = [1 / (1 + math.exp(-value)) for value in _real_codes(x).tolist()]
    return _quantised(np.array(values, dtype=np.float32), output)


def softmax_table(name: str, x: Tensor, output: Tensor) -> NDArray[np.uint32]:
    """Return the exponentials of the differences of codes.

    Raises
    ------
    OperatorError
        If the output's codes are not 1/256 apart from -128 on.
    """
    if (output.scale, output.zero_point) != (2.0**-8, -128):
        raise OperatorError(
            found=f"the softmax writes codes of scale {output.scale:.6g} and zero point {output.zero_point}",
            where=f"node {name}",
            expected="scale 1/256 and zero point -128, which span 0 to 1",
            remedy="Quantise the output of a softmax with these, whatever was observed, or leave the softmax out",
        )
    reach = min((2**32 - 1) / x.channels, 2**23 - 1)
    values = [math.floor(reach * math.exp(-d * float(np.float32(x.scale))) + 0.5) for d in range(256)]
    return np.array(values, dtype=np.uint32)


def _ratio(x: Tensor, output: Tensor) -> np.float32:
    return np.float32(np.float32(x.scale) / np.float32(output.scale))


def _rescaling_table(x: Tensor, output: Tensor) -> NDArray[np.int8] | None:
    if (x.scale, x.zero_point) == (output.scale, output.zero_point):
        return None
    return _quantised(_real_codes(x), output)


def _real_codes(x: Tensor) -> NDArray[np.float32]:
    codes = np.arange(-128, 128, dtype=np.float32)
    return np.asarray((codes - np.float32(x.zero_point)) * np.float32(x.scale), dtype=np.float32)


def _quantised(values: NDArray[np.float32], output: Tensor) -> NDArray[np.int8]:
    return np.clip(np.rint(values / np.float32(output.scale)) + output.zero_point, -128, 127).astype(np.int8)
