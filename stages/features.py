"""Cut sessions into windows and run the preprocess contract on them: the codes that the device will see."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.artifacts import output_directory, read_json, write_json
from stages.core.dsp.contract import Preprocess, preprocess, remove_dc
from stages.core.dsp.scalers import Histogram, fit_scaler
from stages.core.dsp.scaling_report import band_cost, saturated_fraction
from stages.core.errors import RecordingError
from stages.core.recordings.session import SessionFile, SessionMeta
from stages.core.recordings.windows import counts_by_session, read_windows
from stages.core.schema.features import Features
from stages.core.schema.window import Window
from stages.core.settings import Settings, load
from stages.core.stage import progress, run
from stages.core.tracking import track


class FeaturesSettings(Settings):
    """The sections that this stage reads."""

    window: Window
    features: Features


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    config = load(paths.config, FeaturesSettings)
    windows = read_windows(paths.split / "windows.parquet")
    sessions = {entry["session_id"]: entry["path"] for entry in read_json(paths.capture / "dataset.json")["sessions"]}
    files = {name: SessionFile(paths.capture / sessions[name]) for name in windows["session_id"].unique()}
    meta = _common_signal([file.meta for file in files.values()])
    healthy = windows[(windows["part"] == "train") & (windows["label"] == 0)]
    histograms = [Histogram.empty() for _ in meta.channels]
    for _, counts in progress(counts_by_session(healthy, files, config.window.length), "features: statistics"):
        values = remove_dc(counts, config.features.dc)
        for channel, histogram in enumerate(histograms):
            histogram.add(values[:, :, channel])
    scales = tuple(fit_scaler(config.features.scaler, *item) for item in zip(histograms, meta.channels, strict=True))
    contract = Preprocess(
        meta.sample_rate_hz, meta.channels, config.window.length, config.window.hop, config.features.dc, scales
    )
    with output_directory(paths.out) as out, track("features", config.features.model_dump()) as record:
        codes = _write_codes(out / "codes.npy", contract, windows, files)
        report = _report(contract, histograms, codes, windows)
        write_json(out / "contract.json", contract.to_json())
        write_json(out / "report.json", report)
        record.metrics(
            {f"{name}_{key}": value for name, cost in report["normal"].items() for key, value in cost.items()}
        )
        record.artifact(out / "contract.json")
    worst = min(report["normal"].values(), key=lambda cost: cost["distinct_codes"])
    identity = contract.to_json()["preprocess_id"][:12]
    return (
        f"features: {len(windows)} windows of {contract.window} x {len(contract.channels)}; normal band keeps at least "
        f"{worst['distinct_codes']} codes at {worst['sqnr_db']:.1f} dB; preprocess {identity}"
    )


def _common_signal(metas: list[SessionMeta]) -> SessionMeta:
    """Return one session's metadata after checking that all agree on what a sample means."""
    for meta in metas[1:]:
        for key in ("sample_rate_hz", "channels", "counts_per_unit", "unit"):
            found, first = getattr(meta, key), getattr(metas[0], key)
            if found != first:
                raise RecordingError(
                    found=f"{key} is {found!r}, while session {metas[0].session_id} has {first!r}",
                    where=f"session {meta.session_id}",
                    expected="one sample rate, unit, gain and channel order in a data set",
                    remedy="Resample or convert the recordings at the source, or select one kind with capture.select",
                )
    return metas[0]


def _write_codes(
    path: Path, contract: Preprocess, windows: pd.DataFrame, files: dict[str, SessionFile]
) -> NDArray[np.int8]:
    shape = (len(windows), contract.window, len(contract.channels))
    codes = np.lib.format.open_memmap(path, mode="w+", dtype=np.int8, shape=shape)
    for rows, counts in progress(counts_by_session(windows, files, contract.window), "features: codes"):
        codes[rows] = preprocess(contract, counts)
    codes.flush()
    return codes


def _report(
    contract: Preprocess, histograms: list[Histogram], codes: NDArray[np.int8], windows: pd.DataFrame
) -> dict[str, Any]:
    normal = {
        name: band_cost(histogram, scale.multiplier / 2**scale.shift, scale.offset)
        for name, histogram, scale in zip(contract.channels, histograms, contract.scale, strict=True)
    }
    train = (windows["part"] == "train").to_numpy()
    saturated = {
        name: saturated_fraction(codes[train & (windows["label"] == label).to_numpy()])
        for name, label in (("healthy", 0), ("anomalous", 1))
    }
    return {"normal": normal, "saturated_fraction": saturated}


if __name__ == "__main__":
    run(main, "capture", "split")
