"""The codes of all windows in one `.npy` file, written batch by batch without holding or mapping it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray


class CodesFile:
    """An int8 array that is being written; use it in a `with` block.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        (windows, frames, codes).
    """

    def __init__(self, path: Path, shape: tuple[int, int, int]) -> None:
        self._row_bytes = shape[1] * shape[2]
        self._file = path.open("wb")
        header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.int8)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._begin = self._file.tell()

    def __enter__(self) -> CodesFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, rows: NDArray[np.int64], codes: NDArray[np.int8]) -> None:
        """Write windows into their rows.

        Parameters
        ----------
        rows : ndarray of int64, shape (windows,)
        codes : ndarray of int8, shape (windows, frames, codes)
        """
        runs = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
        for begin, end in zip(runs, [*runs[1:], len(rows)], strict=True):
            self._file.seek(self._begin + int(rows[begin]) * self._row_bytes)
            self._file.write(np.ascontiguousarray(codes[begin:end]).data)
