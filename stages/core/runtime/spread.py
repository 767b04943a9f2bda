"""How far counts lie apart, in integers: the model of ``firmware/runtime/spread.h``."""

from __future__ import annotations

from collections.abc import Sequence

MAX_COUNTS = 2**15
MAX_SHIFT = 16


def spread(counts: Sequence[int], shift: int) -> int:
    """Return n² times the variance of shifted counts.

    Parameters
    ----------
    counts : sequence of int
        At most `MAX_COUNTS`.
    shift : int
        Bits to drop of each difference to the first count; what is left is clamped to ±(2^16 - 1).

    Returns
    -------
    int
    """
    differences = [min(max((int(count) - int(counts[0])) >> shift, -65535), 65535) for count in counts]
    return len(counts) * sum(d * d for d in differences) - sum(differences) ** 2
