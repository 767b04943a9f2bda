"""The codes of all windows in one `.npy` file, written batch by batch, from several processes if need be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CodesFile:
    """An int8 array on disk that is being filled; nothing of it is held or mapped.

    Attributes
    ----------
    path : Path
    first : int
        Where the array begins, in bytes.
    row_bytes : int
        Of one window.
    """

    path: Path
    first: int
    row_bytes: int

    @classmethod
    def create(cls, path: Path, shape: tuple[int, int, int]) -> CodesFile:
        """Make the file at its full length, for an array of shape (windows, frames, codes)."""
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.int8)), "fortran_order": False, "shape": shape}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            first = file.tell()
            file.truncate(first + int(np.prod(shape)))
        return cls(path, first, shape[1] * shape[2])

    def write(self, rows: NDArray[np.int64], codes: NDArray[np.int8]) -> None:
        """Write windows into their rows; who writes other rows at the same time does not matter.

        Parameters
        ----------
        rows : ndarray of int64, shape (windows,)
        codes : ndarray of int8, shape (windows, frames, codes)
        """
        runs = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
        with self.path.open("r+b") as file:
            for begin, end in zip(runs, [*runs[1:], len(rows)], strict=True):
                file.seek(self.first + int(rows[begin]) * self.row_bytes)
                file.write(np.ascontiguousarray(codes[begin:end]).data)
