"""Varied training windows keep their label, their bounds and their determinism."""

import numpy as np
import pandas as pd
import pytest

from stages.core.dsp.contract import Affine, Code, Preprocess, Raw, preprocess
from stages.core.nets.augment import AugmentedExamples, Context, read_context, vary
from stages.core.recordings.session import Gap, SessionFile, SessionMeta, Span, write_session
from stages.core.schema.augment import Augment
from stages.core.schema.labels import Labels

LENGTH, MARGIN, FULL_SCALE = 64, 40, 2048
LABELS = Labels(kind="ordered", classes=("healthy", "anomalous"), min_overlap=0.5)


def context(signal=None, channels=2):
    rng = np.random.default_rng(1)
    counts = rng.integers(-1000, 1000, (3, LENGTH + 2 * MARGIN, channels)).astype(np.int16)
    if signal is not None:
        counts[:] = signal[None, :, None]
    every = np.full(3, MARGIN)
    return Context(counts, every, every * 0, every * 2, np.full(channels, 5.0), FULL_SCALE)


def varied(settings, seed=0, **kwargs):
    given = context(**kwargs)
    return given, vary(given, 1, LENGTH, Augment.model_validate(settings), np.random.default_rng(seed))


def original(given):
    return given.counts[1, MARGIN : MARGIN + LENGTH]


def test_nothing_asked_changes_nothing():
    given, window = varied({})
    np.testing.assert_array_equal(window, original(given))


def test_gain_multiplies_every_sample_by_one_factor_and_clips_at_full_scale():
    given, window = varied({"gain": {"probability": 1, "factor": [3, 3]}})
    np.testing.assert_array_equal(window, np.clip(3 * original(given).astype(int), -FULL_SCALE, FULL_SCALE - 1))
    assert (window == -FULL_SCALE).any()


def test_offset_adds_a_constant_per_channel_within_its_share():
    given, window = varied({"offset": {"probability": 1, "max_share": 0.01}})
    added = window.astype(int) - original(given)
    assert (np.ptp(added, axis=0) <= 1).all()
    assert 0 < np.abs(added).max() <= 21


def test_jitter_is_as_strong_as_the_quiet_windows_times_the_factor():
    given = context()
    settings = Augment.model_validate({"jitter": {"probability": 1, "factor": [2, 2]}})
    rng = np.random.default_rng(0)
    noise = [vary(given, 1, LENGTH, settings, rng).astype(int) - original(given) for _ in range(50)]
    assert np.std(noise) == pytest.approx(10, rel=0.05)


def test_crop_is_a_window_of_the_same_recording_within_its_shift():
    given = context()
    settings = Augment.model_validate({"crop": {"probability": 1, "max_shift": 5}})
    rng = np.random.default_rng(0)
    starts = set()
    for _ in range(60):
        window = vary(given, 1, LENGTH, settings, rng)
        (start,) = [s for s in range(2 * MARGIN) if np.array_equal(window, given.counts[1, s : s + LENGTH])]
        starts.add(start - MARGIN)
    assert starts == set(range(-5, 6))


@pytest.mark.parametrize("seed", range(5))
def test_time_warp_scales_the_frequency_of_a_sine_by_at_most_its_stretch(seed):
    time = np.arange(LENGTH + 2 * MARGIN)
    _, window = varied(
        {"time_warp": {"probability": 1, "max_stretch": 0.2}},
        seed,
        signal=np.rint(1500 * np.sin(2 * np.pi * time / 16)),
        channels=1,
    )
    crossings = np.flatnonzero(np.diff(np.sign(window[:, 0].astype(float))) > 0)
    period = np.diff(crossings).mean()
    assert 16 / 1.2 - 0.5 <= period <= 16 / 0.8 + 0.5
    assert abs(period - 16) > 0.05


def test_channel_dropout_flattens_channels_but_never_all():
    _, window = varied({"channel_dropout": {"probability": 1}}, channels=4)
    assert (np.ptp(window, axis=0) == 0).sum() == 3


def session(path, spans, gaps=(), n_samples=1000):
    counts = np.stack([np.arange(n_samples), -np.arange(n_samples)], axis=1).astype(np.int16)
    meta = SessionMeta("s", "g", "c", "s", 100.0, ("x", "y"), "g", 8.0, 256.0, "d", "f", "m", spans, gaps=gaps)
    write_session(path, meta, counts)
    return SessionFile(path)


def windows_at(*starts, label=0):
    return pd.DataFrame({"session_id": "s", "start": starts, "label": label})


def test_context_holds_each_window_at_its_position_also_at_the_ends(tmp_path):
    files = {"s": session(tmp_path / "s.parquet", (Span(0, 1000, "healthy"),))}
    settings = Augment.model_validate({"crop": {"probability": 1, "max_shift": 40}})
    found = read_context(windows_at(0, 500, 936), files, LENGTH, settings, LABELS, tmp_path / "c.npy")
    for row, start in enumerate((0, 500, 936)):
        at = found.position[row]
        assert found.counts[row, at : at + LENGTH, 0].tolist() == list(range(start, start + LENGTH))
    assert found.full_scale == FULL_SCALE
    assert (found.latest - found.earliest == 80).all()


def test_starts_stay_where_the_label_is_the_same_and_no_gap_is_crossed(tmp_path):
    spans = (Span(0, 500, "healthy"), Span(500, 1000, "anomalous"))
    files = {"s": session(tmp_path / "s.parquet", spans, gaps=(Gap(300, 7),))}
    settings = Augment.model_validate({"crop": {"probability": 1, "max_shift": 200}})
    found = read_context(windows_at(310), files, LENGTH, settings, LABELS, tmp_path / "c.npy")
    first = 310 - int(found.position[0])
    # A window from 436 on is touched by the anomalous span: left out until half of it is covered.
    assert (first + found.earliest[0], first + found.latest[0]) == (300, 436)


def test_windows_repeat_by_epoch_and_row_and_not_by_batch():
    settings = Augment.model_validate({"gain": {"probability": 1, "factor": [0.5, 2]}})
    codes_of = tuple(Code(name, k, Affine(0, 4096, 16)) for k, name in enumerate("xy"))
    given, contract = context(), Preprocess(100.0, ("x", "y"), LENGTH, LENGTH, "none", None, Raw(), codes_of)
    codes = preprocess(contract, given.counts[:, MARGIN : MARGIN + LENGTH])
    examples = AugmentedExamples(codes, np.zeros(3, np.int8), 1, contract, given, settings, 7)
    whole = examples.inputs(np.arange(3), 1)
    np.testing.assert_array_equal(examples.inputs(np.array([2]), 1)[0], whole[2])
    assert not np.array_equal(examples.inputs(np.arange(3), 2), whole)
    assert whole.shape == (3, 2, LENGTH)
