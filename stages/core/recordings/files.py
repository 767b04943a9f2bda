"""Recordings from a folder of CSV, WAV, Parquet and NPZ files that a sidecar describes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import RecordingError
from stages.core.recordings.formats import csv_file, npz_file, parquet_file, wav_file
from stages.core.recordings.formats.layout import Reader, Wanted, require_values
from stages.core.recordings.session import SessionMeta, Span
from stages.core.recordings.sidecar import NAMES, Entry, Listed, read_sidecar
from stages.core.recordings.source import Block, Recording
from stages.core.schema.files import Files
from stages.core.schema.labels import UNCERTAIN

READERS: dict[str, Reader] = {".csv": csv_file, ".wav": wav_file, ".parquet": parquet_file, ".npz": npz_file}
#: What may lie beside the recordings: notes, and pointers of `dvc add`.
_NOT_RECORDINGS = (".md", ".dvc")
_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


class FileSessions:
    """The recordings of a folder, in the order of its sidecar.

    Parameters
    ----------
    config : Files
    classes : tuple of str
        ``labels.classes``.

    Raises
    ------
    RecordingError
        If the sidecar is missing or wrong, names what is not there or not all that is, names a session, a file, a
        unit or a label that cannot be, or if a file cannot be opened, lacks a channel, or says no sample rate or
        another one than the sidecar.
    """

    live = False

    def __init__(self, config: Files, classes: tuple[str, ...]) -> None:
        self._config = config
        self._folder = Path(config.folder).absolute()
        listed = read_sidecar(self._folder)
        self._require_complete(listed)
        _require_distinct(listed)
        for item in listed:
            self._require_known(item, classes)
        self._entries = [item.entry for item in listed]
        self._rates_hz = [self._rate_of(entry) for entry in self._entries]

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Recording:
        entry = self._entries[index]
        return Recording(self._meta(entry, self._rates_hz[index]), partial(self._blocks, entry))

    def _require_complete(self, listed: list[Listed]) -> None:
        """Compare what the sidecar names with what lies in the folder."""
        paths = [path for path in self._folder.rglob("*") if path.is_file() and path.suffix not in _NOT_RECORDINGS]
        relative = (path.relative_to(self._folder) for path in paths)
        there = {path.as_posix() for path in relative if not any(part.startswith(".") for part in path.parts)}
        unnamed = sorted(there - {item.entry.file for item in listed} - set(NAMES))
        if unnamed:
            raise RecordingError(
                found=f"the sidecar does not name {_some(unnamed)}",
                where=str(self._folder),
                expected="an entry for every file of the folder, so that none is left out unnoticed",
                remedy="Describe it in the sidecar, or take it out of the folder",
            )
        for item in listed:
            if item.entry.file not in there or Path(item.entry.file).suffix.lower() not in READERS:
                there_is = "is not there" if item.entry.file not in there else "is of no format that is read here"
                raise RecordingError(
                    found=f"the file {item.entry.file!r} {there_is}",
                    where=item.where,
                    expected=f"a file below {self._folder} that ends in {', '.join(READERS)}",
                    remedy="Correct the entry, or put the file there",
                )

    def _require_known(self, item: Listed, classes: tuple[str, ...]) -> None:
        unknown = next((label for label in item.entry.labels if label not in (*classes, UNCERTAIN)), None)
        if unknown is not None:
            raise RecordingError(
                found=f"the label {unknown!r} is not a class",
                where=item.where,
                expected=f"one of {', '.join((*classes, UNCERTAIN))}",
                remedy="Correct the label, or labels.classes",
            )
        if item.entry.unit not in self._config.conversion:
            raise RecordingError(
                found=f"the unit {item.entry.unit!r} has no conversion to {self._config.sensor.unit}",
                where=item.where,
                expected=f"one of {', '.join(self._config.conversion)}",
                remedy="Correct the unit, or add it to capture.conversion",
            )

    def _rate_of(self, entry: Entry) -> float:
        """Open the file, make sure that it fits, and find its sample rate."""
        path = self._path(entry)
        stated = self._reader(entry).stated_rate_hz(path, self._wanted(entry))
        declared = entry.sample_rate_hz
        # A WAV header holds whole numbers only.
        if None not in (stated, declared) and stated not in (declared, round(declared or 0)):
            raise RecordingError(
                found=f"the file says {stated:g} Hz, the sidecar {declared:g} Hz",
                where=str(path),
                expected="one sample rate",
                remedy="Correct the sidecar's sample_rate_hz, or leave it empty",
            )
        rate = declared or stated or self._measured_rate(entry)
        if rate is None or not 0 < rate < np.inf:
            raise RecordingError(
                found="its sample rate is not known" if rate is None else f"it states a sample rate of {rate:g} Hz",
                where=str(path),
                expected="sample_rate_hz in the sidecar or in the file, or at least two time stamps",
                remedy="Write it into the sidecar, or set capture.time_column",
            )
        return rate

    def _measured_rate(self, entry: Entry) -> float | None:
        """Return the rate that most time stamps of the first block are apart by, to 6 digits."""
        if self._config.time_column is None:
            return None
        first = next(iter(self._blocks(entry)), None)
        if first is None or first.time_s is None or len(first.time_s) < 2:
            return None
        step_s = float(np.median(np.diff(first.time_s)))
        return float(f"{1 / step_s:.6g}") if step_s > 0 else None

    def _blocks(self, entry: Entry) -> Iterator[Block]:
        """Read a recording in the sensor's unit, and check on the way what only its samples show."""
        conversion = self._config.conversion[entry.unit]
        n_samples, first_s, last_s = 0, None, -np.inf
        for samples in self._reader(entry).blocks(self._path(entry), self._wanted(entry)):
            time_s = samples.time_s
            if time_s is not None and len(time_s):
                first_s = time_s[0] if first_s is None else first_s
                self._require_forward(entry, n_samples, time_s, last_s)
                time_s, last_s = time_s - first_s, time_s[-1]
            if self._config.quality.nan_fraction.action == "error":
                require_values(samples.values, self._config.channels, partial(self._place, entry, n_samples))
            yield Block((samples.values - conversion.zero) * conversion.scale, time_s=time_s)
            n_samples += len(samples.values)
        _require_spans_inside(entry, n_samples, self._path(entry))

    def _require_forward(self, entry: Entry, begin: int, time_s: NDArray[np.float64], last_s: float) -> None:
        """Refuse time stamps that are missing or go back, by the place in the file."""
        wrong = np.flatnonzero(~(np.diff(time_s, prepend=last_s) >= 0))
        if len(wrong):
            sample = int(wrong[0])
            before = time_s[sample - 1] if sample else last_s
            is_missing = not np.isfinite(time_s[sample])
            raise RecordingError(
                found="the time stamp is missing"
                if is_missing
                else f"time goes back by {before - time_s[sample]:.6g} s",
                where=self._place(entry, begin, sample),
                expected="time stamps that never go back",
                remedy="Sort or repair the recording, or split it where the clock was set",
            )

    def _meta(self, entry: Entry, sample_rate_hz: float) -> SessionMeta:
        sensor, whole = self._config.sensor, (Span(0, -1, entry.label or ""),)
        spans = tuple(
            Span(span.start, -1 if span.stop is None else span.stop, span.label) for span in entry.spans or ()
        )
        return SessionMeta(
            session_id=entry.session_id,
            group_id=entry.group,
            condition=entry.condition,
            state=entry.state,
            sample_rate_hz=sample_rate_hz,
            channels=self._config.channels,
            unit=sensor.unit,
            full_scale=sensor.full_scale,
            counts_per_unit=sensor.counts_per_unit,
            device=entry.device or sensor.device,
            firmware=entry.firmware or sensor.firmware,
            mounting=entry.mounting or sensor.mounting,
            spans=spans or whole,
            notes={"file": entry.file, "format": Path(entry.file).suffix.lower()[1:], "stored_unit": entry.unit},
        )

    def _reader(self, entry: Entry) -> Reader:
        return READERS[Path(entry.file).suffix.lower()]

    def _path(self, entry: Entry) -> Path:
        return self._folder / entry.file

    def _place(self, entry: Entry, begin: int, sample: int) -> str:
        return self._reader(entry).place(self._path(entry), begin + sample, self._wanted(entry))

    def _wanted(self, entry: Entry) -> Wanted:
        config = self._config
        return Wanted(config.channels, entry.channels, config.time_column, _SECONDS[config.time_unit])


def _require_distinct(listed: list[Listed]) -> None:
    for key in ("file", "session_id"):
        seen: dict[str, str] = {}
        for item in listed:
            value = getattr(item.entry, key)
            if value in seen:
                raise RecordingError(
                    found=f"the {key} {value!r} is there twice, first in {seen[value]}",
                    where=item.where,
                    expected=f"each {key} once",
                    remedy="Remove one of the two, or give each recording a session_id of its own",
                )
            seen[value] = item.where


def _require_spans_inside(entry: Entry, n_samples: int, path: Path) -> None:
    for span in entry.spans or ():
        if max(span.start + 1, span.stop or 0) > n_samples:
            raise RecordingError(
                found=f"the span [{span.start}, {span.stop}) labelled {span.label!r} is not inside the recording",
                where=str(path),
                expected=f"spans in samples, within the {n_samples} that the file has",
                remedy="Correct the span in the sidecar; an open stop ends with the recording",
            )


def _some(names: list[str]) -> str:
    """Name a few of many."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
