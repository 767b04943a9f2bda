"""CSV: UTF-8, commas, one line per sample, a header line with the columns' names unless they are named elsewhere."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from stages.core.errors import RecordingError
from stages.core.recordings.formats.layout import Samples, Wanted, column_seconds, column_values, positions

_BLOCK_BYTES = 1 << 19
#: Arrow's own messages; its rows are the lines that are not blank, the header included.
_BAD_CELL = re.compile(r"In CSV column #(\d+): Row #(\d+): CSV conversion error to (\w+)[^:]*: (.*)", re.DOTALL)
_BAD_ROW = re.compile(r"CSV parse error: Row #(\d+): Expected (\d+) columns, got (\d+)")


def stated_rate_hz(path: Path, wanted: Wanted) -> None:
    """Make sure that the file has the wanted columns; a CSV states no rate. See `Reader`.

    Raises
    ------
    RecordingError
        If the file is empty, is not UTF-8, or lacks a column.
    """
    positions(column_names(path, wanted.stored_names), wanted.columns, path)


def blocks(path: Path, wanted: Wanted) -> Iterator[Samples]:
    """Read the wanted columns; see `Reader`."""
    types = dict.fromkeys(wanted.channels, pa.float64())
    if wanted.time_column is not None:
        types[wanted.time_column] = _time_type(path, wanted)
    for batch in batches(path, types, wanted.stored_names):
        values = np.stack([column_values(batch.column(name)) for name in wanted.channels], axis=1)
        time = None if wanted.time_column is None else batch.column(wanted.time_column)
        yield Samples(values, None if time is None else column_seconds(time, wanted.time_unit_s))


def place(path: Path, sample: int, wanted: Wanted) -> str:
    """Say on which line a sample stands; see `Reader`."""
    names = column_names(path, wanted.stored_names)
    header = int(wanted.stored_names is None)
    return f"{path}, line {_line_of_row(path, header + sample + 1, blank_lines_count=len(names) == 1)}"


def column_names(path: Path, stored_names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the names of a file's columns: those given, else those of its first line.

    Raises
    ------
    RecordingError
        If the file is empty or its first line is not UTF-8.
    """
    if stored_names is not None:
        return stored_names
    names = tuple(cell.strip() for cell in next(_first_rows(path), []))
    if not names:
        raise _explained(path, (), "its first line is empty")
    return names


def batches(
    path: Path, types: Mapping[str, pa.DataType], stored_names: tuple[str, ...] | None
) -> Iterator[pa.RecordBatch]:
    """Read columns of a CSV file block by block; an empty cell of numbers is null.

    Parameters
    ----------
    path : Path
    types : mapping of str to pyarrow.DataType
        The columns to read, and as what.
    stored_names : tuple of str or None
        Names of all columns of a file without a header.

    Yields
    ------
    pyarrow.RecordBatch
        The columns in the order of `types`.

    Raises
    ------
    RecordingError
        Names the line and the column of a cell that is not of its type, the line of a row of another width, or the
        byte that is not UTF-8.
    """
    names = column_names(path, stored_names)
    positions(names, tuple(types), path)
    # A blank line among rows of one cell is a missing value; among wider rows it is nothing.
    parse = pyarrow.csv.ParseOptions(ignore_empty_lines=len(names) > 1)
    convert = pyarrow.csv.ConvertOptions(column_types=dict(types), include_columns=list(types))
    read = pyarrow.csv.ReadOptions(
        use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=int(stored_names is None)
    )
    try:
        with pyarrow.csv.open_csv(path, read, parse, convert) as reader:
            yield from reader
    except pa.ArrowException as error:
        raise _explained(path, names, str(error)) from None


def _first_rows(path: Path) -> Iterator[list[str]]:
    """Split the first lines of a file into cells."""
    with path.open("rb") as file:
        start = file.read(_BLOCK_BYTES)
    for line in start.removeprefix(codecs.BOM_UTF8).splitlines():
        try:
            yield next(csv.reader([line.decode()]), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise _explained(path, (), str(error)) from None


def _time_type(path: Path, wanted: Wanted) -> pa.DataType:
    """Tell numbers from dates by the first time stamp."""
    rows = _first_rows(path)
    names = wanted.stored_names or tuple(cell.strip() for cell in next(rows, []))
    cells = dict(zip(names, next((row for row in rows if row), []), strict=False))
    stamp = cells.get(wanted.time_column or "", "").strip()
    if not re.match(r"\d{4}-\d", stamp):
        return pa.float64()
    return pa.timestamp("ns", "UTC" if re.search(r"(Z|[+-]\d\d:?\d\d)$", stamp[10:]) else None)


def _explained(path: Path, names: tuple[str, ...], message: str) -> RecordingError:
    """Say what was refused in terms of the file."""
    where, expected = str(path), "UTF-8 text, commas between cells, one line per sample"
    found = f"it cannot be read ({' '.join(message.split())[:200]})"
    if (byte := first_byte_not_utf8(path)) is not None:
        found = f"byte {byte} is not UTF-8"
    elif bad := _BAD_CELL.search(message):
        line = _line_of_row(path, int(bad[2]), blank_lines_count=len(names) == 1)
        where, found = f"{path}, line {line}, column {names[int(bad[1])]!r}", " ".join(bad[4].split())[:100].rstrip(".")
        expected = "a number, or nothing where there is no value" if bad[3] == "double" else f"a {bad[3]}, as before"
    elif bad := _BAD_ROW.search(message):
        where = f"{path}, line {_line_of_row(path, int(bad[1]), blank_lines_count=False)}"
        found, expected = f"it has {bad[3]} cell(s)", f"{bad[2]}, one per column"
    return RecordingError(
        found=found,
        where=where,
        expected=expected,
        remedy="Correct the file or export it again. If its first line names the columns, nothing else may name them",
    )


def first_byte_not_utf8(path: Path) -> int | None:
    """Return the offset of the first byte of a file that is not UTF-8, None if there is none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    with path.open("rb") as file:
        while True:
            kept = len(decoder.getstate()[0])
            content = file.read(_BLOCK_BYTES)
            try:
                decoder.decode(content, final=not content)
            except UnicodeDecodeError as error:
                return offset - kept + error.start
            if not content:
                return None
            offset += len(content)


def _line_of_row(path: Path, row: int, blank_lines_count: bool) -> int:
    """Return the number of the line that holds a row, both counted from 1."""
    number = 0
    with path.open(encoding="latin-1") as file:
        for number, line in enumerate(file, start=1):
            row -= blank_lines_count or line != "\n"
            if row == 0:
                return number
    return number
