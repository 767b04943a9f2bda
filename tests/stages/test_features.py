"""The stage `features` on sessions of a known signal, and its refusals."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from stages import features
from stages.core.dsp.contract import Preprocess, preprocess
from stages.core.errors import ConfigError, RecordingError
from stages.core.recordings.session import SessionMeta, Span, write_session
from stages.core.recordings.windows import write_windows
from stages.core.runtime.fault import MEASURES
from stages.core.runtime.measures_file import load_measures

LENGTH, HOP, SAMPLES = 64, 32, 640
RAW = {"dc": "window_mean", "normalise": None, "extractor": {"kind": "raw"}, "scaler": {"kind": "robust"}}
PARTS = {"a": "train", "b": "train", "c": "val", "d": "test"}


def meta(name, **changes):
    base = SessionMeta(
        session_id=name,
        group_id=name,
        condition="any",
        state="any",
        sample_rate_hz=1000.0,
        channels=("x", "y"),
        unit="g",
        full_scale=16.0,
        counts_per_unit=2048.0,
        device="d",
        firmware="f",
        mounting="m",
        spans=(Span(0, SAMPLES, "healthy"),),
    )
    return replace(base, **changes)


def counts(name):
    """Noise, and a strong pulse in the second half."""
    rng = np.random.default_rng(ord(name))
    signal = rng.normal(0, 200, (SAMPLES, 2))
    signal[SAMPLES // 2 + 40 :: 64] += 20_000
    return signal.round().astype(np.int16)


def index(parts):
    starts = np.arange(0, SAMPLES - LENGTH + 1, HOP)
    rows = [
        {"session_id": name, "group_id": name, "condition": "any", "state": "any", "part": part}
        | {"start": start, "label": np.int8(start >= SAMPLES // 2)}
        for name, part in parts
        for start in starts
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def paths(tmp_path):
    """Write sessions, the window index and a configuration; give the stage's paths."""

    def write(section=RAW, workers=1, windows=None, **changes):
        (tmp_path / "capture").mkdir(exist_ok=True)
        (tmp_path / "split").mkdir(exist_ok=True)
        entries = []
        for name in PARTS:
            write_session(tmp_path / f"capture/{name}.parquet", meta(name, **changes.get(name, {})), counts(name))
            entries.append({"session_id": name, "path": f"{name}.parquet", "excluded": None})
        (tmp_path / "capture/dataset.json").write_text(json.dumps({"sessions": entries}))
        write_windows(tmp_path / "split/windows.parquet", index(PARTS.items()) if windows is None else windows)
        config = {
            "window": {"length": LENGTH, "hop": HOP},
            "features": section,
            "compute": {"backend": "loky", "workers": workers},
        }
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        return argparse.Namespace(
            config=tmp_path / "config.yaml",
            capture=tmp_path / "capture",
            split=tmp_path / "split",
            out=tmp_path / "features",
        )

    return write


def outputs(where):
    return {path.name: path.read_bytes() for path in where.out.iterdir()}


def expected_codes(where, windows):
    contract = Preprocess.from_json(json.loads((where.out / "contract.json").read_text()))
    cut = [counts(row.session_id)[row.start : row.start + LENGTH] for row in windows.itertuples()]
    return preprocess(contract, np.stack(cut))


@pytest.mark.parametrize(
    "section",
    [
        RAW,
        {**RAW, "dc": "none", "scaler": {"kind": "two_stage"}},
        {**RAW, "normalise": {"epsilon": 4}, "scaler": {"kind": "quantile"}},
        {**RAW, "extractor": {"kind": "stats", "frame": 16, "hop": 16}, "scaler": {"kind": "percentile"}},
        {
            **RAW,
            "extractor": {"kind": "bands", "frame": 32, "hop": 16, "window": "hann", "bands": 4, "spacing": "log"}
            | {"low_hz": 0.0, "high_hz": None},
            "scaler": {"kind": "zscore"},
        },
    ],
    ids=["raw", "two_stage", "normalised", "stats", "bands"],
)
def test_every_row_holds_the_codes_of_its_window(paths, section):
    where = paths(section)
    features.main(where)
    codes = np.load(where.out / "codes.npy")
    np.testing.assert_array_equal(codes, expected_codes(where, index(PARTS.items())))


def test_rows_of_a_session_may_lie_anywhere_in_the_index(paths):
    shuffled = index(PARTS.items()).sample(frac=1, random_state=0).reset_index(drop=True)
    where = paths(windows=shuffled)
    features.main(where)
    np.testing.assert_array_equal(np.load(where.out / "codes.npy"), expected_codes(where, shuffled))


def test_outputs_are_the_same_with_two_workers_and_with_small_batches(paths, monkeypatch):
    where = paths()
    features.main(where)
    alone = outputs(where)
    assert sorted(alone) == ["codes.npy", "contract.json", "measures.parquet", "report.json", "scaling.png"]
    features.main(paths(workers=2))
    assert outputs(where) == alone
    monkeypatch.setattr("stages.core.recordings.batches._BATCH_SAMPLES", 3 * LENGTH * 2)
    features.main(paths())
    assert outputs(where) == alone


def test_scalers_are_fitted_on_train_alone(paths):
    where = paths()
    features.main(where)
    fitted = (where.out / "contract.json").read_bytes()
    write_session(where.capture / "d.parquet", meta("d"), counts("d") * np.int16(-1))
    features.main(where)
    assert (where.out / "contract.json").read_bytes() == fitted


def test_the_report_sees_the_pulses_as_events(paths):
    where = paths({**RAW, "dc": "none", "scaler": {"kind": "two_stage"}})
    line = features.main(where)
    report = json.loads((where.out / "report.json").read_text())
    assert report["scaler"] == "two_stage"
    assert line.startswith("features: 76 windows of 64 x 4; normal band keeps at least ")
    for column in ("x", "y"):
        chosen, minmax = report["costs"]["two_stage"][column], report["costs"]["minmax"][column]
        assert chosen["distinct_codes"] > 120
        assert minmax["distinct_codes"] < 20
        assert chosen["events_clipped"] == 0
    healthy = sum(report["code_histograms"]["x_fine"]["healthy"])
    assert healthy == int((index([("a", "train"), ("b", "train")])["label"] == 0).sum()) * LENGTH


@pytest.mark.parametrize(
    ("key", "value"), [("sample_rate_hz", 2000.0), ("channels", ("x", "z")), ("counts_per_unit", 1.0), ("unit", "V")]
)
def test_sessions_that_disagree_on_what_a_sample_means_are_refused(paths, key, value):
    with pytest.raises(RecordingError, match=rf"session c: {key} is .*, while session a has"):
        features.main(paths(c={key: value}))


def test_a_frame_longer_than_the_window_is_refused(paths):
    section = {**RAW, "extractor": {"kind": "stats", "frame": 65, "hop": 1}}
    with pytest.raises(ConfigError, match=r"a frame of 65 samples.*at most the window of 64"):
        features.main(paths(section))


def test_a_coarse_code_of_features_is_refused(paths):
    section = {**RAW, "normalise": {"epsilon": 1}, "scaler": {"kind": "two_stage"}}
    with pytest.raises(ConfigError, match="two_stage spreads its coarse code over the sensor's range"):
        features.main(paths(section))


def test_what_the_fault_gate_is_fitted_on_are_the_training_windows(paths):
    where = paths()
    features.main(where)
    measures, rails = load_measures(where.out / "measures.parquet")
    starts = range(0, SAMPLES - LENGTH + 1, HOP)
    peaks = [[counts(name)[at : at + LENGTH].max(axis=0).tolist() for at in starts] for name in "ab"]
    assert measures[:, :, MEASURES.index("max")].tolist() == peaks[0] + peaks[1]
    assert rails == [(-32768, 32767)] * 2
