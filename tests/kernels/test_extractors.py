"""The extractors in C against their numpy definition, over the whole range of values and not only what sensors give."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from stages.core.dsp.extractors import MAX_STATS_FRAME, Bands, Stats, extract
from stages.core.dsp.fft import cosine_table
from tests.core.device.boards import need_tools
from tests.kernels.test_kernels import BUILDS, STRICT

LARGEST = 2**17 - 1
STATS_FRAMES = [2, 3, 4, 5, 100, 1000, MAX_STATS_FRAME - 1, MAX_STATS_FRAME]
FFT_FRAMES = [2**k for k in range(4, 11)]


@pytest.fixture(scope="module", params=sorted(BUILDS))
def runner(request, tmp_path_factory):
    need_tools("native")
    binary = tmp_path_factory.mktemp("extractors") / "runner"
    source = Path(__file__).with_name("extractor_runner.c")
    subprocess.run(["gcc", *STRICT, *BUILDS[request.param], source, "-o", binary], check=True)

    def run(cases: list[bytes]) -> np.ndarray:
        done = subprocess.run([binary], input=b"".join(cases), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return np.frombuffer(done.stdout, np.int32)

    return run


def frames(n: int, seed: int) -> np.ndarray:
    """Noise of every loudness, constants, impulses, square waves between the ends of the range; one frame per row."""
    rng = np.random.Generator(np.random.PCG64([n, seed]))
    t = np.arange(n)
    noise = [rng.integers(-bound, bound, n, endpoint=True) for bound in (1, 30, 2000, 65535, LARGEST)]
    squares = [np.where((t // width) % 2, LARGEST, -LARGEST) for width in (1, 2, max(n // 2, 1))]
    tone = np.where(np.cos(2 * np.pi * rng.integers(0, n // 2 + 1) * t / n) >= 0, LARGEST, -LARGEST)
    impulse = np.where(t == rng.integers(n), -LARGEST, 0)
    constants = [np.full(n, value) for value in (LARGEST, -LARGEST, 0, -1)]
    return np.array([*noise, *squares, tone, impulse, *constants], dtype=np.int32)


def case(spec: Bands | Stats, frame: np.ndarray) -> bytes:
    if isinstance(spec, Stats):
        return np.array([-1, spec.frame, 0], np.int32).tobytes() + frame.tobytes()
    fields = np.array([len(spec.edges) - 1, spec.frame, spec.window == "hann"], np.int32)
    return b"".join(a.tobytes() for a in (fields, frame, cosine_table(spec.frame), np.array(spec.edges, np.uint16)))


def check(runner, spec: Bands | Stats, rows: np.ndarray) -> np.ndarray:
    features = extract(spec, rows[:, :, np.newaxis])[:, 0]
    np.testing.assert_array_equal(runner([case(spec, row) for row in rows]).reshape(features.shape), features)
    assert np.abs(features).max() < 2**17
    return features


@pytest.mark.parametrize("frame", STATS_FRAMES)
def test_stats_equal_numpy_and_saturate(runner, frame):
    features = check(runner, Stats(frame, 1), frames(frame, 0))
    assert features[:, -1].max() == LARGEST


@pytest.mark.parametrize("frame", FFT_FRAMES)
@pytest.mark.parametrize("window", ["hann", "rect"])
def test_bands_equal_numpy_and_saturate(runner, frame, window):
    rng = np.random.Generator(np.random.PCG64(frame))
    for seed in range(3):
        inner = rng.choice(np.arange(1, frame // 2 + 1), 4, replace=False)
        spec = Bands(frame, 1, window, (0, *np.sort(inner).tolist(), frame // 2 + 1))
        features = check(runner, spec, frames(frame, seed))
        assert features[:, -2].max() == LARGEST


def test_a_band_may_be_one_bin_and_the_bands_part_of_the_spectrum(runner):
    check(runner, Bands(64, 1, "hann", (7, 8)), frames(64, 4))
    check(runner, Bands(64, 1, "rect", (32, 33)), frames(64, 4))
