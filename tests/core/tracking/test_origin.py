"""Stages that one `dvc repro` executes agree on their pipeline, and on what it is of."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.core.tracking import origin

ROOT = Path(__file__).parents[3]
ASKS = "import dataclasses, json; from stages.core.tracking import origin; " + (
    "told = origin.pipeline(); print(json.dumps(told and dataclasses.asdict(told)))"
)
#: Runs its words twice, each through a shell as DVC does.
TWICE = "import subprocess, sys\nfor _ in range(2): subprocess.run(['sh', '-c', sys.argv[1] + '; true'], check=True)\n"


@pytest.fixture
def ask(place):
    (place / "dvc").write_text(TWICE)
    (place / "ask.py").write_text(ASKS)
    (place / "params.yaml").write_text("task: shock\noverrides:\n  train: {lr: 0.5}\n")

    def run(*command, **environment):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_stages_of_one_run_of_dvc_are_of_one_pipeline_and_those_of_another_are_not(ask):
    before = time.time() * 1000
    first, second = ask(sys.executable, "dvc", f"{sys.executable} ask.py", TAILGATE_SWEEP="abc/width=2/3")
    (other, _) = ask(sys.executable, "dvc", f"{sys.executable} ask.py")
    assert first == second
    assert first["id"] != other["id"]
    assert before - 1000 <= first["start_ms"] <= time.time() * 1000
    assert first["chosen"] == {"train.lr": "0.5"}
    assert (first["sweep"], first["job"], other["sweep"], other["job"]) == ("abc", "width=2/3", None, None)


def test_stage_started_by_hand_is_of_no_pipeline(ask):
    assert ask(sys.executable, "ask.py") == [None]


def test_commit_says_whether_its_files_were_changed_by_other_than_dvc(place):
    def git(*words):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], check=True, capture_output=True)

    assert origin.commit() is None
    git("init", "-q")
    for name in ("code.py", "dvc.lock"):
        Path(name).write_text("1")
    git("add", "-A")
    git("commit", "-qm", "first")
    Path("dvc.lock").write_text("2")
    clean = origin.commit()
    assert len(clean) == 40
    Path("code.py").write_text("2")
    assert origin.commit() == f"{clean}+"
