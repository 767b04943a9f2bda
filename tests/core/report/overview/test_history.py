"""Durations are those of the last run of each stage; an earlier release is read from git and DVC's cache."""

import json
import subprocess
import sys

import pytest
import yaml

from stages.core.errors import ArtifactError
from stages.core.report.overview.earlier import read_since
from stages.core.report.overview.history import Ran, read_runs


def note(folder, stage, pipeline, start, end, status="FINISHED"):
    folder.mkdir(exist_ok=True)
    content = {"stage": stage, "pipeline": pipeline, "start_ms": 1000 * start, "end_ms": 1000 * end, "status": status}
    (folder / f"{stage}.json").write_text(json.dumps(content))


def test_a_stage_that_the_last_pipeline_did_not_run_is_reused(tmp_path):
    note(tmp_path, "capture", "first", 100.0, 103.5)
    note(tmp_path, "train", "second", 200.0, 260.0)
    note(tmp_path, "build", "second", 261.0, 262.0, status="FAILED")
    assert read_runs(tmp_path) == {"capture": Ran(3.5, True), "train": Ran(60.0, False)}


def test_without_a_record_no_stage_has_a_duration(tmp_path):
    assert read_runs(tmp_path / "absent") == {}


def run(folder, *words):
    subprocess.run(words, cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Two releases by a pipeline of one stage, the second of another width, and a commit besides."""
    folder = tmp_path_factory.mktemp("history")
    run(folder, "git", "init", "-q")
    run(folder, sys.executable, "-m", "dvc", "init", "-q")
    stage = {
        "cmd": "mkdir -p models/release && cp data/config.yaml models/release/manifest.json",
        "params": [{"data/config.yaml": None}],
        "outs": ["models/release"],
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"release": stage}}))
    (folder / "data").mkdir()
    for width in (8, 4):
        (folder / "data/config.yaml").write_text(json.dumps({"model": {"width": width}, "seed": 1}))
        run(folder, sys.executable, "-m", "dvc", "repro", "-q")
        run(folder, "git", "add", "-A")
        run(folder, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", f"Width {width}")
    return folder


def test_settings_are_compared_with_the_last_release_that_had_others(project):
    since = read_since(project, None, {"model": {"width": 4}, "seed": 1}, None)
    assert since.subject == "Width 8"
    assert [(each.heading, each.place, each.before, each.after) for each in since.found] == [
        ("config", "model/width", 8, 4)
    ]


def test_a_commit_that_is_named_is_compared_with_even_where_nothing_is_different(project):
    since = read_since(project, None, {"model": {"width": 4}, "seed": 1}, "HEAD")
    assert (since.subject, since.found) == ("Width 4", [])


def test_a_commit_without_a_release_that_can_be_read_is_named(project, tmp_path):
    with pytest.raises(ArtifactError, match=r"nowhere"):
        read_since(project, None, {}, "nowhere")
    with pytest.raises(ArtifactError, match=r"it has no 'results'.*another commit with --against"):
        read_since(project, {"results": {}}, {}, "HEAD")


def test_a_release_that_is_not_in_the_cache_of_a_clone_is_passed_over_unless_named(project, tmp_path):
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(project), str(clone))
    assert read_since(clone, None, {"model": {"width": 2}, "seed": 1}, None) is None
    with pytest.raises(ArtifactError, match=r"its release cannot be read"):
        read_since(clone, None, {}, "HEAD")


def test_outside_of_git_there_is_nothing_to_compare_with(tmp_path):
    assert read_since(tmp_path, None, {}, None) is None
