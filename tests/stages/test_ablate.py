"""The command `ablate`: what it writes, and that what is finished is not done again."""

from __future__ import annotations

import argparse
import json

import numpy as np
import pandas as pd
import pytest
import yaml

from stages import ablate
from stages.core.dsp.contract import INPUT_SCALE
from stages.core.graph.export import export_onnx
from stages.core.quant.effects import FACTORS
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from stages.core.recordings.windows import write_windows
from tests.core.quant.test_ablation import CHANNELS, LENGTH, part, recipe

PARTS = ("train", "val", "test")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """What `configure`, `split` and `features` left."""
    folder = tmp_path_factory.mktemp("ablate")
    for name in ("split", "features"):
        (folder / name).mkdir()
    examples = [part(seed, n=120) for seed in range(3)]
    n = len(examples[0].labels)
    index = pd.DataFrame({"part": np.repeat(PARTS, n), "label": np.concatenate([each.labels for each in examples])})
    identity = {"session_id": "s", "group_id": "g", "condition": "c", "state": "x", "start": 0}
    write_windows(folder / "split/windows.parquet", index.assign(**identity))
    np.save(folder / "features/codes.npy", np.concatenate([each.codes for each in examples]))
    (folder / "features/contract.json").write_text(json.dumps({"hop": LENGTH, "sample_rate_hz": 100.0}))
    (folder / "config.yaml").write_text(yaml.safe_dump({"task": "demo"} | recipe().model_dump(mode="json")))
    return folder


@pytest.fixture
def counted(monkeypatch):
    """Count what is quantised; a network is quantised for each calibration set, and stands for all cells of it."""
    made, models = [], {}

    def quantise(settings, cell, seed, model, rows, parts):
        made.append((seed, cell))
        key = (seed, cell.calibration)
        if key not in models:
            converted = ptq(model, parts.train.planes[rows], QuantOptions(INPUT_SCALE))
            models[key] = export_onnx(converted, CHANNELS, LENGTH, INPUT_SCALE)
        return models[key]

    monkeypatch.setattr(ablate, "quantise", quantise)
    return made


def run(inputs, out, seeds=2):
    paths = {name: inputs / name for name in ("capture", "split", "features")}
    return ablate.main(
        argparse.Namespace(config=inputs / "config.yaml", out=out, seeds=seeds, jobs=1, **paths),
    )


def test_a_second_run_repeats_nothing_and_writes_the_same_bytes(inputs, counted, tmp_path):
    line = run(inputs, tmp_path / "out", seeds=1)
    assert line.startswith("ablate: 16 combinations and seeds, 16 of them new;")
    assert len(set(counted)) == len(counted) == 16
    names = ["ablation.json", "ablation.md", "effects.png", "scores.png"]
    before = [(tmp_path / "out" / name).read_bytes() for name in names]
    assert " 0 of them new;" in run(inputs, tmp_path / "out", seeds=1)
    assert len(counted) == 16
    assert [(tmp_path / "out" / name).read_bytes() for name in names] == before

    found = json.loads((tmp_path / "out/ablation.json").read_text())
    assert len(found["outcomes"]) == 16
    gains = {
        effect["factor"]: effect["gain"]["mean"]
        for effect in found["rankings"]["bad, either score"]["auc_drop"]["effects"]
    }
    assert set(gains) == set(FACTORS)
    # The stand-ins differ by their calibration set alone.
    assert [gains[factor] for factor in ("weights", "method", "score")] == [0, 0, 0]

    lost = next((tmp_path / "out/work").glob("*/seed1/near_threshold-per_channel-qat-int32"))
    for file in lost.iterdir():
        file.unlink()
    lost.rmdir()
    assert " 1 of them new;" in run(inputs, tmp_path / "out", seeds=1)
    assert [(tmp_path / "out" / name).read_bytes() for name in names] == before


def test_another_configuration_starts_anew(inputs, tmp_path):
    paths = argparse.Namespace(split=inputs / "split", features=inputs / "features")
    settings = recipe()
    changed = settings.model_copy(update={"quantize": settings.quantize.model_copy(update={"observer": "histogram"})})
    assert ablate.identity(paths, settings) == ablate.identity(paths, recipe())
    assert ablate.identity(paths, settings) != ablate.identity(paths, changed)
