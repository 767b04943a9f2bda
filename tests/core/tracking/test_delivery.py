"""What MLflow is told: whole, once, and as a tree of sweeps, pipelines and stages."""

import warnings
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from stages.core.release.registry import register
from stages.core.tracking import delivery, spool
from stages.core.tracking.record import Pipeline
from tests.core.tracking.records import BEGAN_MS, PIPELINE, runs, stage_record


class Unreliable:
    """A client that loses the connection at one of its requests, before or after it was carried out."""

    def __init__(self, client, fails_at, late):
        self._client, self._left, self._late = client, fails_at, late

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self._left -= 1
            if self._left == 0 and not self._late:
                raise ConnectionError(name)
            answer = getattr(self._client, name)(*args, **kwargs)
            if self._left == 0:
                raise ConnectionError(name)
            return answer

        return call


@pytest.fixture
def losing(client, place, monkeypatch):
    """Delivers two records twice, the first time over a connection that is lost; checks what came of them."""
    page = place / "page.html"
    page.write_text("page")

    def deliver(fails_at, late):
        name = f"try {fails_at} {late}"
        experiment = client.create_experiment(name, artifact_location=(place / name).as_uri())
        monkeypatch.setenv("TAILGATE_TRACKING", name)
        monkeypatch.setattr(delivery, "experiment", lambda _: experiment)
        monkeypatch.setattr(delivery, "connect", lambda: Unreliable(client, fails_at, late))
        spool.put(stage_record("train", 0), {"train/page.html": page})
        spool.put(stage_record("quantize", 1), {})
        try:
            was_lost = delivery.deliver() != 2
        except ConnectionError:
            was_lost = len(spool.waiting()) > 0
            monkeypatch.setattr(delivery, "connect", lambda: client)
            delivery.deliver()
        found = {run.info.run_name: run.info for run in client.search_runs([experiment])}
        assert sorted(found) == ["quantize", "train", "vibration c0ffeec"]
        assert [run.status for run in found.values()] == ["FINISHED"] * 3
        history = client.get_metric_history(found["train"].run_id, "loss")
        assert [point.value for point in history] == [1, 1 / 2, 1 / 3]
        assert [each.path for each in client.list_artifacts(found["train"].run_id, "train")] == ["train/page.html"]
        assert spool.waiting() == []
        return was_lost

    return deliver


@pytest.mark.parametrize("fails_at", [3, 6, 9, 12])
def test_connection_lost_half_way_leaves_no_run_twice_and_none_out(losing, fails_at):
    assert losing(fails_at, late=False)


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_connection_lost_at_any_request_leaves_no_run_twice_and_none_out(losing, late):
    requests = next(number for number in count(1) if not losing(number, late)) - 1
    assert requests > 20


def test_pipeline_is_the_parent_of_its_stages_and_ends_with_the_last(client):
    for number, stage in enumerate(("capture", "train")):
        spool.put(stage_record(stage, number), {})
    spool.put(stage_record("release", 9, pipeline=None), {})
    assert delivery.deliver() == 3
    found = runs(client)
    parent = found["vibration c0ffeec"]
    tags = {name: run.data.tags.get("mlflow.parentRunId") for name, run in found.items()}
    run_id = parent.info.run_id
    assert tags == {"vibration c0ffeec": None, "capture": run_id, "train": run_id, "release": None}
    assert (parent.info.start_time, parent.info.end_time) == (BEGAN_MS, BEGAN_MS + 1900)
    assert (parent.info.status, parent.data.tags["task"]) == ("FINISHED", "vibration")
    assert parent.data.tags["mlflow.source.git.commit"].startswith("c0ffee")
    assert parent.data.metrics == {"auc": 0.51}
    assert parent.data.params == {"train.epochs": "3"}


def test_pipeline_whose_stage_failed_has_failed(client):
    spool.put(stage_record("train", 0), {})
    spool.put(stage_record("quantize", 1, error="refused"), {})
    delivery.deliver()
    assert runs(client)["vibration c0ffeec"].info.status == "FAILED"


def test_sweep_is_the_parent_of_its_jobs_and_is_not_failed_by_one(client):
    for number in range(2):
        pipeline = Pipeline(f"job{number}", BEGAN_MS, {}, "9f8e", f"width={number}")
        error = "refused" if number else None
        spool.put(stage_record("train", number, pipeline=pipeline, error=error), {})
    delivery.deliver()
    found = runs(client)
    parents = {name: run.data.tags.get("mlflow.parentRunId") for name, run in found.items() if name != "train"}
    sweep = found["sweep 9f8e"].info
    assert parents == {"sweep 9f8e": None, "width=0": sweep.run_id, "width=1": sweep.run_id}
    assert [found[name].info.status for name in ("width=0", "width=1")] == ["FINISHED", "FAILED"]
    assert (sweep.status, sweep.end_time) == ("FINISHED", BEGAN_MS + 1900)


def test_record_that_mlflow_refuses_is_set_aside_and_the_next_is_sent(client):
    spool.put(stage_record("train", 0, metrics=[("100 %", 1.0, BEGAN_MS, 0)]), {})
    spool.put(stage_record("quantize", 1), {})
    with pytest.warns(UserWarning, match="cannot be sent, now or later"):
        assert delivery.deliver() == 1
    assert spool.waiting() == []
    assert [path.name for path in Path(".tracking/refused").iterdir()] == [stage_record("train", 0).id]


def test_record_that_nobody_can_read_is_set_aside_and_the_next_is_sent(client):
    for number, stage in enumerate(("train", "quantize")):
        spool.put(stage_record(stage, number), {})
    (spool.waiting()[0] / "record.json").write_text('{"stage": "train"}')
    with pytest.warns(UserWarning, match="cannot be sent, now or later"):
        assert delivery.deliver() == 1
    assert spool.waiting() == []


def test_files_of_the_same_content_share_a_tag_and_thousands_are_sent(client):
    outputs = {f"data/capture/{number}.npy": f"{number // 2:064x}" for number in range(700)}
    spool.put(stage_record("capture", outputs=outputs), {})
    delivery.deliver()
    tags = {key: value for key, value in runs(client)["capture"].data.tags.items() if key.startswith("sha256.")}
    assert len(tags) == 350
    assert tags[f"sha256.{0:064x}"] == "data/capture/0.npy, data/capture/1.npy"


def test_release_is_registered_once_under_the_run_that_made_its_manifest(client, monkeypatch):
    spool.put(stage_record("release", outputs={"models/release/manifest.json": "aa" * 32}), {})
    tags = {"manifest_sha256": "aa" * 32, "release_id": "1.0.0+abc"}
    register("vibration", "git:/c0ffee", tags, {"bundle.bin": b""})
    (version,) = client.search_model_versions("name = 'tailgate-vibration'")
    assert version.run_id == runs(client)["release"].info.run_id
    assert version.source == "git:/c0ffee"
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert {**tags, f"sha256.{empty}": "bundle.bin"}.items() <= version.tags.items()
    again = replace(stage_record("release"), pipeline=replace(PIPELINE, id="another"))
    spool.put(again, {})
    delivery.deliver()
    assert len(client.search_model_versions("name = 'tailgate-vibration'")) == 1


def test_who_does_not_get_to_send_leaves_the_records_to_who_does(client, monkeypatch):
    monkeypatch.setattr(spool, "_PATIENCE_S", 0.2)
    spool.put(stage_record(), {})
    with warnings.catch_warnings(), spool.sole_sender() as alone:
        warnings.simplefilter("error")
        assert alone
        assert delivery.deliver() == 0
    assert len(spool.waiting()) == 1
    assert delivery.deliver() == 1


def test_record_removed_half_is_not_sent_again(client):
    spool.put(stage_record(), {})
    (folder,) = spool.waiting()
    folder.rename(folder.with_suffix(".sent"))
    assert spool.waiting() == []
    spool.put(stage_record("quantize", 1), {})
    assert delivery.deliver() == 1
    assert list(Path(".tracking/unsent").iterdir()) == []
