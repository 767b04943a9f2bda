"""The record of a stage: what is in it, that it is found by a hash, and that it may be missing."""

import hashlib
import subprocess
import sys

import pytest

from stages.core.tracking import track


@pytest.fixture
def store(tmp_path, monkeypatch):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return uri


def test_run_holds_parameters_metrics_by_step_and_is_found_by_the_hash_of_an_output(store, tmp_path):
    made = tmp_path / "made.json"
    made.write_text("{}")
    with track("train", {"lr": 0.01, "model": {"width": 8}}) as record:
        for epoch, loss in enumerate((0.5, 0.25)):
            record.metrics({"loss": loss}, step=epoch)
        record.artifact(made)

    import mlflow

    client = mlflow.MlflowClient(store)
    experiments = [each.experiment_id for each in client.search_experiments()]
    digest = hashlib.sha256(b"{}").hexdigest()
    (run,) = client.search_runs(experiments, f"tags.`sha256.made.json` = '{digest}'")
    assert (run.info.run_name, run.data.tags["stage"]) == ("train", "train")
    assert run.data.params == {"lr": "0.01", "model.width": "8"}
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.25)]
    assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["made.json"]


def test_stage_that_fails_is_not_recorded(store, tmp_path):
    with pytest.raises(ZeroDivisionError), track("train", {}):
        1 / 0  # noqa: B018
    assert not (tmp_path / "mlflow.db").exists()


def test_record_that_cannot_be_written_is_one_warning(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/file/mlflow.db")
    with pytest.warns(UserWarning, match="tracking: train was not recorded"), track("train", {}):
        pass


def test_nothing_is_recorded_nowhere_and_the_library_is_not_loaded():
    lines = [
        "import sys",
        "from stages.core.tracking import track",
        "with track('train', {}): pass",
        "assert 'mlflow' not in sys.modules",
    ]
    subprocess.run([sys.executable, "-W", "error", "-c", "\n".join(lines)], check=True)
