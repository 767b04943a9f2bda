"""Baselines against scikit-learn itself and hand-computed windows."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from stages.core.nets.baselines import Logistic, describe, energy


def windows(n_windows=60, seed=0):
    rng = np.random.default_rng(seed)
    loud = np.arange(n_windows) % 2
    codes = rng.normal(0, 10 + 20 * loud[:, None, None], (n_windows, 64, 2))
    return np.clip(codes, -128, 127).astype(np.int8), loud.astype(np.int8)


def test_energy_is_the_log_mean_square():
    codes = np.array([[[3], [-4]], [[0], [0]]], dtype=np.int8)
    np.testing.assert_allclose(energy(codes), np.log([12.5 + 0.25, 0.25]))


def test_features_do_not_depend_on_the_block_they_are_computed_in():
    codes, _ = windows(1100)
    np.testing.assert_array_equal(describe(codes)[700:710], describe(codes[700:710]))


def test_band_energy_finds_the_band_of_a_sine():
    time = np.arange(64)
    sine = np.rint(100 * np.sin(2 * np.pi * 20 * time / 64)).astype(np.int8)[None, :, None]
    bands = describe(sine)[0, 3:]
    assert bands.shape == (16,)
    assert bands.argmax() == 9  # bins 19 and 20 of 1..32, two to a band


def test_logistic_scores_as_scikit_learn_does_and_survives_json():
    codes, labels = windows()
    features = describe(codes)
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(class_weight="balanced", max_iter=2000, tol=1e-10)  # another solver
    model.fit(scaler.transform(features), labels)
    ours = Logistic.from_json(json.loads(json.dumps(Logistic.fit(features, labels).to_json())))
    assert ours.score(features) == pytest.approx(model.decision_function(scaler.transform(features)), rel=1e-4)


#: What glibc then does without, as on a processor that does not have it.
OLDER_PROCESSOR = "glibc.cpu.hwcaps=-AVX2,-FMA,-AVX2_Usable,-FMA_Usable,-AVX512F,-AVX512VL"
FIT = """
import json, numpy as np
from stages.core.nets.baselines import Logistic, describe, energy
rng = np.random.Generator(np.random.PCG64(3))
amplitude = rng.uniform(1, 40, (2000, 1, 1))
codes = np.clip(np.rint(amplitude * rng.normal(size=(2000, 256, 1))), -128, 127).astype(np.int8)
described = describe(codes)
labels = (amplitude[:, 0, 0] + rng.normal(0, 5, 2000) > 20).astype(np.int8)
fitted = Logistic.fit(described, labels)
print(json.dumps([fitted.to_json(), energy(codes).tolist(), fitted.score(described).tolist()]))
"""


def test_baselines_are_the_same_with_the_math_library_of_another_processor():
    fits = []
    for more in ({}, {"GLIBC_TUNABLES": OLDER_PROCESSOR}):
        command = [sys.executable, "-c", FIT]
        fits.append(subprocess.run(command, env={**os.environ, **more}, capture_output=True, check=True).stdout)
    assert fits[0] == fits[1]
