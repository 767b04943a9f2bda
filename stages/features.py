"""Cut sessions into windows and run the preprocess contract on them: the codes that the device will see."""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.artifacts import output_directory, write_json
from stages.core.dsp.codes_file import CodesFile
from stages.core.dsp.configured import unfitted_contract
from stages.core.dsp.contract import Preprocess, preprocess
from stages.core.dsp.scalers import fit_codes
from stages.core.dsp.scaling_report import compare, report, worst_column, worst_costs
from stages.core.dsp.statistics import Statistics, measure, total
from stages.core.errors import RecordingError
from stages.core.parallel import map_sessions
from stages.core.recordings.batches import Batch, batches, read_batch
from stages.core.recordings.dataset import session_files
from stages.core.recordings.session import SessionFile, SessionMeta, channel_full_scales, count_limits
from stages.core.recordings.windows import read_windows
from stages.core.report.scaling_figure import save_scaling
from stages.core.runtime import limits
from stages.core.runtime.limits import Rails
from stages.core.runtime.measures_file import save_measures
from stages.core.schema.compute import Compute
from stages.core.schema.features import Features
from stages.core.schema.window import Window
from stages.core.settings import Settings, load
from stages.core.stage import progress, run
from stages.core.tracking import Run, track

T = TypeVar("T")
U = TypeVar("U")


class FeaturesSettings(Settings):
    """The sections that this stage reads."""

    window: Window
    features: Features
    compute: Compute


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    config = load(paths.config, FeaturesSettings)
    with track("features", config.features.model_dump(), paths.out) as record:
        return make_codes(paths, config, record)


def make_codes(paths: argparse.Namespace, config: FeaturesSettings, record: Run) -> str:
    """Fit the contract, run it, and return the closing line."""
    windows = read_windows(paths.split / "windows.parquet")
    listed = session_files(paths.capture)
    files = {str(name): listed[name].path for name in windows["session_id"].unique()}
    meta = _common_signal(SessionFile(path).meta for path in files.values())
    chosen = config.features.scaler.kind

    signal = (meta.sample_rate_hz, meta.channels, meta.dtype.name)
    unfitted = unfitted_contract(config.features, config.window, *signal)
    train = windows[windows["part"] == "train"]
    rails = list(zip(*(ends.tolist() for ends in count_limits(meta)), strict=True))
    measured = partial(_measure, unfitted, rails)
    parts = _each_batch(measured, train, files, unfitted, config.compute, "features: statistics")
    behaviour: list[NDArray[np.int64]] = []
    statistics = total(_set_aside(parts, behaviour))
    columns = statistics.columns(unfitted, channel_full_scales(meta))
    contract = replace(unfitted, codes=fit_codes(config.features.scaler, columns))
    candidates = compare(config.features, columns, statistics.peaks)
    costs = {candidate.kind: candidate.costs for candidate in candidates}[chosen]

    with output_directory(paths.out) as out:
        encode = partial(_encode, contract, CodesFile.create(out / "codes.npy", (len(windows), *contract.shape)))
        deque(_each_batch(encode, windows, files, contract, config.compute, "features: codes"), maxlen=0)
        write_json(out / "contract.json", contract.to_json())
        save_measures(out / "measures.parquet", np.concatenate(behaviour), rails)
        write_json(out / "report.json", report(chosen, candidates, columns))
        save_scaling(out / "scaling.png", chosen, candidates, columns)
        record.metrics(worst_costs(costs))
    worst = costs[worst_column(costs)]
    sqnr = "" if worst.band_sqnr_db is None else f" at {worst.band_sqnr_db:.1f} dB"
    return (
        f"features: {len(windows)} windows of {contract.shape[0]} x {contract.shape[1]}; normal band keeps at least "
        f"{worst.distinct_codes} codes{sqnr}; preprocess {contract.to_json()['preprocess_id'][:12]}"
    )


def _each_batch(
    function: Callable[[Batch], T],
    windows: pd.DataFrame,
    files: Mapping[str, Path],
    contract: Preprocess,
    compute: Compute,
    what: str,
) -> Iterable[T]:
    """Return what the function makes of each batch, lazily."""
    every = batches(windows, files, contract.window * len(contract.channels))
    return progress(map_sessions(function, every, compute), what, len(every))


def _measure(contract: Preprocess, rails: Sequence[Rails], batch: Batch) -> tuple[Statistics, NDArray[np.int64]]:
    """Return what the scalers are fitted on, and what the fault gate's limits are."""
    windows = read_batch(batch, contract.window)
    return measure(contract, windows, batch.labels), limits.measure(windows, rails)


def _set_aside(parts: Iterable[tuple[T, U]], second: list[U]) -> Iterator[T]:
    """Return the first of each pair, lazily, and put the second into a list."""
    for one, other in parts:
        second.append(other)
        yield one


def _encode(contract: Preprocess, file: CodesFile, batch: Batch) -> None:
    file.write(batch.rows, preprocess(contract, read_batch(batch, contract.window)))


def _common_signal(metas: Iterator[SessionMeta]) -> SessionMeta:
    """Return the first session's metadata after checking that all agree on what a sample means."""
    first = next(metas)
    for meta in metas:
        for key in ("sample_rate_hz", "channels", "counts_per_unit", "full_scale", "unit", "limits"):
            if getattr(meta, key) != getattr(first, key):
                raise RecordingError(
                    found=f"{key} is {getattr(meta, key)!r}, while session {first.session_id} has "
                    f"{getattr(first, key)!r}",
                    where=f"session {meta.session_id}",
                    expected="one sample rate, unit, gain, range and channel order in a data set",
                    remedy="Resample or convert the recordings at the source, or select one kind with capture.select",
                )
    return first


if __name__ == "__main__":
    run(main, "capture", "split")
