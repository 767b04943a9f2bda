"""Features against numpy and scipy in float, against hand-computed frames, and bit by bit against Python integers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.core.dsp import extractors
from stages.core.dsp.extractors import Bands, Stats, band_edges, column_names, extract, n_frames
from stages.core.errors import ConfigError
from tests.core.dsp import brute_force

LARGEST = 2**17 - 1
RATE_HZ = 1600.0
MEAN, STD, MIN, MAX, ENERGY, STEP = range(6)


def one(spec: Bands | Stats, frame: list[int] | np.ndarray) -> list[int]:
    """Features of a single frame of a single channel."""
    return extract(spec, np.array(frame, dtype=np.int32)[np.newaxis, :, np.newaxis]).ravel().tolist()


def noise(shape: tuple[int, ...], loudness: float = 5000.0) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(3)).normal(0, loudness, shape).astype(np.int32)


@st.composite
def specs(draw: st.DrawFn) -> Bands | Stats:
    if draw(st.booleans()):
        return Stats(draw(st.sampled_from([2, 3, 4, 7, 100, 256])), 1)
    frame = draw(st.sampled_from([16, 32, 64]))
    edges = draw(st.lists(st.integers(0, frame // 2 + 1), min_size=2, max_size=6, unique=True))
    return Bands(frame, 1, draw(st.sampled_from(["hann", "rect"])), tuple(sorted(edges)))


@st.composite
def frames(draw: st.DrawFn, length: int) -> list[int]:
    """Values up to a random bound, so that quiet frames are as likely as loud ones."""
    bound = draw(st.sampled_from([0, 1, 40, 3000, 32768, LARGEST]))
    pieces = st.lists(st.integers(-bound, bound), min_size=length, max_size=length)
    return draw(st.one_of(pieces, st.lists(st.sampled_from([-bound, bound]), min_size=length, max_size=length)))


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.data())
def test_features_are_the_definition_bit_by_bit(data):
    spec = data.draw(specs())
    frame = data.draw(frames(spec.frame))
    assert one(spec, frame) == brute_force.features(spec, frame)


def test_stats_by_hand():
    # sum -5, sum of squares 155 = 128 + 27, variance 155/6 - 25/36 = 25.1, steps 2 + 1 + 4 + 7 + 9 = 23
    assert one(Stats(6, 1), [2, 0, 1, 5, -2, -11]) == [-1, 5, -11, 5, 7 * 256 + 54, 5]


def test_stats_are_those_of_numpy():
    values = noise((50, 300, 2)) + np.array([700, -4000], dtype=np.int32)
    features = extract(Stats(300, 300), values).reshape(50, 2, 6).swapaxes(1, 2).swapaxes(0, 1)
    wide = values.astype(np.float64)
    np.testing.assert_allclose(features[MEAN], wide.mean(axis=1), rtol=0, atol=0.5)
    below = wide.std(axis=1) - features[STD]
    assert np.all((below >= 0) & (below < 1))
    np.testing.assert_array_equal(features[MIN], values.min(axis=1))
    np.testing.assert_array_equal(features[MAX], values.max(axis=1))
    np.testing.assert_allclose(features[ENERGY], 256 * np.log2((wide**2).sum(axis=1)), rtol=0, atol=24)
    np.testing.assert_allclose(features[STEP], np.abs(np.diff(wide, axis=1)).mean(axis=1), rtol=0, atol=0.5)


@pytest.mark.parametrize(("window", "name"), [("hann", "hann"), ("rect", "boxcar")])
def test_bands_are_those_of_a_float_periodogram(window, name):
    frame, edges = 256, (1, 9, 40, 41, 129)
    values = noise((40, frame, 1)) + np.rint(9000 * np.sin(0.7 * np.arange(frame))).astype(np.int32)[:, np.newaxis]
    features = extract(Bands(frame, frame, window, edges), values)[:, 0]
    weights = scipy.signal.get_window(name, frame)
    power = np.abs(np.fft.rfft(values[:, :, 0] * weights, axis=1)) ** 2
    energies = np.stack([power[:, a:b].sum(axis=1) for a, b in pairwise(edges)], axis=1)
    above = 256 * np.log2(energies) - features[:, :4]
    # A spectral value here is some 10**4 to 10**6 and wrong by some counts: 0.5 steps, beside the logarithm's own 24.
    assert above.min() > -0.5
    assert above.max() < 24.5
    kept = power[:, edges[0] : edges[-1]]
    centroid = (kept * np.arange(edges[0], edges[-1])).sum(axis=1) / kept.sum(axis=1)
    np.testing.assert_allclose(features[:, -1] / 128, centroid, rtol=0, atol=1 / 128)


def test_a_tone_fills_its_own_band_and_sets_centroid_rms_and_span():
    frame, k = 128, 20
    tone = np.rint(1000 * np.cos(2 * np.pi * k * np.arange(frame) / frame)).astype(np.int32)
    low, own, high, rms, span, centroid = one(Bands(frame, 1, "rect", (1, 20, 21, 65)), tone)
    assert abs(own - 256 * np.log2((1000 * frame / 2) ** 2)) < 24
    assert max(low, high) < own - 10 * 256
    assert abs(rms - 256 * np.log2(frame * 1000**2 / 2)) < 24
    assert span == 2000
    assert abs(centroid - 128 * k) <= 1


def test_hann_window_keeps_a_tone_between_bins_out_of_far_bands():
    frame = 256
    tone = np.rint(20000 * np.cos(2 * np.pi * 30.5 * np.arange(frame) / frame)).astype(np.int32)
    far = {window: one(Bands(frame, 1, window, (80, 129)), tone)[0] for window in ("hann", "rect")}
    assert far["rect"] - far["hann"] > 256 * 10  # 30 dB


@pytest.mark.parametrize("frame", [16, 1024])
@pytest.mark.parametrize("window", ["hann", "rect"])
def test_bands_of_the_most_extreme_frames_stay_in_range(frame, window):
    spec = Bands(frame, 1, window, (0, 1, frame // 2, frame // 2 + 1))
    t = np.arange(frame)
    alternating = np.where(t % 2, LARGEST, -LARGEST)
    for x in (np.full(frame, LARGEST), np.full(frame, -LARGEST), alternating, np.zeros(frame, int)):
        features = one(spec, x)
        assert features == brute_force.features(spec, x.tolist())
        assert max(map(abs, features)) < 2**17
    assert one(spec, alternating)[-2] == LARGEST, "peak to peak saturates"
    assert one(spec, np.zeros(frame, int)) == [0] * 6


@pytest.mark.parametrize("frame", [2, 3, 16383, 16384])
def test_stats_of_the_most_extreme_frames_stay_in_range(frame):
    t = np.arange(frame)
    alternating, half = np.where(t % 2, LARGEST, -LARGEST), np.where(t < frame // 2, LARGEST, -LARGEST)
    for x in (np.full(frame, LARGEST), np.full(frame, -LARGEST), alternating, half):
        features = one(Stats(frame, 1), x)
        assert features == brute_force.features(Stats(frame, 1), x.tolist())
        assert max(map(abs, features)) < 2**17
    assert one(Stats(frame, 1), alternating)[STEP] == LARGEST, "the mean step saturates"


@pytest.mark.parametrize("spec", [Stats(10, 7), Bands(16, 5, "hann", (0, 3, 9))])
def test_frames_and_columns_are_where_their_names_say(spec):
    values = noise((3, 45, 2))
    together = extract(spec, values)
    assert together.dtype == np.int32
    assert together.shape == (3, n_frames(spec, 45), len(column_names(spec, ("x", "y"), RATE_HZ)))
    for window in range(3):
        for frame in range(n_frames(spec, 45)):
            part = values[window, frame * spec.hop : frame * spec.hop + spec.frame]
            expected = one(spec, part[:, 0]) + one(spec, part[:, 1])
            assert together[window, frame].tolist() == expected


def test_size_of_the_blocks_of_work_changes_nothing(monkeypatch):
    spec, values = Bands(16, 4, "hann", (1, 4, 9)), noise((5, 64, 3))
    whole = extract(spec, values)
    monkeypatch.setattr(extractors, "_BLOCK_VALUES", 100)
    np.testing.assert_array_equal(extract(spec, values), whole)


def test_no_windows_give_no_features():
    assert extract(Stats(8, 4), np.zeros((0, 16, 2), np.int32)).shape == (0, 3, 12)


def test_columns_are_named_by_channel_and_frequency():
    assert column_names(Bands(32, 8, "hann", (1, 4, 16)), ("x", "y"), RATE_HZ) == tuple(
        f"{channel}.{name}"
        for channel in "xy"
        for name in ("band0_50-200Hz", "band1_200-800Hz", "rms", "peak_to_peak", "centroid")
    )
    names = ("x.mean", "x.std", "x.min", "x.max", "x.energy", "x.mean_abs_diff")
    assert column_names(Stats(8, 4), ("x",), RATE_HZ) == names


@pytest.mark.parametrize("spec", [Stats(10, 7), Bands(16, 5, "rect", (0, 3, 9))])
def test_json_gives_back_the_extractor(spec):
    assert type(spec).from_json(spec.to_json()) == spec
    assert spec.to_json()["kind"] == spec.kind


def test_band_edges_by_hand():
    edges = {"frame": 64, "sample_rate_hz": 6400.0, "low_hz": 0.0, "high_hz": 3200.0}  # bins of 100 Hz
    assert band_edges(**edges, bands=1, spacing="equal") == (1, 32), "bin 0 is the mean"
    assert band_edges(**{**edges, "low_hz": 800.0}, bands=3, spacing="equal") == (8, 16, 24, 32)
    assert band_edges(**{**edges, "low_hz": 400.0}, bands=3, spacing="log") == (4, 8, 16, 32)
    assert band_edges(**{**edges, "high_hz": 9999.0}, bands=1, spacing="log") == (1, 33), "the highest bin is included"


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.sampled_from([16, 64, 1024]), st.sampled_from(["equal", "log"]), st.data())
def test_every_band_has_a_bin(frame, spacing, data):
    bands = data.draw(st.integers(1, frame // 2 - 1))
    edges = band_edges(frame, RATE_HZ, bands=bands, spacing=spacing, low_hz=0.0, high_hz=RATE_HZ / 2)
    assert len(edges) == bands + 1
    assert (edges[0], edges[-1]) == (1, frame // 2)
    assert np.diff(edges).min() >= 1


def test_more_bands_than_bins_are_refused():
    with pytest.raises(ConfigError, match=r"9 bands between 100 and 400 Hz, where there are 6 FFT bins"):
        band_edges(32, RATE_HZ, bands=9, spacing="log", low_hz=100.0, high_hz=400.0)


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda: Stats(1, 1), "a frame of 1 samples"),
        (lambda: Stats(16385, 1), "a frame of 16385 samples"),
        (lambda: Stats(4, 0), "a hop of 0 samples"),
        (lambda: Bands(8, 1, "hann", (1, 2)), "a frame of 8 samples"),
        (lambda: Bands(48, 1, "hann", (1, 2)), "a frame of 48 samples"),
        (lambda: Bands(2048, 1, "hann", (1, 2)), "a frame of 2048 samples"),
        (lambda: Bands(16, 1, "hamming", (1, 2)), "the window 'hamming'"),
        (lambda: Bands(16, 1, "hann", (1,)), r"the band edges \[1\]"),
        (lambda: Bands(16, 1, "hann", (3, 3)), r"the band edges \[3, 3\]"),
        (lambda: Bands(16, 1, "hann", (1, 10)), r"at most bin 9"),
        (lambda: n_frames(Stats(9, 1), 8), "at most the window of 8 samples"),
    ],
)
def test_extractor_outside_its_bounds_is_refused(make, found):
    with pytest.raises(ConfigError, match=found):
        make()
