"""A tiny pipeline is on record as a tree, and its images lead back to the run that converted their model."""

import hashlib
import json

import pytest

from tests.pipeline.imports import read_dag
from tests.pipeline.workspace import HAS_ARM_TOOLS, Workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not HAS_ARM_TOOLS, reason="the Arm compiler or QEMU is not installed"),
]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("recorded"))
    workspace.repro(MLFLOW_TRACKING_URI="")
    return workspace


@pytest.fixture(scope="module")
def runs(recorded):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{recorded.path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("tailgate")
    return client.search_runs([experiment.experiment_id])


def found(workspace, what):
    done = workspace.run("stages.find", str(what), MLFLOW_TRACKING_URI="")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_stage_is_a_run_under_its_pipeline_with_all_files_that_it_made(recorded, runs):
    (parent,) = [run for run in runs if run.data.tags["stage"] == "pipeline"]
    stages = {run.info.run_name: run for run in runs if run is not parent}
    assert set(stages) == set(read_dag()["stages"])
    assert {run.data.tags["mlflow.parentRunId"] for run in stages.values()} == {parent.info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert (parent.data.tags["task"], parent.data.params["train.epochs"]) == ("vibration", "3")
    assert parent.data.metrics["arena_bytes"] > 0
    manifest = json.loads((recorded.path / "models/release/manifest.json").read_text())
    tags = {key: value for run in stages.values() for key, value in run.data.tags.items()}
    missing = [
        each["path"]
        for each in manifest["artifacts"]
        if each["path"] not in tags.get(f"sha256.{each['sha256']}", "").split(", ")
    ]
    # Files of the same content in two stages share a key here.
    assert all("convert" in path or "quantize" in path for path in missing), missing


@pytest.mark.parametrize("board", ["native", "mps2_an386", "mps3_an547"])
def test_image_leads_to_the_run_that_built_it_and_to_the_one_that_converted_its_model(recorded, runs, board):
    by_stage = {run.data.tags["stage"]: run.info.run_id for run in runs}
    image = recorded.path / "models/build" / board / "app.elf"
    version = json.loads((recorded.path / "models/convert/contract.json").read_text())["model_version"]
    printed = found(recorded, image)
    assert f"model version in the image: {version}" in printed
    assert by_stage["build"] in printed
    assert by_stage["convert"] in printed
    # The version is that of the ONNX file, by an independent hash.
    assert hashlib.sha256((recorded.path / "models/convert/model.onnx").read_bytes()).hexdigest() == version


def test_bundle_leads_to_its_release_and_its_conversion(recorded, runs):
    by_stage = {run.data.tags["stage"]: run.info.run_id for run in runs}
    printed = found(recorded, recorded.path / "models/release/bundle.bin")
    assert by_stage["release"] in printed
    assert by_stage["convert"] in printed
