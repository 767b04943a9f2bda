"""A real server with PostgreSQL: files go through it, it may be down, and its pages show what ran."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stages.core.release.registry import register
from stages.core.tracking import delivery, spool
from stages.core.tracking.lookup import Clue, search
from tests.browser import CHROMIUM, visit
from tests.core.tracking.records import BEGAN_MS, PIPELINE, runs, stage_record
from tests.core.tracking.servers import POSTGRES, free_port, mlflow_server, postgres

ROOT = Path(__file__).parents[3]
#: Of the table of runs; a button in each opens what is under it.
_ROWS = "[...document.querySelectorAll('[role=row]')]"
CONFIGURE = ("stages.configure", "--params", "params.yaml", "--conf", str(ROOT / "conf"), "--out")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(POSTGRES is None, reason="there is no PostgreSQL under /usr/lib/postgresql"),
]


@pytest.fixture(scope="module")
def down_then_up(tmp_path_factory):
    """What a stage did while the server was down, and the server."""
    place = tmp_path_factory.mktemp("workspace")
    artifacts = tmp_path_factory.mktemp("server") / "artifacts"
    shutil.copy(ROOT / "params.yaml", place)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    unrecorded = run(place, "none", *CONFIGURE, "none.yaml")
    down = run(place, address, *CONFIGURE, "config.yaml")
    waited = len(list((place / ".tracking/unsent").iterdir()))
    with postgres() as database, mlflow_server(database, artifacts, port):
        sent = [run(place, address, "stages.find", "--deliver") for _ in range(2)]
        yield place, address, artifacts, (unrecorded, down, waited, sent)


def run(place, address, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": address}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def server(down_then_up, monkeypatch):
    from mlflow.tracking import MlflowClient

    place, address, artifacts, _ = down_then_up
    monkeypatch.chdir(place)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return MlflowClient(address), artifacts


def test_server_that_is_down_costs_a_warning_and_no_byte_and_gets_the_record_later_and_once(down_then_up, server):
    place, address, _, (unrecorded, down, waited, sent) = down_then_up
    assert (unrecorded.returncode, down.returncode, waited) == (0, 0, 1)
    assert (place / "none.yaml").read_bytes() == (place / "config.yaml").read_bytes()
    assert down.stdout == unrecorded.stdout
    assert down.stderr.count("Warning") == 1
    assert f"tracking: MLflow at {address} took no record" in down.stderr
    assert "python -m stages.find --deliver" in down.stderr
    assert [(each.returncode, each.stdout) for each in sent] == [
        (0, f"find: {number} record(s) sent to {address}\n") for number in (1, 0)
    ]
    client, _ = server
    found = client.search_runs([client.get_experiment_by_name("tailgate").experiment_id], "tags.stage = 'configure'")
    assert [run.info.status for run in found] == ["FINISHED"]
    assert list((place / ".tracking/unsent").iterdir()) == []


def test_runs_have_their_parent_metrics_and_files_through_the_server(server, tmp_path):
    client, artifacts = server
    page = tmp_path / "page.json"
    page.write_text('{"seen": true}')
    spool.put(stage_record("train"), {"train/page.json": page})
    spool.put(stage_record("quantize", 1), {})
    assert delivery.deliver() == 2
    found = runs(client)
    train = found["train"]
    assert train.data.tags["mlflow.parentRunId"] == found["vibration c0ffeec"].info.run_id
    history = client.get_metric_history(train.info.run_id, "loss")
    assert sorted((point.step, point.value) for point in history) == [(0, 1), (1, 1 / 2), (2, 1 / 3)]
    assert train.info.artifact_uri.startswith("mlflow-artifacts:/")
    (stored,) = artifacts.rglob("page.json")
    assert stored.read_bytes() == page.read_bytes()
    got = client.download_artifacts(train.info.run_id, "train/page.json", str(tmp_path))
    assert Path(got).read_bytes() == page.read_bytes()


def test_run_is_found_by_a_hash_and_by_its_beginning(server):
    spool.put(stage_record("build", 50, pipeline=None, outputs={"models/build/app.elf": "12345678" * 8}), {})
    delivery.deliver()
    for digits in ("12345678" * 8, "1234567812"):
        (found,) = search([Clue(digits, "hash")])
        assert (found.stage, found.made, found.task) == ("build", "models/build/app.elf", "vibration")


def test_release_is_registered_under_the_run_that_made_it_and_found_by_its_files(server):
    client, _ = server
    spool.put(stage_record("release", 60, pipeline=None, outputs={"models/release/manifest.json": "ab" * 32}), {})
    register("vibration", "git:/c0ffee", {"manifest_sha256": "ab" * 32}, {"bundle.bin": b"signed"})
    (version,) = client.search_model_versions("name = 'tailgate-vibration'")
    assert version.run_id == runs(client)["release"].info.run_id
    (found,) = search([Clue(hashlib.sha256(b"signed").hexdigest(), "file")])
    assert (found.made, found.parent) == ("bundle.bin", "tailgate-vibration, version 1")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_pages_show_a_sweep_its_jobs_and_their_stages_and_ask_no_one_else(server, tmp_path):
    client, _ = server
    for number in range(2):
        pipeline = replace(PIPELINE, id=f"ui{number}", sweep="9f8e", job=f"train.lr=0.00{number + 1}")
        for place, stage in enumerate(("train", "quantize")):
            spool.put(stage_record(stage, 100 + 10 * number + place, pipeline=pipeline), {})
    delivery.deliver()
    experiment = client.get_experiment_by_name("tailgate").experiment_id
    sweep = runs(client)["sweep 9f8e"].info
    names = ("sweep 9f8e", "train.lr=0.001", "train.lr=0.002", "quantize")
    address = os.environ["MLFLOW_TRACKING_URI"]

    async def look(page):
        await page.show(1500, "light")
        for name in names[:2]:
            await page.shows(name)
            await page.value(f"{_ROWS}.find(row => row.innerText.includes('{name}')).querySelector('button').click()")
        await page.shows(*names)
        await page.picture(tmp_path / "runs.png")
        await page.call("Page.navigate", url=f"{address}/#/experiments/{experiment}/runs/{sweep.run_id}")
        await page.shows("sweep 9f8e", "Finished")
        await page.picture(tmp_path / "run.png")
        return page.requests

    asked = visit(tmp_path / "profile", f"{address}/#/experiments/{experiment}/runs", look)
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert sweep.start_time == BEGAN_MS
