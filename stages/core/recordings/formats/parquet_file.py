"""Parquet: one column of numbers per channel, the rate perhaps in the file's metadata."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.errors import RecordingError
from stages.core.recordings.formats.layout import (
    RATE_KEY,
    Samples,
    Wanted,
    block_rows,
    column_seconds,
    column_values,
    foreign_bytes,
    positions,
)

_KIND = "Parquet"


def stated_rate_hz(path: Path, wanted: Wanted) -> float | None:
    """Return the metadata's ``sample_rate_hz``; see `Reader`.

    Raises
    ------
    RecordingError
        If the file is not Parquet, is truncated, lacks a column, or has one that does not hold numbers.
    """
    with foreign_bytes(path, _KIND), _open(path) as file:
        schema = file.schema_arrow
        positions(tuple(schema.names), wanted.columns, path)
        for name in wanted.columns:
            _require_numbers(schema.field(name), path, is_time=name == wanted.time_column)
        stated = (schema.metadata or {}).get(RATE_KEY.encode())
        return None if stated is None else float(stated)


def blocks(path: Path, wanted: Wanted) -> Iterator[Samples]:
    """Read the wanted columns; see `Reader`."""
    with foreign_bytes(path, _KIND), _open(path) as file:
        for batch in file.iter_batches(
            block_rows(len(wanted.columns)), columns=list(wanted.columns), use_threads=False
        ):
            values = np.stack([column_values(batch.column(name)) for name in wanted.channels], axis=1)
            time = None if wanted.time_column is None else batch.column(wanted.time_column)
            yield Samples(values, None if time is None else column_seconds(time, wanted.time_unit_s))


def place(path: Path, sample: int, wanted: Wanted) -> str:
    """Say where a sample stands; see `Reader`."""
    return f"{path}, row {sample}"


def _open(path: Path) -> pq.ParquetFile:
    # Without these two Arrow holds a whole row group, which may be the whole file.
    return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)


def _require_numbers(field: pa.Field, path: Path, is_time: bool) -> None:
    numbers = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    if not numbers and not (is_time and pa.types.is_timestamp(field.type)):
        raise RecordingError(
            found=f"column {field.name!r} is of type {field.type}",
            where=str(path),
            expected="integers or floats" + (", or time stamps" if is_time else ""),
            remedy="Store the column as numbers",
        )
