"""Whether two executions of the same integers agree, and if not, where they part first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ParityBroken


def choose_windows(
    codes: NDArray[np.int8], scores: NDArray[np.int8], threshold_codes: Sequence[int], n_windows: int
) -> NDArray[np.int64]:
    """Choose windows that exercise the integers, not only the average.

    Equal shares of: typical (evenly spaced), near a threshold, the lowest and highest scores, and the windows
    with the most saturated input codes; filled up with further evenly spaced ones.

    Parameters
    ----------
    codes : ndarray of int8, shape (windows, length, channels)
    scores : ndarray of int8, shape (windows, outputs)
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


@dataclass(frozen=True)
class Agreement:
    """How one execution compares with the reference.

    Attributes
    ----------
    name : str
    windows : int
        Compared.
    different : int
        Windows whose output code differs.
    max_lsb : int or None
        The largest difference; None where only hashes were compared.
    first : int or None
        Row of the first window that differs.
    """

    name: str
    windows: int
    different: int
    max_lsb: int | None
    first: int | None


def compare_outputs(name: str, reference: NDArray[np.int8], candidate: NDArray[np.int8]) -> Agreement:
    """Compare output codes as integers, shape (windows, outputs) each."""
    difference = np.abs(reference.astype(np.int64) - candidate.astype(np.int64)).max(axis=1)
    rows = np.flatnonzero(difference)
    return Agreement(
        name, len(reference), len(rows), int(difference.max(initial=0)), int(rows[0]) if len(rows) else None
    )


def first_difference(reference: Mapping[str, NDArray[np.int8]], trace: Sequence[NDArray[np.int8]]) -> str | None:
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
            return (
                f"{name}: {len(places)} of {expected.size} codes differ, first at "
                f"{[int(index) for index in place]}: {got[place]} instead of {expected[place]}"
            )
    return None


def broken(agreement: Agreement, where: str | None) -> ParityBroken:
    """Return the error for an execution that left the reference."""
    by = "" if agreement.max_lsb is None else f" by up to {agreement.max_lsb} LSB"
    return ParityBroken(
        found=f"{agreement.different} of {agreement.windows} windows differ{by}"
        + (
            f"; the first differing tensor is {where}"
            if where
            else "; yet a traced window agrees: it is not repeatable"
        ),
        where=agreement.name,
        expected="the same integers as the host reference, 0 LSB",
        remedy="Compare that operator with its formula, in the kernel's header in firmware/kernels or firmware/dsp",
    )
