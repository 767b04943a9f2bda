"""Live recordings kept as files, in the form that the source `files` reads."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.core.errors import RecordingError
from stages.core.recordings.source import Block, Recording

TIME_COLUMN = "time_s"
#: The stored values' unit, to be named in the section's `conversion`.
UNIT = "counts"
_ROW_GROUP_SAMPLES = 65_536
_SIDECAR, _OTHER_SIDECAR = "sessions.csv", "sessions.yaml"
_COLUMNS = (
    "file",
    "session_id",
    "group",
    "condition",
    "state",
    "label",
    "sample_rate_hz",
    "unit",
    "device",
    "firmware",
    "mounting",
)


@dataclass(frozen=True)
class Shelf:
    """A folder that takes recordings, with the sidecar that describes them.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    def require_room(self, session_ids: list[str]) -> None:
        """Make sure, before anything is recorded, that the sidecar can take these sessions.

        Raises
        ------
        RecordingError
            If there is a sidecar of another form, or it has one of the sessions already.
        """
        there = {row["session_id"] for row in self._rows()}
        again = sorted(there.intersection(session_ids))
        if again:
            raise RecordingError(
                found=f"it has {', '.join(again)} already",
                where=str(self.folder / _SIDECAR),
                expected="sessions that are not there yet",
                remedy="Give the new sessions ids of their own in capture.sessions, or record into another folder",
            )

    def take(self, recording: Recording) -> int:
        """Store a recording and list it in the sidecar, and return its samples; without samples it leaves nothing.

        What was received before an error is kept, and the error goes on.

        Raises
        ------
        RecordingError
            What the recording raises.
        """
        name = f"{recording.meta.session_id}.parquet"
        unfinished = self.folder / f".{name}"
        try:
            _store(unfinished, recording)
        finally:
            samples: int = pq.read_metadata(unfinished).num_rows
            if samples:
                unfinished.rename(self.folder / name)
                self._list(recording, name)
            else:
                unfinished.unlink()
        return samples

    def _list(self, recording: Recording, file: str) -> None:
        meta = recording.meta
        what = [file, meta.session_id, meta.group_id, meta.condition, meta.state, meta.spans[0].label]
        values = [*what, repr(meta.sample_rate_hz), UNIT, meta.device, meta.firmware, meta.mounting]
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows([*self._rows(), dict(zip(_COLUMNS, values, strict=True))])
        unfinished = self.folder / f".{_SIDECAR}"
        unfinished.write_text(text.getvalue(), encoding="utf-8")
        unfinished.rename(self.folder / _SIDECAR)

    def _rows(self) -> list[dict[str, str]]:
        path = self.folder / _SIDECAR
        if (self.folder / _OTHER_SIDECAR).exists():
            raise self._foreign(self.folder / _OTHER_SIDECAR)
        if not path.exists():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            try:
                rows, names = list(reader), tuple(reader.fieldnames or ())
            except (csv.Error, UnicodeDecodeError):
                raise self._foreign(path) from None
        if names != _COLUMNS or any(None in row or None in row.values() for row in rows):
            raise self._foreign(path)
        return rows

    def _foreign(self, path: Path) -> RecordingError:
        return RecordingError(
            found="the folder has a sidecar that was not written by `record`",
            where=str(path),
            expected=f"none, or {_SIDECAR} with the columns {', '.join(_COLUMNS)}",
            remedy="Record into another folder, and join the two by hand",
        )


def _store(path: Path, recording: Recording) -> None:
    """Write a recording as it comes, and also what came before an error."""
    with pq.ParquetWriter(path, _schema(recording), compression="zstd") as writer:
        waiting: list[pa.Table] = []
        try:
            for block in recording.blocks():
                waiting.append(_table(block, recording))
                if sum(map(len, waiting)) >= _ROW_GROUP_SAMPLES:
                    writer.write_table(pa.concat_tables(waiting))
                    waiting.clear()
        finally:
            if waiting:
                writer.write_table(pa.concat_tables(waiting))


def _schema(recording: Recording) -> pa.Schema:
    channels = [pa.field(name, pa.int16(), nullable=False) for name in recording.meta.channels]
    return pa.schema([pa.field(TIME_COLUMN, pa.float64(), nullable=False), *channels])


def _table(block: Block, recording: Recording) -> pa.Table:
    counts = np.rint(block.signal * recording.meta.counts_per_unit).astype(np.int16)
    columns = [np.ascontiguousarray(column) for column in counts.T]
    return pa.Table.from_arrays([pa.array(values) for values in (block.time_s, *columns)], schema=_schema(recording))
