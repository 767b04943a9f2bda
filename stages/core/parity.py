"""Whether two executions of the same network agree, and if not, where they part first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ParityBroken


def choose_windows(
    codes: NDArray[np.int8], scores: NDArray[np.int32], threshold_codes: Sequence[int], n_windows: int
) -> NDArray[np.int64]:
    """Choose windows that exercise the integers, not only the average.

    Equal shares of: typical (evenly spaced), near a threshold, the lowest and highest scores, and the windows
    with the most saturated input codes; filled up with further evenly spaced ones.

    Parameters
    ----------
    codes : ndarray of int8, shape (windows, length, channels)
    scores : ndarray of int32, shape (windows, outputs)
        Score codes.
    threshold_codes : sequence of int
        One per output.
    n_windows : int

    Returns
    -------
    ndarray of int64, shape (min(n_windows, windows),)
        Sorted row numbers, each once.
    """
    n_windows = min(n_windows, len(scores))
    share = n_windows // 4
    saturation = np.mean((codes == -128) | (codes == 127), axis=(1, 2))
    by_score = np.argsort(scores.astype(np.int64).sum(axis=1), kind="stable")
    distance = np.abs(scores.astype(np.int64) - np.asarray(threshold_codes)).min(axis=1)
    near = np.argsort(distance, kind="stable")
    wanted = [
        near[:share],
        by_score[: share // 2],
        by_score[len(by_score) - share // 2 :],
        np.argsort(-saturation, kind="stable")[:share],
        _spread(len(scores)),
    ]
    _, first = np.unique(np.concatenate(wanted), return_index=True)
    in_order = np.concatenate(wanted)[np.sort(first)]
    return np.sort(in_order[:n_windows])


def _spread(n_rows: int) -> NDArray[np.int64]:
    """Order row numbers so that any prefix is spread evenly: bit-reversed positions."""
    bits = max(1, int(np.ceil(np.log2(n_rows))))
    reversed_ = np.array([int(f"{index:0{bits}b}"[::-1], 2) for index in range(2**bits)])
    return reversed_[reversed_ < n_rows]


#: What differences are counted in: output codes, units in the last place of a float32 score, parts of the largest
#: score, or whole hashes.
Unit = Literal["LSB", "ulp", "relative", "hash"]


@dataclass(frozen=True)
class Agreement:
    """How one execution compares with the reference.

    Attributes
    ----------
    name : str
    windows : int
        Compared.
    different : int
        Windows that differ at all.
    unit : {"LSB", "ulp", "relative", "hash"}
    max_difference : float or None
        The largest difference; None for hashes.
    allowed : int or None
        The largest difference that is still agreement; None if the comparison is only reported.
    first : int or None
        Row of the first window that differs by more than is allowed.
    """

    name: str
    windows: int
    different: int
    unit: Unit
    max_difference: float | None
    allowed: int | None
    first: int | None


def compare_scores(
    name: str,
    reference: NDArray[np.int32],
    candidate: NDArray[np.int32],
    *,
    unit: Literal["LSB", "ulp"] = "LSB",
    allowed: int = 0,
) -> Agreement:
    """Compare score codes as integers, shape (windows, outputs) each.

    Parameters
    ----------
    name : str
    reference, candidate : ndarray of int32
    unit : {"LSB", "ulp"}
        What a step of the codes is.
    allowed : int, default 0
        The largest difference that is still agreement.
    """
    difference = np.abs(reference.astype(np.int64) - candidate.astype(np.int64)).max(axis=1)
    return Agreement(
        name=name,
        windows=len(reference),
        different=int(np.count_nonzero(difference)),
        unit=unit,
        max_difference=int(difference.max(initial=0)),
        allowed=allowed,
        first=_first(difference > allowed),
    )


def compare_hashes(
    name: str, reference: NDArray[np.uint32], candidate: NDArray[np.uint32], *, demanded: bool = True
) -> Agreement:
    """Compare a hash per window; how far apart the values behind them are, a hash does not tell."""
    unequal = reference != candidate
    return Agreement(
        name=name,
        windows=len(reference),
        different=int(np.count_nonzero(unequal)),
        unit="hash",
        max_difference=None,
        allowed=0 if demanded else None,
        first=_first(unequal) if demanded else None,
    )


def _first(broken_rows: NDArray[np.bool_]) -> int | None:
    rows = np.flatnonzero(broken_rows)
    return int(rows[0]) if len(rows) else None


def first_difference(reference: Mapping[str, NDArray[Any]], trace: Sequence[NDArray[Any]]) -> str | None:
    """Name the first tensor, in execution order, in which a trace leaves the reference.

    Parameters
    ----------
    reference : mapping of str to ndarray
        Tensors of one window, in execution order.
    trace : sequence of ndarray
        The same tensors as the device computed them, flattened.

    Returns
    -------
    str or None
        For example ``"stem: 3 of 2024 codes differ, first at [17, 4]: -3 instead of -4"``; None if all agree.
    """
    for (name, expected), found in zip(reference.items(), trace, strict=True):
        got = found.reshape(expected.shape)
        places = np.argwhere(expected != got)
        if len(places):
            place = tuple(places[0])
            what = "values" if expected.dtype.kind == "f" else "codes"
            return (
                f"{name}: {len(places)} of {expected.size} {what} differ, first at "
                f"{[int(index) for index in place]}: {got[place]} instead of {expected[place]}"
            )
    return None


def broken(agreement: Agreement, where: str | None) -> ParityBroken:
    """Return the error for an execution that left the reference."""
    by = f" by up to {agreement.max_difference} {agreement.unit}" if agreement.max_difference is not None else ""
    return ParityBroken(
        found=f"{agreement.different} of {agreement.windows} windows differ{by}"
        + (
            f"; the first differing tensor is {where}"
            if where
            else "; yet a traced window agrees: it is not repeatable"
        ),
        where=agreement.name,
        expected="the same integers as the host reference, 0 LSB"
        if agreement.unit != "ulp"
        else f"score codes within {agreement.allowed} ulp of the host reference",
        remedy="Compare that operator with its formula, in the kernel's header in firmware/kernels or firmware/dsp",
    )
