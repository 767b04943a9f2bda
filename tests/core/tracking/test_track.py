"""The record of a stage: what is in it, that it is found by a hash, and that it may be missing."""

import hashlib
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

from stages.core.tracking import spool, track
from stages.core.tracking.delivery import deliver
from tests.core.tracking.conftest import database
from tests.core.tracking.records import runs

#: Nothing listens there.
DOWN = "http://127.0.0.1:9"


def write(path, content):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_run_holds_parameters_metrics_by_step_and_is_found_by_the_hash_of_an_output(client):
    with track("train", {"lr": 0.01, "model": {"width": 8}}, Path("models/train")) as record:
        for epoch, loss in enumerate((0.5, 0.25)):
            record.metrics({"loss": loss}, step=epoch)
        record.hashes({"graph_hash": "ab" * 32})
        write("models/train/deep/made.json", b"{}")
        write("models/train/weights.bin", b"w")
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in (("json", b"{}"), ("bin", b"w"))}
    experiments = [each.experiment_id for each in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"tags.`sha256.{digests['json']}` = 'models/train/deep/made.json'")
    assert run.data.tags[f"sha256.{digests['bin']}"] == "models/train/weights.bin"
    assert run.data.tags[f"hash.{'ab' * 32}"] == "graph_hash"
    assert (run.info.run_name, run.data.tags["stage"], run.info.status) == ("train", "train", "FINISHED")
    assert run.data.params == {"lr": "0.01", "model.width": "8"}
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(0, 0.5), (1, 0.25)]
    assert [each.path for each in client.list_artifacts(run.info.run_id, "train/deep")] == ["train/deep/made.json"]
    assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["train"]
    assert spool.waiting() == []


def test_stage_that_fails_is_recorded_with_its_error_and_what_it_had_measured(client):
    with pytest.raises(ZeroDivisionError), track("train", {"lr": 1}, Path("models/train")) as record:
        record.metrics({"loss": 0.5})
        1 / 0  # noqa: B018
    run = runs(client)["train"]
    assert (run.info.status, run.data.tags["error"]) == ("FAILED", "division by zero")
    assert (run.data.params, run.data.metrics) == ({"lr": "1"}, {"loss": 0.5})


def test_stage_that_fails_is_not_said_to_have_made_what_lay_there_and_is_of_what_it_made(client):
    write("models/quantize/gate.json", b"{}")
    time.sleep(0.05)
    with pytest.raises(ValueError, match="no"), track("quantize", {}, Path("models/quantize")):
        raise ValueError("no")
    with pytest.raises(ValueError, match="yes"), track("judge", {}, Path("models/quantize")):
        write("models/quantize/gate.json", b"{}")
        raise ValueError("yes")
    hashed = {name: [key for key in run.data.tags if key.startswith("sha256.")] for name, run in runs(client).items()}
    assert hashed == {"quantize": [], "judge": [f"sha256.{hashlib.sha256(b'{}').hexdigest()}"]}


def test_stage_that_fails_fails_with_its_own_error_whatever_becomes_of_its_record(place):
    (place / ".tracking").touch()
    (place / "empty").mkdir()
    with pytest.warns(UserWarning, match="not recorded"), pytest.raises(ZeroDivisionError):  # noqa: SIM117
        with track("train", {}, Path("empty"), Path("missing")):
            1 / 0  # noqa: B018


def test_parameters_are_bounded_and_what_was_cut_is_said(client):
    with track("train", {"long": "x" * 900, **{f"p{number}": number for number in range(450)}}):
        pass
    run = runs(client)["train"]
    assert len(run.data.params) == 400
    assert run.data.params["long"] == "x" * 499 + "…"
    assert run.data.tags["left_out"] == "51 parameters beyond 400 and the ends of 1 values beyond 500 characters"


def test_names_that_mlflow_refuses_are_made_to_fit(client):
    with track("train", {"größe/%": 1}) as record:
        record.metrics({"loss at 1 %": 0.5, "a/b": 1.0})
    run = runs(client)["train"]
    assert run.data.params == {"größe__": "1"}
    assert run.data.metrics == {"loss at 1 _": 0.5, "a_b": 1.0}


def test_workspace_knows_how_long_the_last_run_of_a_stage_took(client):
    before = time.time()
    with track("train", {}):
        time.sleep(0.1)
    last = json.loads(Path(".tracking/last/train.json").read_text())
    assert (last["stage"], last["status"], last["pipeline"]) == ("train", "FINISHED", None)
    assert before * 1000 - 1 <= last["start_ms"] <= last["end_ms"] - 100


def test_record_waits_while_the_server_is_down_and_is_then_sent_once(client, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DOWN)
    with pytest.warns(UserWarning, match="took no record") as warned, track("train", {}, Path("out")) as record:
        write("out/page.html", b"first")
        record.metrics({"loss": 0.5})
    assert len(warned) == 1
    (folder,) = spool.waiting()
    # What was made since does not become part of the record.
    write("out/page.html", b"second")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database(Path.cwd()))
    assert (deliver(), deliver(), spool.waiting()) == (1, 0, [])
    assert not folder.exists()
    run = runs(client)["train"]
    assert Path(client.download_artifacts(run.info.run_id, "out/page.html", ".")).read_bytes() == b"first"
    assert abs(run.info.start_time / 1000 - time.time()) < 60


def test_next_stage_sends_what_waits_in_the_order_it_happened(client, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DOWN)
    for stage in ("capture", "split"):
        with pytest.warns(UserWarning, match="wait"), track(stage, {}):
            time.sleep(0.01)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database(Path.cwd()))
    with track("features", {}):
        pass
    ordered = sorted(runs(client).values(), key=lambda run: run.info.end_time)
    assert [run.info.run_name for run in ordered] == ["capture", "split", "features"]


def test_record_that_cannot_even_be_kept_is_one_warning(place):
    (place / ".tracking").touch()
    with pytest.warns(UserWarning, match="tracking: train was not recorded") as warned, track("train", {}):
        pass
    assert len(warned) == 1


def test_stage_of_a_sweep_leaves_its_record_where_the_sweep_says(place, monkeypatch):
    monkeypatch.setenv("TAILGATE_SWEEP", "abc/job")
    monkeypatch.setenv("TAILGATE_TRACKING", str(place / "project"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DOWN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with track("train", {}):
            pass
    (folder,) = spool.waiting()
    assert folder.is_relative_to(place / "project/unsent")
    assert Path(".tracking/last/train.json").is_file()


def test_nothing_is_recorded_nowhere_and_the_library_is_not_loaded(place, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "none")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    lines = [
        "import sys",
        "from stages.core.tracking import track",
        "with track('train', {}): pass",
        "assert 'mlflow' not in sys.modules",
    ]
    subprocess.run([sys.executable, "-W", "error", "-c", "\n".join(lines)], check=True)
    assert list(place.iterdir()) == []
