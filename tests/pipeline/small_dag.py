"""A pipeline of seconds, for tests of what runs pipelines: the real `configure`, and stages that stand for the others.

``python -m tests.pipeline.small_dag STAGE OUT`` is such a stage. What it writes is a function of the configuration.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import yaml

from tests.pipeline.workspace import Workspace

DAG = """
stages:
  configure:
    cmd: python -m stages.configure --params params.yaml --conf conf --out data/config.yaml
    deps: [params.yaml, conf]
    outs: [{data/config.yaml: {cache: false}}]
  train:
    cmd: python -m tests.pipeline.small_dag train models/train
    params: [{data/config.yaml: [seed, train]}]
    deps: [tests/pipeline/small_dag.py]
    outs: [models/train]
  quantize:
    cmd: python -m tests.pipeline.small_dag quantize models/quantize
    params: [{data/config.yaml: [quantize]}]
    deps: [models/train]
    outs: [models/quantize]
  validate:
    cmd: python -m tests.pipeline.small_dag validate models/validate
    params: [{data/config.yaml: [task, model]}]
    deps: [models/quantize]
    outs: [models/validate]
"""
#: Calibration windows with which `quantize` refuses, and fails.
REFUSED, FAILED = 666, 999


def small_workspace(path: Path, seconds: float = 1.0) -> Workspace:
    """Make a workspace whose `train` and `quantize` take so long of a processor each."""
    workspace = Workspace(path, {"train.weight_decay": seconds}, base={})
    (path / "dvc.yaml").write_text(DAG)
    for command in (["add", "-A"], ["commit", "-qm", "small"]):
        workspace.git(*command)
    return workspace


def work(stage: str, out: Path) -> None:
    """Run a stage."""
    config = yaml.safe_load(Path("data/config.yaml").read_text())
    windows = config["quantize"]["calibration"]["windows"]
    if stage != "validate":
        while time.process_time() < config["train"]["weight_decay"]:
            hashlib.sha256(bytes(1 << 20))
    if stage == "quantize" and windows in (REFUSED, FAILED):
        sys.exit({REFUSED: 3, FAILED: 2}[windows])
    out.mkdir(parents=True)
    text = json.dumps([config[section] for section in ("seed", "train", "quantize", "model")])
    (out / "content").write_text(hashlib.sha256(text.encode()).hexdigest())
    if stage == "quantize":
        separation = 2.0 - abs(config["train"]["lr"] - 0.003) * 100 + windows / 1000
        (out / "gate.json").write_text(json.dumps({"selected": "ptq"}))
        (out / "metrics.json").write_text(
            json.dumps({"scores": {"ptq": {"a": {"separation": separation, "auc": 0.9}}}})
        )
    if stage == "validate":
        arena = 100 * config["model"]["stem"]["channels"] + windows
        board = {"emulator": "qemu", "arena_bytes": arena, "flash_bytes": 3 * arena}
        (out / "device.json").write_text(
            json.dumps({"m4": {**board, "stream": {"most_instructions_per_window": 1e6 / arena}}})
        )


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]))
