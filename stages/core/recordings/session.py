"""A session: one contiguous recording of one physical unit, as integer counts in one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.core.errors import RecordingError

HEALTHY = "healthy"
ANOMALOUS = "anomalous"
UNCERTAIN = "uncertain"
LABELS = (HEALTHY, ANOMALOUS, UNCERTAIN)

_METADATA_KEY = b"tailgate.session"
_ROW_GROUP_SAMPLES = 65_536


@dataclass(frozen=True)
class Span:
    """Samples ``[start, stop)`` of a session that carry one label."""

    start: int
    stop: int
    label: str


@dataclass(frozen=True)
class SessionMeta:
    """Everything that is known about a session besides its samples.

    Attributes
    ----------
    session_id : str
        Unique in the data set; also the file name.
    group_id : str
        The physical unit (machine, bearing, person) that the recording is of.
    condition : str
        The operating condition, for example ``"1200rpm"``.
    state : str
        The state of the unit, for example ``"healthy"`` or ``"outer_race"``.
    sample_rate_hz : float
    channels : tuple of str
    unit : str
        Physical unit of the signal, for example ``"g"``.
    full_scale : float
        The sensor's range: ``-full_scale .. full_scale`` in `unit`.
    counts_per_unit : float
        Integer counts per physical unit.
    device, firmware, mounting : str
        What recorded it, and how it was fixed to the machine.
    spans : tuple of Span
        Labelled sample ranges; samples in no span are uncertain.
    notes : dict of str to str
        Further facts of the source (severity, load, disturbances); never read by the pipeline.
    flags : dict of str to float
        Quality measures, filled in by `stages.core.recordings.quality`.
    """

    session_id: str
    group_id: str
    condition: str
    state: str
    sample_rate_hz: float
    channels: tuple[str, ...]
    unit: str
    full_scale: float
    counts_per_unit: float
    device: str
    firmware: str
    mounting: str
    spans: tuple[Span, ...]
    notes: dict[str, str] = field(default_factory=dict)
    flags: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SessionMeta:
        """Rebuild the metadata from its JSON form."""
        spans = tuple(Span(**span) for span in value["spans"])
        return cls(**{**value, "channels": tuple(value["channels"]), "spans": spans})


@dataclass(frozen=True)
class Recording:
    """What a source yields: metadata and the signal in physical units, not yet digitised.

    Attributes
    ----------
    meta : SessionMeta
    signal : ndarray of float64, shape (samples, channels)
        In ``meta.unit``.
    """

    meta: SessionMeta
    signal: NDArray[np.float64]


def digitise(recording: Recording) -> NDArray[np.int16]:
    """Convert a signal to counts as the sensor's ADC would: round half to even, then saturate at full scale.

    Parameters
    ----------
    recording : Recording
        Its ``meta`` gives gain and full scale.

    Returns
    -------
    ndarray of int16, shape (samples, channels)

    Raises
    ------
    RecordingError
        If a sample is NaN or infinite, or the recording has no samples.
    """
    signal, meta = recording.signal, recording.meta
    if signal.shape[0] == 0:
        raise RecordingError(
            found="the recording is empty",
            where=f"session {meta.session_id}",
            expected="at least one sample",
            remedy="Remove the recording from the source, or record it again",
        )
    finite = np.isfinite(signal)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise RecordingError(
            found=f"{int((~finite).sum())} of {signal.size} samples are NaN or infinite, "
            f"the first at sample {row} of channel {meta.channels[column]!r}",
            where=f"session {meta.session_id}",
            expected="finite samples",
            remedy="Repair the export of that recording, or leave the recording out of the source",
        )
    limit = round(meta.full_scale * meta.counts_per_unit)
    return np.clip(np.rint(signal * meta.counts_per_unit), -limit, limit - 1).astype(np.int16)


def write_session(path: Path, meta: SessionMeta, counts: NDArray[np.int16]) -> None:
    """Write one session file; the same input gives the same bytes.

    Parameters
    ----------
    path : Path
    meta : SessionMeta
    counts : ndarray of int16, shape (samples, channels)
    """
    text = json.dumps(asdict(meta), sort_keys=True)
    fields = [pa.field(name, pa.int16(), nullable=False) for name in meta.channels]
    schema = pa.schema(fields, metadata={_METADATA_KEY: text.encode()})
    columns = [np.ascontiguousarray(counts[:, index]) for index in range(len(meta.channels))]
    table = pa.Table.from_arrays([pa.array(column) for column in columns], schema=schema)
    pq.write_table(table, path, row_group_size=_ROW_GROUP_SAMPLES, compression="zstd", use_dictionary=False)


class SessionFile:
    """A stored session.

    Parameters
    ----------
    path : Path

    Raises
    ------
    RecordingError
        If the file is missing, truncated or not a session.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path)
            metadata = self._file.schema_arrow.metadata or {}
            self.meta = SessionMeta.from_json(json.loads(metadata[_METADATA_KEY]))
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise self._unreadable(error) from None

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""
        return int(self._file.metadata.num_rows)

    def counts(self) -> NDArray[np.int16]:
        """Read the whole session, shape (samples, channels)."""
        return np.concatenate(list(self.blocks()))

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Iterate over row groups, each of shape (samples, channels)."""
        for index in range(self._file.num_row_groups):
            try:
                table = self._file.read_row_group(index)
            except (OSError, pa.ArrowException) as error:
                raise self._unreadable(error) from None
            yield np.stack([column.to_numpy() for column in table.columns], axis=1)

    def _unreadable(self, error: Exception) -> RecordingError:
        return RecordingError(
            found=f"it cannot be read as a session ({type(error).__name__}: {' '.join(str(error).split())})",
            where=str(self.path),
            expected="a complete Parquet file with session metadata, as written by `capture`",
            remedy="Restore the file, or delete it and run `dvc repro capture`",
        )
