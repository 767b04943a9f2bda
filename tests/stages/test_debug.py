"""The command `debug` on artifacts of a finished run: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from stages.core.graph.export import export_onnx
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from stages.core.recordings.windows import write_windows
from tests.core.graph.networks import SCALE, ds_cnn, windows

ROOT = Path(__file__).parents[2]
CHANNELS, LENGTH, N = 2, 128, 60


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Artifacts of a tiny run, and the output of the command on them."""
    folder = tmp_path_factory.mktemp("debug")
    for name in ("split", "features", "quantize"):
        (folder / name).mkdir()
    model, codes = ds_cnn(CHANNELS), windows(N, CHANNELS, LENGTH)
    models = {"float": model, "ptq": ptq(ds_cnn(CHANNELS), codes, QuantOptions(SCALE))}
    for name, module in models.items():
        (folder / "quantize" / f"{name}.onnx").write_bytes(export_onnx(module, CHANNELS, LENGTH, SCALE))
    (folder / "quantize/gate.json").write_text(json.dumps({"selected": None, "rungs": {"ptq": []}}))
    labels = {"kind": "ordered", "classes": ["ok", "bad"], "min_overlap": 0.5}
    (folder / "config.yaml").write_text(yaml.safe_dump({"labels": labels}))
    part = np.repeat(["train", "val"], [10, N - 10])
    index = pd.DataFrame({"session_id": "s", "group_id": "g", "condition": "c", "state": "x", "part": part})
    write_windows(folder / "split/windows.parquet", index.assign(start=0, label=np.arange(N) % 2))
    np.save(folder / "features/codes.npy", np.ascontiguousarray(codes.transpose(0, 2, 1)))
    (folder / "features/contract.json").write_text(json.dumps({"hop": LENGTH, "sample_rate_hz": 100.0}))
    return folder


def run(folder, *more):
    paths = {name: folder / name for name in ("split", "features", "quantize", "out")} | {
        "config": folder / "config.yaml"
    }
    words = [str(word) for name, path in paths.items() for word in (f"--{name}", path)]
    return subprocess.run(
        [sys.executable, "-m", "stages.debug", *words, *more], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_table_names_every_layer_and_the_files_hold_the_same(workspace):
    done = run(workspace, "--windows", "20")
    assert done.returncode == 0, done.stderr
    found = json.loads((workspace / "out/debug.json").read_text())
    layers = [reason["noise"]["layer"] for reason in found["reasons"]]
    assert found["rung"] == "ptq" and found["windows"] == 20
    assert sorted(layers) == sorted(
        ["stem", *(f"block{k}_{part}" for k in (0, 1) for part in ("depthwise", "pointwise")), "pool", "head"]
    )
    shown = [line.split("│")[1].strip() for line in done.stdout.splitlines() if line.startswith("│")]
    assert shown == layers
    assert f"leaving {layers[0]} in float heals" in done.stdout.splitlines()[-1]
    assert (workspace / "out/debug.png").read_bytes().startswith(b"\x89PNG")


def test_missing_rung_is_said_in_one_paragraph(workspace):
    done = run(workspace, "--rung", "qat")
    assert done.returncode == 2
    assert "qat.onnx" in done.stderr and "Traceback" not in done.stderr
