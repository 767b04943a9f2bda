"""A pipeline that depends on nothing but its commit is made again byte for byte; one that does not is told where."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.core.manifest import read_stages
from stages.core.release.rebuild import rebuild
from stages.core.release.tree_checks import check_git, check_lock, dvc_hash, lock_hash

#: Weights depend on a variable, as they might on a math library; the summary depends on them.
TRAIN = """
import json, os, pathlib
out = pathlib.Path("models/train"); out.mkdir(parents=True)
(out / "weights.json").write_text(json.dumps({"stem": [1, int(os.environ.get("DRIFT", "2"))]}))
(out / "log.txt").write_text("done")
(out / "a").mkdir(); (out / "a/b.txt").write_text("inner")
"""
SUMMARY = """
import json, pathlib
weights = json.loads(pathlib.Path("models/train/weights.json").read_text())
pathlib.Path("models/summary.json").write_text(json.dumps({"sum": sum(weights["stem"])}))
"""
RELEASE = """
import hashlib, json, pathlib
files = [path for path in sorted(pathlib.Path("models/train").rglob("*")) if path.is_file()]
made = [*((path, "train") for path in files), (pathlib.Path("models/summary.json"), "summary")]
listed = [
    {"path": path.as_posix(), "stage": stage, "bytes": path.stat().st_size,
     "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    for path, stage in made
]
out = pathlib.Path("models/release"); out.mkdir(parents=True)
(out / "manifest.json").write_text(json.dumps({"artifacts": listed}))
"""
DAG = {
    "stages": {
        "train": {"cmd": "python train.py", "deps": ["train.py"], "outs": ["models/train"]},
        "summary": {
            "cmd": "python summary.py",
            "deps": ["models/train", "summary.py"],
            "outs": ["models/summary.json"],
        },
        "release": {
            "cmd": "python release.py",
            "deps": ["models/summary.json", "models/train", "release.py"],
            "outs": ["models/release"],
        },
    }
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    (root / "train.py").write_text(TRAIN)
    (root / "summary.py").write_text(SUMMARY)
    (root / "release.py").write_text(RELEASE)
    (root / "dvc.yaml").write_text(yaml.safe_dump(DAG))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(*command):
        subprocess.run(command, cwd=root, check=True, capture_output=True, env={**os.environ, "PATH": path})

    run("git", "init", "-q")
    for command in (("init", "-q"), ("config", "core.analytics", "false"), ("repro", "-q")):
        run(sys.executable, "-m", "dvc", *command)
    run("git", "add", "-A")
    run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "made")
    return root


def commit_of(tree):
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=tree, check=True, capture_output=True, text=True).stdout[
        :40
    ]


def again(tree, tmp_path, **variables):
    manifest = (tree / "models/release/manifest.json").read_bytes()
    found = rebuild(tree, commit_of(tree), manifest, {**os.environ, **variables}, tmp_path / "a clone")
    return [(finding.file, finding.what) for finding in found]


def test_same_bytes_are_no_finding(tree, tmp_path):
    assert again(tree, tmp_path, TZ="Asia/Kathmandu") == []


def test_first_finding_names_stage_and_field_where_it_began(tree, tmp_path):
    assert again(tree, tmp_path, DRIFT="3") == [
        ("models/train/weights.json", "it was made differently by the stage train: at stem/1: 3, before 2"),
        ("models/summary.json", "it was made differently by the stage summary: at sum: 4, before 3"),
    ]


def test_pipeline_that_no_longer_runs_is_a_finding_with_its_last_words(tree, tmp_path):
    ((file, what),) = again(tree, tmp_path, DRIFT="north")
    assert file == "dvc.yaml"
    assert "invalid literal for int() with base 10: 'north'" in what


def test_hash_of_files_and_folders_is_that_of_dvc(tree):
    locked = yaml.safe_load((tree / "dvc.lock").read_text())["stages"]
    entries = [entry for stage in locked.values() for part in ("deps", "outs") for entry in stage[part]]
    assert {entry["md5"].endswith(".dir") for entry in entries} == {True, False}
    assert {entry["path"]: dvc_hash(tree / entry["path"]) for entry in entries} == {
        entry["path"]: entry["md5"] for entry in entries
    }
    assert dvc_hash(tree / "nowhere") is None


def test_lock_that_fits_is_without_findings(tree):
    assert check_lock(tree, read_stages(tree / "dvc.yaml"), {}) == []


def test_lock_of_another_command_or_with_other_outputs_is_found(tree):
    stages = read_stages(tree / "dvc.yaml")
    stages["train"] = {**stages["train"], "cmd": "python other.py", "outs": ["models/other"]}
    stages["extra"] = {"cmd": "python extra.py"}
    assert [(finding.file, finding.what) for finding in check_lock(tree, stages, {})] == [
        ("dvc.lock", "the stage train was made by another command than dvc.yaml has"),
        ("dvc.lock", "the stage train has other outs than in dvc.yaml"),
        ("dvc.lock", "it does not have the stage extra"),
    ]


def test_commit_tag_and_lock_are_those_that_were_bound(tree):
    commit = commit_of(tree)
    bound = {"commit": commit, "tag": None, "dvc_lock_sha256": lock_hash(tree, commit)}
    assert check_git(tree, bound) == []
    found = check_git(tree, {**bound, "tag": "v9", "dvc_lock_sha256": "0" * 64})
    assert [(finding.file, finding.kind) for finding in found] == [("release.json", "commit"), ("dvc.lock", "lock")]
    (unknown,) = check_git(tree, {**bound, "commit": "0" * 40})
    assert unknown.what.startswith(f"it binds the commit {'0' * 40}, which is not in ")
