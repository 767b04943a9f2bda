"""A sweep of two tiny jobs at a time: what it reuses, what it survives, and what it leaves."""

import json

import pytest
import yaml

from tests.pipeline.workspace import TINY, Workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
BEFORE_QUANTIZE = {"capture", "split", "features", "train"}


def sweep(workspace, *words):
    done = workspace.run("stages.sweep", "-m", *words, "hydra.sweep.dir=sweeps/test", MLFLOW_TRACKING_URI="none")
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(path.read_text()) for path in sorted((workspace.path / "sweeps/test").glob("*.json"))]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("sweep"), {"board": ["native"]})


def test_a_sweep_computes_what_its_jobs_share_once_and_is_resumed_and_adopted(workspace):
    words = ("quantize.calibration.windows=24,32", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    records = sweep(workspace, *words)
    assert [record["exit_code"] for record in records] == [0, 0]
    ran = [stage for record in records for stage in record["stages_run"]]
    assert {stage: ran.count(stage) for stage in BEFORE_QUANTIZE} == dict.fromkeys(BEFORE_QUANTIZE, 1)
    assert ran.count("quantize") == 2

    assert sweep(workspace, *words) == records

    best = workspace.run("stages.sweep", "apply", MLFLOW_TRACKING_URI="none")
    assert best.returncode == 0, best.stdout + best.stderr
    params = yaml.safe_load((workspace.path / "params.yaml").read_text())
    assert params in [record["params"] for record in records]
    assert workspace.stages_run(workspace.repro(MLFLOW_TRACKING_URI="none")) == []


def test_a_refused_and_a_failed_job_are_results_beside_one_that_is_released(tmp_path):
    workspace = Workspace(tmp_path, {"board": ["native"]}, base={**TINY, "quantize.ladder": ["ptq"]})
    words = "gate.limits.auc.min=0.0,1.0", "capture.sessions=30,1"
    records = {
        (each["chosen"]["gate.limits.auc.min"], each["chosen"]["capture.sessions"]): each
        for each in sweep(workspace, *words)
    }
    assert records[0.0, 30]["exit_code"] == 0
    assert records[1.0, 30]["exit_code"] == 3
    assert records[0.0, 1]["exit_code"] == records[1.0, 1]["exit_code"] == 2
