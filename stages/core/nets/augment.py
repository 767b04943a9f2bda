"""Varied training windows: counts are varied, then run through the integer program, so codes stay what a device sees.

A window depends on (seed, epoch, row) alone, whatever the batches are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.artifacts import read_json
from stages.core.dsp.contract import Preprocess, preprocess
from stages.core.nets.examples import Examples
from stages.core.recordings.dataset import session_files
from stages.core.recordings.session import SessionFile
from stages.core.recordings.windows import label_windows, read_windows
from stages.core.schema.augment import Augment
from stages.core.schema.labels import Labels
from stages.core.schema.window import Window
from stages.core.seeds import derive_seed

#: Of the healthy windows' standard deviations, the one that counts as the sensor's noise.
_QUIET_QUANTILE = 0.05


@dataclass(frozen=True)
class Context:
    """Training windows with the samples around them.

    Attributes
    ----------
    counts : ndarray of int16, shape (windows, length + 2 * margin, channels)
    position : ndarray of int64, shape (windows,)
        Where in its row each window starts.
    earliest, latest : ndarray of int64, shape (windows,)
        Between these a start keeps the window's label and crosses no gap.
    quiet : ndarray of float64, shape (channels,)
        Standard deviation of a quiet healthy window, in counts.
    full_scale : int
        The ADC yields ``-full_scale .. full_scale - 1``.
    """

    counts: NDArray[np.int16]
    position: NDArray[np.int64]
    earliest: NDArray[np.int64]
    latest: NDArray[np.int64]
    quiet: NDArray[np.float64]
    full_scale: int


@dataclass(frozen=True)
class AugmentedExamples(Examples):
    """Training windows that are varied anew in every epoch.

    Attributes
    ----------
    contract : Preprocess
    context : Context
    settings : Augment
    seed : int
    """

    contract: Preprocess
    context: Context
    settings: Augment
    seed: int

    def inputs(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.int8]:
        """Return varied codes of some rows, shape (rows, channels, length)."""
        counts = np.stack([self._varied(int(row), epoch) for row in rows])
        return preprocess(self.contract, counts).transpose(0, 2, 1)

    def _varied(self, row: int, epoch: int) -> NDArray[np.int16]:
        rng = np.random.Generator(np.random.PCG64(derive_seed(self.seed, "augment", epoch, row)))
        return vary(self.context, row, self.contract.window, self.settings, rng)


@contextmanager
def varied(
    train: Examples, settings: Augment | None, labels: Labels, seed: int, *, capture: Path, split: Path, features: Path
) -> Iterator[Examples]:
    """Give the training windows as the settings vary them; their counts are on disk meanwhile.

    Parameters
    ----------
    train : Examples
    settings : Augment or None
        None gives the windows as they are.
    labels : Labels
    seed : int
    capture, split, features : Path
        Output folders of those stages.
    """
    if settings is None:
        yield train
        return
    contract = Preprocess.from_json(read_json(features / "contract.json"))
    index = read_windows(split / "windows.parquet")
    windows = index[index["part"] == "train"]
    with TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.npy"
        context = read_context(windows, session_files(capture), contract.window, settings, labels, counts)
        fields = (train.codes, train.labels, train.outputs, contract, context, settings, seed)
        yield AugmentedExamples(*fields, origins=train.origins, kind=train.kind)


def vary(context: Context, row: int, length: int, settings: Augment, rng: np.random.Generator) -> NDArray[np.int16]:
    """Draw one variation of a window.

    Parameters
    ----------
    context : Context
    row, length : int
    settings : Augment
    rng : Generator

    Returns
    -------
    ndarray of int16, shape (length, channels)
        Rounded half to even and clipped at full scale, as the ADC does.
    """
    window = _cut(context, row, length, settings, rng)
    if settings.gain and rng.random() < settings.gain.probability:
        window = window * _log_uniform(rng, settings.gain.factor)
    if settings.offset and rng.random() < settings.offset.probability:
        reach = settings.offset.max_share * context.full_scale
        window = window + rng.uniform(-reach, reach, window.shape[1])
    if settings.jitter and rng.random() < settings.jitter.probability:
        window = window + rng.normal(0, context.quiet * _log_uniform(rng, settings.jitter.factor), window.shape)
    if settings.channel_dropout:
        dropped = rng.random(window.shape[1]) < settings.channel_dropout.probability
        dropped &= np.arange(window.shape[1]) != rng.integers(window.shape[1])
        window = np.where(dropped, window.mean(axis=0), window)
    return np.clip(np.rint(window), -context.full_scale, context.full_scale - 1).astype(np.int16)


def _cut(context: Context, row: int, length: int, settings: Augment, rng: np.random.Generator) -> NDArray[np.float64]:
    """Cut the window at a drawn start, at a drawn speed: linear interpolation, inside what keeps the label."""
    start, earliest, latest = (int(part[row]) for part in (context.position, context.earliest, context.latest))
    if settings.crop and rng.random() < settings.crop.probability:
        shift = settings.crop.max_shift
        start = int(rng.integers(max(earliest, start - shift), min(latest, start + shift) + 1))
    speed = 1.0
    if settings.time_warp and rng.random() < settings.time_warp.probability:
        speed += rng.uniform(-settings.time_warp.max_stretch, settings.time_warp.max_stretch)
    signal = context.counts[row].astype(np.float64)
    if speed == 1.0:
        return np.asarray(signal[start : start + length])
    middle = start + (length - 1) / 2
    at = np.clip(middle + (np.arange(length) - (length - 1) / 2) * speed, earliest, latest + length - 1)
    below = np.minimum(at.astype(np.int64), len(signal) - 2)
    share = (at - below)[:, np.newaxis]
    return np.asarray(signal[below] * (1 - share) + signal[below + 1] * share)


def _log_uniform(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(ends))))


def read_context(
    windows: pd.DataFrame, files: Mapping[str, SessionFile], length: int, settings: Augment, labels: Labels, path: Path
) -> Context:
    """Read the training windows with as much around them as the settings can ask for.

    Parameters
    ----------
    windows : DataFrame
        The training rows of the index, in order.
    files : mapping of str to SessionFile
    length : int
        Of a window.
    settings : Augment
    labels : Labels
    path : Path
        A file to keep the counts in; they are mapped into memory, not held in it.
    """
    shortest = min(files[name].n_samples for name in windows["session_id"].unique())
    margin = min(_reach(settings, length), (shortest - length) // 2)
    meta = files[str(windows["session_id"].iloc[0])].meta
    shape = (len(windows), length + 2 * margin, len(meta.channels))
    counts = np.lib.format.open_memmap(path, mode="w+", dtype=np.int16, shape=shape)
    limits = np.zeros((3, len(windows)), dtype=np.int64)
    for session_id, rows in windows.reset_index(drop=True).groupby("session_id", sort=False):
        file = files[str(session_id)]
        starts = rows["start"].to_numpy()
        begin = np.clip(starts - margin, 0, file.n_samples - shape[1])
        for positions, block in file.window_blocks(begin, shape[1]):
            counts[rows.index.to_numpy()[positions]] = block
        limits[:, rows.index.to_numpy()] = _limits(file, starts, rows["label"].to_numpy(), length, labels) - begin
    position, earliest, latest = limits
    return Context(
        counts,
        position,
        np.maximum(earliest, 0),
        np.minimum(latest, 2 * margin),
        _quiet(counts, position, windows["label"].to_numpy() == 0, length),
        round(meta.full_scale * meta.counts_per_unit),
    )


def _reach(settings: Augment, length: int) -> int:
    """Return how far, in samples, a varied window can leave the original at either end."""
    shift = settings.crop.max_shift if settings.crop else 0
    stretch = settings.time_warp.max_stretch if settings.time_warp else 0.0
    return shift + int(np.ceil(stretch * length / 2))


def _limits(
    file: SessionFile, starts: NDArray[np.int64], classes: NDArray[np.int8], length: int, labels: Labels
) -> NDArray[np.int64]:
    """Return starts, and the first and last start up to which every window has the same label, shape (3, windows)."""
    known, label = label_windows(file.meta.spans, file.meta.gaps, file.n_samples, Window(length=length, hop=1), labels)
    of_start = np.full(file.n_samples, -1, dtype=np.int8)
    of_start[known] = label
    edges = np.flatnonzero(np.diff(of_start, prepend=-2, append=-2))
    run = np.searchsorted(edges, starts, side="right")
    return np.stack([starts, edges[run - 1], edges[run] - 1])


def _quiet(
    counts: NDArray[np.int16], position: NDArray[np.int64], healthy: NDArray[np.bool_], length: int
) -> NDArray[np.float64]:
    deviations = [
        counts[row, position[row] : position[row] + length].astype(np.float64).std(axis=0)
        for row in np.flatnonzero(healthy)
    ]
    return np.asarray(np.quantile(deviations, _QUIET_QUANTILE, axis=0))
