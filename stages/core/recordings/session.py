"""A session: one recording of one physical unit, as integer counts in one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.core.artifacts import sha256_file
from stages.core.errors import ArtifactError, RecordingError

#: Of int16 or int32, shape (samples, channels) or (windows, length, channels).
Counts = NDArray[np.signedinteger[Any]]

_INT16 = np.dtype(np.int16)
_METADATA_KEY = "tailgate.session"
#: Part of the format: the same samples give the same bytes however a source cuts them into blocks.
_ROW_GROUP_SAMPLES = 65_536
#: Values in one array of `SessionFile.window_blocks`: 8 MiB.
_BATCH_VALUES = 4 * 2**20


@dataclass(frozen=True)
class Span:
    """Samples ``[start, stop)`` of a session that carry one label."""

    start: int
    stop: int
    label: str


@dataclass(frozen=True)
class Gap:
    """`missing` samples were lost just before sample `start`."""

    start: int
    missing: int


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
    gaps : tuple of Gap
        Where samples are missing, in order; a window never spans one.
    limits : tuple of (int, int)
        Smallest and largest count of each channel; empty where full scale and gain say it of all of them.
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
    gaps: tuple[Gap, ...] = ()
    limits: tuple[tuple[int, int], ...] = ()

    @property
    def dtype(self) -> np.dtype[np.signedinteger[Any]]:
        """Of the counts: the narrower type that holds every channel's."""
        low, high = count_limits(self)
        narrow = np.iinfo(_INT16)
        return _INT16 if low.min() >= narrow.min and high.max() <= narrow.max else np.dtype(np.int32)

    def to_json(self) -> dict[str, Any]:
        """Return the metadata as a session stores it; limits are left out where there are none."""
        value = asdict(self)
        return value if self.limits else {key: item for key, item in value.items() if key != "limits"}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SessionMeta:
        """Rebuild the metadata from its JSON form."""
        spans = tuple(Span(**span) for span in value["spans"])
        gaps = tuple(Gap(**gap) for gap in value["gaps"])
        limits = tuple((low, high) for low, high in value.get("limits", ()))
        known = {"channels": tuple(value["channels"]), "spans": spans, "gaps": gaps, "limits": limits}
        return cls(**{**value, **known})


def full_scale_counts(meta: SessionMeta) -> int:
    """Return n, where the ADC yields ``-n .. n - 1``."""
    return round(meta.full_scale * meta.counts_per_unit)


def count_limits(meta: SessionMeta) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the smallest and the largest count of each channel, shape (channels,) each."""
    n = full_scale_counts(meta)
    low, high = np.array(meta.limits or [(-n, n - 1)] * len(meta.channels), dtype=np.int64).T
    return low, high


def channel_full_scales(meta: SessionMeta) -> list[int]:
    """Return n for each channel, no count of which is above n or below -n."""
    low, high = count_limits(meta)
    return np.maximum(-low, high).tolist()


def digitise(signal: NDArray[np.float64], meta: SessionMeta) -> tuple[Counts, NDArray[np.bool_]]:
    """Convert a signal to counts as the sensor's ADC would: round half to even, then saturate at the limits.

    Parameters
    ----------
    signal : ndarray of float64, shape (samples, channels)
        In ``meta.unit``.
    meta : SessionMeta
        Gives gain and limits.

    Returns
    -------
    counts : ndarray of int16 or int32, shape (samples, channels)
        Zero where the signal has no finite value.
    absent : ndarray of bool, shape (samples, channels)
        True there.
    """
    absent = ~np.isfinite(signal)
    scaled = np.where(absent, 0.0, signal) * meta.counts_per_unit
    return np.clip(np.rint(scaled), *count_limits(meta)).astype(meta.dtype), absent


class SessionWriter:
    """Takes a session's counts in any portions; see `session_writer`."""

    def __init__(self, file: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._file = file
        self._schema = schema
        self._waiting: list[Counts] = []
        self._n_waiting = 0

    def add(self, counts: Counts) -> None:
        """Append counts, shape (samples, channels)."""
        self._waiting.append(counts)
        self._n_waiting += len(counts)
        if self._n_waiting >= _ROW_GROUP_SAMPLES:
            rows = np.concatenate(self._waiting)
            whole = len(rows) - len(rows) % _ROW_GROUP_SAMPLES
            self._write(rows[:whole])
            self._waiting, self._n_waiting = [rows[whole:].copy()], len(rows) - whole

    def close(self, meta: SessionMeta) -> None:
        """Write what is left and the metadata."""
        if self._waiting:
            self._write(np.concatenate(self._waiting))
        self._file.add_key_value_metadata({_METADATA_KEY: json.dumps(meta.to_json(), sort_keys=True)})

    def _write(self, rows: Counts) -> None:
        columns = [pa.array(np.ascontiguousarray(column)) for column in rows.T]
        table = pa.Table.from_arrays(columns, schema=self._schema)
        self._file.write_table(table, row_group_size=_ROW_GROUP_SAMPLES)


@contextmanager
def session_writer(path: Path, channels: tuple[str, ...], dtype: np.dtype[Any] = _INT16) -> Iterator[SessionWriter]:
    """Open a session file for writing; the same counts and metadata give the same bytes.

    Parameters
    ----------
    path : Path
    channels : tuple of str
    dtype : dtype
        `SessionMeta.dtype`.

    Yields
    ------
    SessionWriter
        To be closed with the metadata, or the file is not a session.
    """
    schema = pa.schema([pa.field(name, pa.from_numpy_dtype(dtype), nullable=False) for name in channels])
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as file:
        yield SessionWriter(file, schema)


def write_session(path: Path, meta: SessionMeta, counts: Counts) -> None:
    """Write one session file at once.

    Parameters
    ----------
    path : Path
    meta : SessionMeta
    counts : ndarray of int16 or int32, shape (samples, channels)
        Of ``meta.dtype``.
    """
    with session_writer(path, meta.channels, meta.dtype) as writer:
        writer.add(counts)
        writer.close(meta)


class SessionFile:
    """A stored session. It is opened while it is read, and never kept open.

    Every property and method raises `RecordingError` if the file is missing, truncated or not a session.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def meta(self) -> SessionMeta:
        """What is known besides the samples."""
        return self._footer[0]

    @property
    def n_samples(self) -> int:
        """Number of samples per channel."""
        return self._footer[1]

    @cached_property
    def _footer(self) -> tuple[SessionMeta, int]:
        with self._open() as file:
            metadata = file.metadata.metadata or {}
            return SessionMeta.from_json(json.loads(metadata[_METADATA_KEY.encode()])), int(file.metadata.num_rows)

    def counts(self) -> Counts:
        """Read the whole session, shape (samples, channels)."""
        empty = np.zeros((0, len(self.meta.channels)), dtype=self.meta.dtype)
        return np.concatenate([empty, *self.blocks()])

    def blocks(self, first: int = 0) -> Iterator[Counts]:
        """Iterate over row groups from the `first` on, each of shape (samples, channels)."""
        with self._open() as file:
            for index in range(first, file.num_row_groups):
                table = file.read_row_group(index)
                yield np.stack([column.to_numpy() for column in table.columns], axis=1)

    def window_blocks(self, starts: NDArray[np.int64], length: int) -> Iterator[tuple[NDArray[np.int64], Counts]]:
        """Cut windows from the session, which is never in memory as a whole.

        Parameters
        ----------
        starts : ndarray of int64, shape (windows,)
            In any order.
        length : int

        Yields
        ------
        positions : ndarray of int64, shape (some windows,)
            Where in `starts` these windows stand; every position comes once.
        counts : ndarray of int16 or int32, shape (some windows, length, channels)

        Raises
        ------
        RecordingError
            Also if a window reaches past the end of the session.
        """
        order = np.argsort(starts, kind="stable")
        ascending, done = starts[order], 0
        first_group = int(starts.min(initial=self.n_samples)) // _ROW_GROUP_SAMPLES
        offset = first_group * _ROW_GROUP_SAMPLES
        per_batch = max(1, _BATCH_VALUES // (length * len(self.meta.channels)))
        rows: Counts = np.zeros((0, len(self.meta.channels)), dtype=self.meta.dtype)
        for block in self.blocks(first_group) if len(starts) else ():
            rows = np.concatenate([rows, block])
            ready = int(np.searchsorted(ascending, offset + len(rows) - length, side="right"))
            for first in range(done, ready, per_batch):
                positions = order[first : min(first + per_batch, ready)]
                view = np.lib.stride_tricks.sliding_window_view(rows, length, axis=0)
                yield positions, view[starts[positions] - offset].transpose(0, 2, 1)
            done = ready
            if done == len(starts):
                return
            passed = min(int(ascending[done]) - offset, len(rows))
            rows, offset = rows[passed:], offset + passed
        if len(starts):
            raise self._unreadable(ValueError(f"it has {self.n_samples} samples, a window starts at {ascending[-1]}"))

    def verify(self, sha256: str) -> None:
        """Compare the file's bytes with the hash that `dataset.json` lists.

        Raises
        ------
        ArtifactError
            If they differ.
        """
        try:
            found = sha256_file(self.path)
        except OSError as error:
            raise self._unreadable(error) from None
        if found != sha256:
            raise ArtifactError(
                found=f"its SHA-256 is {found}",
                where=str(self.path),
                expected=f"{sha256}, as dataset.json lists it",
                remedy="The file was changed after `capture` wrote it: run `dvc repro --force capture`",
            )

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(self.path) as file:
                yield file
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> RecordingError:
        return RecordingError(
            found=f"it cannot be read as a session ({type(error).__name__}: {' '.join(str(error).split())})",
            where=str(self.path),
            expected="a complete Parquet file with session metadata, as written by `capture`",
            remedy="Restore the file, or delete it and run `dvc repro capture`",
        )
