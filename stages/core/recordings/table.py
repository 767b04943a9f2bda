"""Recordings from tables: one row per sample, each column a sensor with a range of its own.

A value ``x`` of a column that ranges from ``low`` to ``high`` becomes the share ``2 * (x - low) / (high - low) - 1``,
so that every column fills the range of the counts, whatever its unit. A column with a resolution keeps the counts of
its own sensor instead, ``x / resolution``: where most values lie close together in a wide range, a share of it in 16
bits would merge them. If a publisher normalised the values, that is undone first.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.core.errors import RecordingError
from stages.core.recordings.folders import data_folder
from stages.core.recordings.formats import csv_file
from stages.core.recordings.formats.csv_file import batches, column_names
from stages.core.recordings.formats.layout import Wanted, column_values, positions, require_values
from stages.core.recordings.session import SessionMeta, Span
from stages.core.recordings.source import Block, Recording
from stages.core.schema.labels import UNCERTAIN
from stages.core.schema.table import SensorColumn, Table


@dataclass(frozen=True)
class Rows:
    """The consecutive rows ``[start, stop)`` of a file that make one session; `stop` may lie beyond its end."""

    path: Path
    start: int
    stop: int
    session_id: str
    group_id: str


class TableSessions:
    """The sessions of a folder of tables, in the order of file names and rows.

    Parameters
    ----------
    config : Table
    classes : tuple of str
        ``labels.classes``.
    root : Path or None
        Folder of data sets, for a section that is relative to it.

    Raises
    ------
    RecordingError
        If there is no folder of data sets, no file fits the pattern, a file cannot be read or lacks a column, or the
        rows of a session are not consecutive.
    """

    live = False

    def __init__(self, config: Table, classes: tuple[str, ...], root: Path | None = None) -> None:
        self._config = config
        unknown = sorted(set(config.label.classes.values()) - {*classes, UNCERTAIN})
        if unknown:
            raise RecordingError(
                found=f"a value of column {config.label.column!r} means {unknown[0]!r}, which is not a class",
                where="capture.label.classes",
                expected=f"one of {', '.join((*classes, UNCERTAIN))}",
                remedy="Correct it, or labels.classes",
            )
        folder = data_folder(config.folder, config.relative_to, root).absolute()
        paths = sorted(path for path in folder.glob(config.pattern) if path.is_file() and path.name[0] != ".")
        if not paths:
            raise RecordingError(
                found=f"no file fits {config.pattern!r}",
                where=str(folder),
                expected="at least one CSV file",
                remedy="Put the tables there, or correct capture.folder or capture.pattern",
            )
        self._sessions = [rows for path in paths for rows in self._sessions_of(path)]
        _require_consecutive(self._sessions, config.names)

    def __len__(self) -> int:
        return len(self._sessions)

    def __getitem__(self, index: int) -> Recording:
        rows = self._sessions[index]
        return Recording(self._meta(rows), partial(self._blocks, rows))

    def _sessions_of(self, path: Path) -> Iterator[Rows]:
        """Cut a file where the group or the session changes."""
        config = self._config
        needed = {*config.channels, config.label.column, config.group_column, config.session_column} - {None}
        positions(column_names(path, config.names), tuple(sorted(map(str, needed))), path)
        keys = [name for name in (config.group_column, config.session_column) if name is not None]
        if not keys:
            yield Rows(path, 0, sys.maxsize, _identifier(path.stem), path.stem)
        for start, stop, values in _runs(path, keys, config.names) if keys else ():
            group = values[0] if config.group_column is not None else path.stem
            yield Rows(path, start, stop, _identifier("_".join((path.stem, *values))), group)

    def _blocks(self, rows: Rows) -> Iterator[Block]:
        """Read a session's rows as shares of the columns' ranges, or as counts of their resolutions."""
        config, begin = self._config, 0
        for batch in batches(rows.path, dict.fromkeys(config.channels, pa.float64()), config.names):
            values = np.stack([column_values(column) for column in batch.columns], axis=1)
            values[values == config.missing_value] = np.nan
            first = max(rows.start - begin, 0)
            chosen = values[first : max(rows.stop - begin, 0)]
            if config.quality.nan_fraction.action == "error":
                require_values(chosen, config.channels, partial(self._place, rows, begin + first))
            if len(chosen):
                yield Block(_signal(chosen, config.columns))
            begin += len(values)
            if begin >= rows.stop:
                return

    def _spans(self, rows: Rows) -> tuple[Span, ...]:
        """Make a span of each run of one label."""
        label, spans = self._config.label, []
        for start, stop, (value,) in _runs(rows.path, [label.column], self._config.names):
            begin, end = max(start, rows.start), min(stop, rows.stop)
            if begin < end and value not in label.classes:
                raise RecordingError(
                    found=f"column {label.column!r} holds {value!r}",
                    where=self._place(rows, begin, 0),
                    expected=f"one of {', '.join(map(repr, label.classes))}, as capture.label.classes says",
                    remedy="Correct the file, or add the value",
                )
            if begin < end:
                spans.append(Span(begin - rows.start, end - rows.start, label.classes[value]))
        return tuple(spans)

    def _place(self, rows: Rows, begin: int, row: int) -> str:
        return csv_file.place(rows.path, begin + row, Wanted((), self._config.names))

    def _meta(self, rows: Rows) -> SessionMeta:
        config, sensor = self._config, self._config.sensor
        limits = config.limits
        facts = {f"range of {column.name}": f"{column.low:g} .. {column.high:g}" for column in config.columns}
        for column in config.columns if limits else ():
            facts[f"resolution of {column.name}"] = f"{column.resolution:g}"
        return SessionMeta(
            session_id=rows.session_id,
            group_id=rows.group_id,
            condition=config.condition,
            state=config.state,
            sample_rate_hz=config.sample_rate_hz,
            channels=config.channels,
            unit="counts" if limits else sensor.unit,
            full_scale=float(max(map(abs, chain(*limits)))) if limits else sensor.full_scale,
            counts_per_unit=1.0 if limits else sensor.counts_per_unit,
            device=sensor.device,
            firmware=sensor.firmware,
            mounting=sensor.mounting,
            spans=self._spans(rows),
            notes={"file": rows.path.name, "format": "csv", **facts},
            limits=limits,
        )


def _signal(values: NDArray[np.float64], columns: tuple[SensorColumn, ...]) -> NDArray[np.float64]:
    """Turn what is written into what the session's unit says, shape (samples, channels)."""
    signal = np.empty_like(values)
    for index, column in enumerate(columns):
        value, range_ = values[:, index], column.normalised
        if range_ is not None:
            value = range_.low + value * (range_.high - range_.low)
        if column.resolution is None:
            signal[:, index] = 2 * (value - column.low) / (column.high - column.low) - 1
        else:
            signal[:, index] = value / column.resolution
    return signal


def _runs(path: Path, keys: list[str], names: tuple[str, ...] | None) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield the first row, the row after the last one, and the values, of each run of rows alike in some columns."""
    start = 0
    tables = batches(path, dict.fromkeys(keys, pa.string()), names)
    rows = chain.from_iterable(zip(*(column.to_pylist() for column in table.columns), strict=True) for table in tables)
    for values, alike in groupby(tuple(value.strip() for value in row) for row in rows):
        stop = start + sum(1 for _ in alike)
        yield start, stop, values
        start = stop


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)


def _require_consecutive(sessions: list[Rows], names: tuple[str, ...] | None) -> None:
    """Refuse a session that begins twice."""
    seen: set[str] = set()
    for rows in sessions:
        if rows.session_id in seen:
            raise RecordingError(
                found=f"session {rows.session_id!r} begins a second time",
                where=csv_file.place(rows.path, rows.start, Wanted((), names)),
                expected="the rows of each session together",
                remedy="Sort the rows by session, or correct capture.session_column or capture.group_column",
            )
        seen.add(rows.session_id)
