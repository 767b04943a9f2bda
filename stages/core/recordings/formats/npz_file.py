"""NPZ: one array per channel under its name, or one array ``signal`` of shape (samples, channels)."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import RecordingError
from stages.core.recordings.formats.layout import (
    RATE_KEY,
    Samples,
    Wanted,
    block_rows,
    foreign_bytes,
    names_of_unnamed,
    positions,
)

_KIND = "NPZ"
_SIGNAL = "signal"


@dataclass(frozen=True)
class _Array:
    """An array in the archive, read row by row as it is unpacked."""

    name: str
    file: IO[bytes]
    dtype: np.dtype
    shape: tuple[int, ...]

    def read(self, rows: int) -> NDArray[np.float64]:
        """Read the next rows, shape (rows, columns)."""
        columns = self.shape[1] if len(self.shape) > 1 else 1
        content = self.file.read(rows * columns * self.dtype.itemsize)
        if len(content) != rows * columns * self.dtype.itemsize:
            raise EOFError(f"array {self.name!r} ends before its last row")
        return np.frombuffer(content, self.dtype).astype(np.float64).reshape(rows, columns)


def stated_rate_hz(path: Path, wanted: Wanted) -> float | None:
    """Return the array ``sample_rate_hz``, a single number; see `Reader`.

    Raises
    ------
    RecordingError
        If the file is not an archive of arrays, lacks one, or holds objects or arrays of another shape.
    """
    with foreign_bytes(path, _KIND), ExitStack() as opened, zipfile.ZipFile(path) as archive:
        _open_wanted(archive, wanted, path, opened)
        if f"{RATE_KEY}.npy" not in archive.namelist():
            return None
        rate = _open_array(archive, RATE_KEY, path, opened)
        _require(rate.shape in ((), (1,)), rate, "a single number", path)
        return float(rate.read(1)[0, 0])


def blocks(path: Path, wanted: Wanted) -> Iterator[Samples]:
    """Read the wanted arrays; see `Reader`."""
    with foreign_bytes(path, _KIND), ExitStack() as opened, zipfile.ZipFile(path) as archive:
        arrays, chosen = _open_wanted(archive, wanted, path, opened)
        length, step = arrays[0].shape[0], block_rows(sum(_columns(array) for array in arrays))
        for start in range(0, length, step):
            stored = np.concatenate([array.read(min(step, length - start)) for array in arrays], axis=1)
            time_s = None if wanted.time_column is None else stored[:, -1] * wanted.time_unit_s
            yield Samples(stored[:, chosen], time_s)


def place(path: Path, sample: int, wanted: Wanted) -> str:
    """Say where a sample stands; see `Reader`."""
    return f"{path}, sample {sample}"


def _open_wanted(
    archive: zipfile.ZipFile, wanted: Wanted, path: Path, opened: ExitStack
) -> tuple[list[_Array], list[int]]:
    """Open what is to be read, time last, and say which of its columns are the channels."""
    stored = tuple(name.removesuffix(".npy") for name in archive.namelist())
    by_channel = _SIGNAL not in stored or _SIGNAL in wanted.channels
    names = wanted.channels if by_channel else (_SIGNAL,)
    time = () if wanted.time_column is None else (wanted.time_column,)
    positions(stored, (*names, *time), path)
    arrays = [_open_array(archive, name, path, opened) for name in (*names, *time)]
    for array in arrays:
        deepest = 2 if array.name == _SIGNAL else 1
        _require(1 <= len(array.shape) <= deepest, array, f"{deepest} dimension(s)", path)
        _require(array.shape[0] == arrays[0].shape[0], array, f"as many samples as {arrays[0].name!r}", path)
    if by_channel:
        return arrays, list(range(len(names)))
    return arrays, positions(names_of_unnamed(_columns(arrays[0]), wanted, path), wanted.channels, path)


def _open_array(archive: zipfile.ZipFile, name: str, path: Path, opened: ExitStack) -> _Array:
    file = opened.enter_context(archive.open(f"{name}.npy"))
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, column_major, dtype = read_header(file)
    array = _Array(name, file, dtype, shape)
    _require(dtype.kind in "iuf" and min(shape, default=0) >= 0, array, "integers or floats", path)
    _require(not column_major or len(shape) < 2, array, "C order, samples in rows", path)
    return array


def _columns(array: _Array) -> int:
    return array.shape[1] if len(array.shape) > 1 else 1


def _require(fits: bool, array: _Array, expected: str, path: Path) -> None:
    if not fits:
        raise RecordingError(
            found=f"array {array.name!r} is of shape {array.shape} and type {array.dtype}",
            where=str(path),
            expected=expected,
            remedy="Save the arrays again in that form, with numpy.savez",
        )
