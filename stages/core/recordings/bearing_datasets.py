"""Recordings from a set built by the package `bearing-datasets`: metadata mapped by configuration, units converted."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import bearing_datasets
import numpy as np
import pandas as pd
import pyarrow as pa
from bearing_datasets.units import convert
from numpy.typing import NDArray

from stages.core.errors import ConfigError, RecordingError
from stages.core.recordings.artefacts import values_by_class
from stages.core.recordings.session import SessionMeta, Span
from stages.core.recordings.source import Block, Recording
from stages.core.schema.bearing_datasets import BearingDatasets, Conversion
from stages.core.schema.labels import UNCERTAIN

#: Columns that describe one signal or its storage, not the recording.
_SIGNAL_COLUMNS = {
    *("dataset", "signal_id", "recording_id", "channel", "axis", "sensitivity", "fs", "n_samples"),
    *("signal_file", "signal_row_group", "signal_row"),
}
_READ_ERRORS = (OSError, KeyError, IndexError, TypeError, ValueError, pa.ArrowException)


class DatasetSessions:
    """The selected recordings of a set, read one at a time in the order of their ids.

    Parameters
    ----------
    config : BearingDatasets
    classes : tuple of str
        A healthy recording is of the first, an anomalous one of the last.
    root : Path or None
        Folder of the built sets, for where the configuration names none.

    Raises
    ------
    RecordingError
        If the set is missing, unreadable or not the pinned content, or if what is selected is empty, lacks a
        channel, mixes sample rates or is in another unit than the configuration says.
    ConfigError
        If a condition or template of the configuration does not fit the set's columns.
    """

    live = False

    def __init__(self, config: BearingDatasets, classes: tuple[str, ...], root: Path | None) -> None:
        self._config = config
        self._arguments = (config, classes, root)
        folder = _root(config, root)
        self._where = f"set {config.name!r} in {folder}"
        self._dataset = open_dataset(config, folder)
        self._signals = self._select(self._dataset.metadata()).sort_values("recording_id", kind="stable")
        starts = np.flatnonzero(~self._signals["recording_id"].duplicated()).tolist()
        self._bounds = list(pairwise([*starts, len(self._signals)]))
        self._labels = label_recordings(self._signals.iloc[starts].reset_index(drop=True), config, classes)
        self._check_signals()
        self._check_channels()

    def __reduce__(self) -> tuple[Callable[..., DatasetSessions], tuple[Any, ...]]:
        # The metadata of a large set takes longer to send than a recording takes to read.
        return _reopen, self._arguments

    def __len__(self) -> int:
        return len(self._bounds)

    def __getitem__(self, index: int) -> Recording:
        rows = self._rows(index)
        return Recording(self._meta(rows, self._labels[index]), lambda: iter([Block(self._read(rows))]))

    def _rows(self, index: int) -> pd.DataFrame:
        """One row per channel of a recording."""
        return self._signals.iloc[slice(*self._bounds[index])].set_index("channel")

    def _select(self, metadata: pd.DataFrame) -> pd.DataFrame:
        if self._config.select is not None:
            metadata = metadata[evaluate(metadata, self._config.select, "capture.select")]
        selected = metadata[metadata["channel"].isin(self._config.channels)]
        if selected.empty:
            raise RecordingError(
                found=f"no signal fits select: {self._config.select} and channels: {', '.join(self._config.channels)}",
                where=self._where,
                expected=f"at least one; the set has the channels {', '.join(sorted(set(metadata['channel'])))}",
                remedy="Correct capture.select or capture.channels",
            )
        return selected

    def _check_signals(self) -> None:
        signals, labels = self._signals, np.repeat(self._labels, [stop - start for start, stop in self._bounds])
        rates = signals.assign(label=labels).drop_duplicates(["recording_id", "fs"])
        if rates["fs"].nunique() > 1:
            by_class = values_by_class([f"{rate:g} Hz" for rate in rates["fs"]], rates["label"])
            raise RecordingError(
                found=f"the selection mixes sample rates: {by_class}",
                where=self._where,
                expected="one sample rate, for a model would learn the rate instead of the fault",
                remedy=f"Select one, for example capture.select: fs == {rates['fs'].min():g}",
            )
        stored = sorted(set(signals["unit"])) if "unit" in signals else ["unknown"]
        if stored != [self._config.conversion.stored_unit]:
            raise RecordingError(
                found=f"the selected signals are stored in {', '.join(stored)}",
                where=self._where,
                expected=f"only {self._config.conversion.stored_unit}, as capture.conversion.stored_unit says",
                remedy="Correct capture.conversion, or select the signals of one unit with capture.select",
            )

    def _check_channels(self) -> None:
        for rows in map(self._rows, range(len(self))):
            if sorted(rows.index) != sorted(self._config.channels):
                raise RecordingError(
                    found=f"the selection gives it the channels {', '.join(sorted(rows.index))}",
                    where=f"recording {rows['recording_id'].iloc[0]} of {self._where}",
                    expected=f"each of {', '.join(self._config.channels)} once",
                    remedy="Correct capture.channels, or narrow capture.select",
                )

    def _read(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        """Read one recording's channels in the configured order, shape (samples, channels), in the sensor's unit."""
        where = f"recording {rows['recording_id'].iloc[0]} of {self._where}"
        channels = []
        for channel in self._config.channels:
            row = rows.loc[channel]
            try:
                stored = self._dataset.signal(row["signal_id"])
            except _READ_ERRORS as error:
                raise _unreadable(error, where) from None
            if len(stored) != row["n_samples"]:
                raise RecordingError(
                    found=f"channel {channel} holds {len(stored)} samples, its metadata says {row['n_samples']}",
                    where=where,
                    expected="as many samples as the metadata says",
                    remedy=f"The set is damaged: run `bearing-datasets build {self._config.name} --force`",
                )
            sensitivity = row.get("sensitivity", "none")
            channels.append(to_physical(stored, self._config.conversion, self._config.sensor.unit, sensitivity, where))
        if len({len(channel) for channel in channels}) > 1:
            raise RecordingError(
                found=f"its channels have {', '.join(str(len(channel)) for channel in channels)} samples",
                where=where,
                expected="channels of one length",
                remedy="Leave the recording out with capture.select",
            )
        return np.stack(channels, axis=1)

    def _meta(self, rows: pd.DataFrame, label: str) -> SessionMeta:
        mapping, sensor = self._config.mapping, self._config.sensor
        row = rows.iloc[0].to_dict()
        return SessionMeta(
            session_id=re.sub(r"[^A-Za-z0-9._-]", "_", row["recording_id"]),
            group_id=fill(mapping.group, row, "capture.mapping.group"),
            condition=fill(mapping.condition, row, "capture.mapping.condition"),
            state=fill(mapping.state, row, "capture.mapping.state"),
            sample_rate_hz=float(row["fs"]),
            channels=self._config.channels,
            unit=sensor.unit,
            full_scale=sensor.full_scale,
            counts_per_unit=sensor.counts_per_unit,
            device=sensor.device,
            firmware=sensor.firmware,
            mounting=sensor.mounting,
            spans=(Span(0, -1, label),),
            notes={name: str(value) for name, value in sorted(row.items()) if name not in _SIGNAL_COLUMNS},
        )


@lru_cache(maxsize=1)
def _reopen(config: BearingDatasets, classes: tuple[str, ...], root: Path | None) -> DatasetSessions:
    """Open a set once in each process."""
    return DatasetSessions(config, classes, root)


def _root(config: BearingDatasets, root: Path | None) -> Path:
    if config.root is not None:
        return Path(config.root)
    if root is None:
        raise RecordingError(
            found="capture.root is null and the environment variable BEARING_DATASETS_ROOT is not set",
            where=f"set {config.name!r}",
            expected="the folder of the sets that the package bearing-datasets built",
            remedy=f"Set BEARING_DATASETS_ROOT, or build the set: `bearing-datasets --root DIR build {config.name}`",
        )
    return root


def open_dataset(config: BearingDatasets, root: Path) -> Any:
    """Open the built set and compare its content hash with the pinned one.

    Raises
    ------
    RecordingError
        If the set is missing, unreadable or of other content.
    """
    where = f"set {config.name!r} in {root}"
    try:
        dataset = bearing_datasets.open(config.name, root=root)
        dataset.metadata()
        found_hash = dataset.manifest["content_hash"]
    except FileNotFoundError:
        raise RecordingError(
            found="the set is not there" if root.is_dir() else "the folder does not exist",
            where=where,
            expected=f"a set built by the package bearing-datasets, {root / config.name / 'manifest.json'}",
            remedy=f"Run `bearing-datasets --root {root} build {config.name}`, or correct capture.root or "
            "BEARING_DATASETS_ROOT",
        ) from None
    except _READ_ERRORS as error:
        raise _unreadable(error, where) from None
    if config.content_hash is not None and config.content_hash != found_hash:
        raise RecordingError(
            found=f"its content hash is {found_hash}",
            where=where,
            expected=f"{config.content_hash}, as capture.content_hash pins",
            remedy="Build the set again from the same source, or, if the new content is meant, pin its hash",
        )
    return dataset


def label_recordings(recordings: pd.DataFrame, config: BearingDatasets, classes: tuple[str, ...]) -> list[str]:
    """Label each recording by the conditions of the mapping.

    Parameters
    ----------
    recordings : DataFrame
        One row per recording.
    config : BearingDatasets
    classes : tuple of str

    Returns
    -------
    list of str
        The first class where `healthy` holds, the last where `anomalous` does, ``uncertain`` where neither does.

    Raises
    ------
    ConfigError
        If both conditions hold for a recording.
    """
    healthy = evaluate(recordings, config.mapping.healthy, "capture.mapping.healthy")
    anomalous = evaluate(recordings, config.mapping.anomalous, "capture.mapping.anomalous")
    both = recordings.loc[healthy & anomalous, "recording_id"]
    if len(both):
        raise ConfigError(
            found=f"{len(both)} recording(s) are both healthy and anomalous, such as {both.iloc[0]}",
            where="capture.mapping",
            expected="conditions that exclude each other",
            remedy="Narrow capture.mapping.healthy or capture.mapping.anomalous",
        )
    return [str(label) for label in np.where(healthy, classes[0], np.where(anomalous, classes[-1], UNCERTAIN))]


def evaluate(table: pd.DataFrame, condition: str, key: str) -> NDArray[np.bool_]:
    """Evaluate a condition on the columns of a table, row by row.

    Parameters
    ----------
    table : DataFrame
    condition : str
        As for `pandas.DataFrame.query`.
    key : str
        The configuration key to name in an error.

    Raises
    ------
    ConfigError
        If it is not a condition on these columns.
    """
    try:
        result = np.asarray(table.eval(condition, engine="python", local_dict={}, global_dict={}))
        problem = "" if result.dtype == bool and result.shape == (len(table),) else "it does not give true or false"
    except (ArithmeticError, AttributeError, KeyError, NameError, SyntaxError, TypeError, ValueError) as error:
        problem = " ".join(str(error).split())
    if problem:
        raise ConfigError(
            found=f"{condition!r} cannot be evaluated ({problem})",
            where=key,
            expected=f"a condition on the columns {', '.join(table.columns)}",
            remedy="Correct it; texts need quotes, as in fault_type == 'normal'",
        )
    return result


def fill(template: str, row: dict[str, Any], key: str) -> str:
    """Fill a template with the columns of a recording.

    Raises
    ------
    ConfigError
        If it names another column, or a format does not fit the value.
    """
    try:
        return template.format_map(row)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            found=f"{template!r} cannot be filled ({type(error).__name__}: {error})",
            where=key,
            expected=f"a template over the columns {', '.join(sorted(row))}",
            remedy='Correct it; for example "{speed_rpm:g}rpm"',
        ) from None


def to_physical(
    stored: NDArray[Any], conversion: Conversion, unit: str, sensitivity: str, where: str
) -> NDArray[np.float64]:
    """Convert stored values to a physical unit, ``(stored - zero) / sensitivity``.

    Parameters
    ----------
    stored : ndarray, shape (samples,)
    conversion : Conversion
    unit : str
        The unit to convert to.
    sensitivity : str
        What the set documents, such as ``"100 mV/g"``; used where the configuration gives none.
    where : str
        The recording to name in an error.

    Returns
    -------
    ndarray of float64, shape (samples,)

    Raises
    ------
    RecordingError
        If the set documents no way from the stored unit to `unit`.
    """
    centred = np.asarray(stored, dtype=np.float64) - conversion.zero
    if conversion.sensitivity is not None:
        return centred / conversion.sensitivity
    try:
        return np.asarray(convert(centred, conversion.stored_unit, unit, sensitivity))
    except ValueError as error:
        raise RecordingError(
            found=f"its values cannot be converted to {unit} ({error})",
            where=where,
            expected="a documented sensitivity, or capture.conversion.sensitivity",
            remedy=f"Set capture.conversion.sensitivity, in {conversion.stored_unit} per {unit}",
        ) from None


def _unreadable(error: Exception, where: str) -> RecordingError:
    return RecordingError(
        found=f"it cannot be read ({type(error).__name__}: {' '.join(str(error).split())})",
        where=where,
        expected="a complete set as the package bearing-datasets builds it",
        remedy="The set is truncated or damaged: build it again with `bearing-datasets build --force`",
    )
