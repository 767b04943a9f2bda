"""Logs of a terminal in which a device printed numbers: takes of lines like ``-1.04,0.37,-0.42``.

A line of dashes, ``-,-,-``, begins a take. Between them stand what the terminal itself wrote: escape sequences, echoes
of keys, prompts, the script's first and last line. Those hold no comma, and are passed over; a line inside a take that
holds one, or nothing but a number, and is no sample is damaged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import RecordingError

_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[ -/]*[0-~])")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]+")
#: Signs that a key or a lost byte leaves before a line.
_NOISE = re.compile(rb"^[^\w.,+-]+", re.ASCII)
_NUMBER = rb"[+-]?\d+(?:\.\d*)?"
_ONLY_NUMBER = re.compile(rb"[+-]?[\d.]+")


@dataclass(frozen=True)
class Take:
    """The samples between two lines of dashes.

    Attributes
    ----------
    line : int
        Of the dashes, counted from 1.
    values : ndarray of float64, shape (samples, channels)
    """

    line: int
    values: NDArray[np.float64]


def read_takes(path: Path, n_channels: int) -> list[Take]:
    """Read the takes of a log.

    Parameters
    ----------
    path : Path
    n_channels : int
        Numbers per line.

    Raises
    ------
    RecordingError
        If the file cannot be read or holds no take, or a line is damaged, or a sample stands before the first line of
        dashes, or a take is empty.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RecordingError(
            found=f"it cannot be read ({error.strerror})",
            where=str(path),
            expected="the log of a terminal",
            remedy="Put the file there, or correct capture.folder",
        ) from None
    dashes = b",".join([b"-"] * n_channels)
    sample = re.compile(b",".join([b"(" + _NUMBER + b")"] * n_channels))
    found: list[tuple[int, list[tuple[bytes, ...]]]] = []
    for number, line in enumerate(lines, 1):
        text = clean(line)
        match = sample.fullmatch(text)
        if text == dashes:
            found.append((number, []))
        elif match and found:
            found[-1][1].append(match.groups())
        elif match or (found and (b"," in text or _ONLY_NUMBER.fullmatch(text))):
            raise _damaged(path, number, text, dashes, is_early=not found)
    takes = [_take(path, number, rows) for number, rows in found]
    if not takes:
        raise RecordingError(
            found="it holds no take",
            where=str(path),
            expected=f"lines {dashes.decode()!r}, each with samples of {n_channels} numbers after it",
            remedy="Remove the file, or correct capture.pattern or capture.channels",
        )
    return takes


def clean(line: bytes) -> bytes:
    """Take off what a terminal adds to a line: escape sequences, control characters, spaces, signs before a number."""
    return _NOISE.sub(b"", _CONTROL.sub(b"", _ESCAPE.sub(b"", line)).strip())


def _take(path: Path, line: int, rows: list[tuple[bytes, ...]]) -> Take:
    values = np.array([[float(value) for value in row] for row in rows], dtype=np.float64)
    if not len(values) or not np.isfinite(values).all():
        raise RecordingError(
            found="the take is empty" if not len(values) else "a number of the take is beyond all bounds",
            where=f"{path}, line {line}",
            expected="finite samples after each line of dashes",
            remedy="Remove the take from the log",
        )
    return Take(line, values)


def _damaged(path: Path, line: int, text: bytes, dashes: bytes, *, is_early: bool) -> RecordingError:
    shown = text[:40].decode("ascii", "backslashreplace")
    return RecordingError(
        found=f"{shown!r} stands before the first take" if is_early else f"{shown!r} is no sample",
        where=f"{path}, line {line}",
        expected=f"{dashes.decode()!r} first, then as many decimal numbers per line as it has dashes",
        remedy="Repair the line or take it out of the log",
    )
