"""What a reader is asked for and what it gives, whatever the format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.core.errors import RecordingError, TailgateError

#: Key of the sample rate in formats that carry keys.
RATE_KEY = "sample_rate_hz"

_BLOCK_BYTES = 1 << 21


@dataclass(frozen=True)
class Wanted:
    """Which stored columns to read.

    Attributes
    ----------
    channels : tuple of str
        In the order of the result.
    stored_names : tuple of str or None
        Names of everything a file stores, in stored order, where the file does not name it itself.
    time_column : str or None
        The column of time stamps; formats without columns have none.
    time_unit_s : float
        Seconds per unit of a time stamp that is a plain number.
    """

    channels: tuple[str, ...]
    stored_names: tuple[str, ...] | None = None
    time_column: str | None = None
    time_unit_s: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        """The channels, then the time column if there is one."""
        return self.channels if self.time_column is None else (*self.channels, self.time_column)


@dataclass(frozen=True)
class Samples:
    """Some consecutive samples as they are stored.

    Attributes
    ----------
    values : ndarray of float64, shape (samples, channels)
        NaN where nothing is stored.
    time_s : ndarray of float64, shape (samples,), or None
    """

    values: NDArray[np.float64]
    time_s: NDArray[np.float64] | None = None


class Reader(Protocol):
    """One format."""

    def stated_rate_hz(self, path: Path, wanted: Wanted) -> float | None:
        """Open the file, make sure that it has what is wanted, and return the sample rate that it states, if any."""

    def blocks(self, path: Path, wanted: Wanted) -> Iterator[Samples]:
        """Read the file in blocks of at most a few MiB."""

    def place(self, path: Path, sample: int, wanted: Wanted) -> str:
        """Say where in the file a sample stands."""


def block_rows(columns: int) -> int:
    """Return how many samples of so many columns make one block of float64."""
    return max(1, _BLOCK_BYTES // (8 * columns))


def positions(stored: tuple[str, ...], names: tuple[str, ...], path: Path) -> list[int]:
    """Return where the named columns stand among those that a file stores.

    Raises
    ------
    RecordingError
        If the file lacks one of them, or has it twice.
    """
    unfit = next((name for name in names if stored.count(name) != 1), None)
    if unfit is not None:
        raise RecordingError(
            found=f"it has {stored.count(unfit)} columns {unfit!r}; all are {', '.join(map(repr, stored)) or 'none'}",
            where=str(path),
            expected=f"each of {', '.join(map(repr, names))} once",
            remedy="Correct capture.channels or capture.time_column, or the names in the file",
        )
    return [stored.index(name) for name in names]


def names_of_unnamed(count: int, wanted: Wanted, path: Path) -> tuple[str, ...]:
    """Name the columns of a file that has no names for them.

    Raises
    ------
    RecordingError
        If the file does not have as many columns as there are names.
    """
    names = wanted.stored_names or wanted.channels
    if len(names) != count:
        raise RecordingError(
            found=f"it stores {count} channel(s)",
            where=str(path),
            expected=f"{len(names)}: {', '.join(names)}",
            remedy="Name all that it stores, in stored order, in the column `channels` of the sidecar, or correct "
            "capture.channels",
        )
    return names


def require_values(values: NDArray[np.float64], channels: tuple[str, ...], place: Callable[[int], str]) -> None:
    """Name the place of the first value that is NaN or infinite.

    Parameters
    ----------
    values : ndarray of float64, shape (samples, channels)
    channels : tuple of str
    place : callable
        Says where a sample, counted from the first of `values`, stands.

    Raises
    ------
    RecordingError
        If there is one.
    """
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        sample, channel = wrong[0].tolist()
        raise RecordingError(
            found=f"channel {channels[channel]!r} has no value or is infinite",
            where=place(sample),
            expected="a finite number, as capture.quality.nan_fraction says",
            remedy="Repair the export of that recording, or set the flag's action to exclude",
        )


def column_values(column: pa.Array) -> NDArray[np.float64]:
    """Convert an Arrow column of numbers to float64, null to NaN."""
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def column_seconds(column: pa.Array, unit_s: float) -> NDArray[np.float64]:
    """Convert an Arrow column of time stamps, or of numbers of a unit, to seconds, null to NaN."""
    if pa.types.is_timestamp(column.type):
        return column_values(column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())) * 1e-9
    return column_values(column) * unit_s


@contextmanager
def foreign_bytes(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a library raises on bytes that it cannot read into one error that names the file."""
    try:
        yield
    except TailgateError:
        raise
    except Exception as error:  # what a parser raises on damaged bytes is nowhere documented, and not one type
        detail = " ".join(str(error).split())[:200]
        raise RecordingError(
            found=f"it cannot be read as {kind} ({type(error).__name__}{': ' if detail else ''}{detail})",
            where=str(path),
            expected=f"a complete {kind} file",
            remedy="Export or copy the file again, or take it out of the folder and the sidecar",
        ) from None
