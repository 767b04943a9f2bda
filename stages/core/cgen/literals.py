"""Numbers and names as C text, exactly."""

from __future__ import annotations

import math
import re
import textwrap

import numpy as np
from numpy.typing import NDArray

#: Width of generated lines, without indent.
LINE = 108


def float32(value: float) -> str:
    """Write a float32 as an exact hexadecimal C literal, for example ``0x1.8p-7f``, or as ``INFINITY``."""
    if math.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    mantissa, exponent = float(np.float32(value)).hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}f"


def array_lines(values: NDArray[np.generic]) -> list[str]:
    """Write an array's elements in C order, comma separated, filled into lines."""
    write = float32 if values.dtype == np.float32 else str
    text = ", ".join(write(v) for v in values.ravel().tolist())
    return [line.rstrip(",") for line in textwrap.wrap(text, LINE, break_on_hyphens=False)]


def identifier(name: str) -> str:
    """Turn any node or tensor name into lower-case letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "unnamed"


def comment(text: str) -> str:
    """Make text safe inside a C comment: one line, printable ASCII, no end of comment."""
    return re.sub(r"[^ -~]", "?", text).replace("*/", "* /").replace("/*", "/ *")
