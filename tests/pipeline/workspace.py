"""A copy of the project to run the pipeline in, with a task small enough for a test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline.imports import ROOT

ARM_TOOLS = ("arm-none-eabi-gcc", "qemu-system-arm")
HAS_ARM_TOOLS = all(shutil.which(tool) for tool in ARM_TOOLS)

#: Small in every direction. The limits are those of a network trained for seconds, not of a release.
TINY: dict[str, Any] = {
    "capture.sessions": 30,
    "capture.duration_s": 1.0,
    "window.hop": 1024,
    "train.epochs": 3,
    "quantize.calibration.windows": 32,
    "quantize.qat.epochs": 2,
    "gate.limits.auc.min": 0.0,
    "gate.limits.auc_drop.max": 0.5,
    "gate.limits.tpr_at_fpr_1_drop": None,  # there are fewer than 100 healthy windows
    "gate.limits.tpr_at_fpr_5_drop.max": 1.0,
    "gate.limits.fpr_drift": {"min": -1.0, "max": 1.0},
    "gate.limits.separation_retention": None,
    "gate.limits.compression": {"min": -100.0, "max": 100.0},
    "gate.limits.wasserstein_healthy.max": 100.0,
    "gate.limits.wasserstein_anomalous.max": 100.0,
    "gate.limits.codes_above_threshold.min": 0,
    "gate.bootstrap.resamples": 100,
    "validate.board_windows": 8,
    "validate.rung_windows": 4,
    "validate.repeats": 2,
    "validate.replay_faults": ["dropped_blocks"],
    "validate.max_refused": 1.0,  # the gate's limits are those of 216 windows, which sound ones go beyond
}


class Workspace:
    """A fresh copy of the project's files under git, as a clone would be."""

    def __init__(
        self,
        path: Path,
        overrides: dict[str, Any] | None = None,
        task: str = "vibration",
        base: dict[str, Any] = TINY,
    ) -> None:
        self.path = path
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, path / name)
        (path / "dvc.lock").unlink(missing_ok=True)
        self.choose({**base, **(overrides or {})}, task)
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "workspace"]):
            self.git(*command)

    def git(self, *words: str) -> None:
        """Run git in the workspace."""
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], cwd=self.path, check=True)

    def choose(self, overrides: dict[str, Any], task: str = "vibration") -> None:
        """Write params.yaml."""
        if not HAS_ARM_TOOLS:
            overrides = {**overrides, "board": ["native"]}
        (self.path / "params.yaml").write_text(yaml.safe_dump({"task": task, "overrides": overrides}))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m <command>` in the workspace."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.path,
            env={**os.environ, "PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def repro(self, *arguments: str, **environment: str) -> str:
        """Run `dvc repro` and return what it printed; fail the test with all of it if it fails."""
        result = self.run("dvc", "repro", *arguments, **environment)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    @staticmethod
    def stages_run(printed: str) -> list[str]:
        """Names of the stages that a `dvc repro` ran."""
        return [line.split("'")[1] for line in printed.splitlines() if line.startswith("Running stage")]

    def run_stage(self, stage: str, paths: dict[str, Path], **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one stage as dvc.yaml says, with some of its paths exchanged."""
        words = yaml.safe_load((self.path / "dvc.yaml").read_text())["stages"][stage]["cmd"].split()[2:]
        for option, path in paths.items():
            words[words.index(option) + 1] = str(path)
        return self.run(*words, **environment)

    def config_for_boards(self, boards: list[str]) -> str:
        """The workspace's data/config.yaml with only some boards."""
        config = yaml.safe_load((self.path / "data/config.yaml").read_text())
        config["board"] = {name: config["board"][name] for name in boards}
        return yaml.safe_dump(config)
