import subprocess
import sys

import pytest
import yaml

from stages.core.errors import ToolchainError
from stages.core.sweep.isolation import clear, code_hash, git, run, save_experiment, snapshot, stages_run, workspace

PARAMS = {"task": "vibration", "overrides": {"seed": 2}}


@pytest.fixture
def project(tmp_path):
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/.gitignore").write_text("tmp\nconfig.local\n")
    (root / "params.yaml").write_text("task: shock\n")
    (root / "code.py").write_text("one\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def test_a_workspace_has_the_uncommitted_changes_of_the_project_and_its_own_parameters(project):
    (project / "code.py").write_text("two\n")
    with workspace(project, snapshot(project), "key", PARAMS) as tree:
        assert (tree / "code.py").read_text() == "two\n"
        assert yaml.safe_load((tree / "params.yaml").read_text()) == PARAMS
        assert str(project / ".dvc/cache") in (tree / ".dvc/config.local").read_text()
        assert git(tree, "rev-parse", "HEAD") == git(project, "rev-parse", "HEAD")
    assert not tree.exists()
    assert (project / "params.yaml").read_text() == "task: shock\n"
    assert (project / "code.py").read_text() == "two\n"


def test_an_experiment_is_a_commit_upon_the_baseline_that_holds_the_parameters(project):
    head = git(project, "rev-parse", "HEAD")
    with workspace(project, snapshot(project), "key", PARAMS) as tree:
        (tree / "dvc.lock").write_text("schema: '2.0'\n")
        save_experiment(project, tree, "sweep-key")
    reference = f"refs/exps/{head[:2]}/{head[2:]}/sweep-key"
    assert git(project, "rev-parse", f"{reference}^") == head
    assert yaml.safe_load(git(project, "show", f"{reference}:params.yaml")) == PARAMS
    assert git(project, "show", f"{reference}:dvc.lock") == "schema: '2.0'"


def test_code_is_told_apart_by_everything_but_what_a_run_sets_itself(project):
    before = code_hash(project, snapshot(project))
    (project / "params.yaml").write_text("task: vibration\n")
    assert code_hash(project, snapshot(project)) == before
    (project / "code.py").write_text("two\n")
    assert code_hash(project, snapshot(project)) != before


def test_a_clone_whose_job_was_killed_is_cleared_and_one_at_work_is_not(project):
    script = (
        "import os, signal, sys; from pathlib import Path; from stages.core.sweep.isolation import *\n"
        "with workspace(Path(sys.argv[1]), sys.argv[2], 'dead', {}): os.kill(os.getpid(), signal.SIGKILL)"
    )
    commit = snapshot(project)
    subprocess.run([sys.executable, "-c", script, str(project), commit], check=False)
    jobs = project / ".dvc/tmp/sweep/jobs"
    assert [path.name.split("-")[0] for path in jobs.iterdir() if path.is_dir()] == ["dead"]
    with workspace(project, commit, "alive", PARAMS) as tree:
        clear(project)
        assert [path for path in jobs.iterdir() if path.is_dir()] == [tree]


def test_what_git_says_is_in_the_error(tmp_path):
    with pytest.raises(ToolchainError, match="not a git repository"):
        git(tmp_path, "rev-parse", "HEAD")


def test_stages_that_ran_are_told_from_those_of_the_cache(tmp_path):
    log = tmp_path / "log"
    log.write_text(
        "Stage 'capture' is cached - skipping run\nRunning stage 'train':\nStage 'x' didn't change, skipping\n"
    )
    assert stages_run(log) == ["train"]


def test_a_job_is_told_of_which_sweep_it_is_and_to_leave_its_records_in_the_project(project):
    tree, log = project / "tree", project / "sweeps/9f8e/key.log"
    (tree / "stages").mkdir(parents=True)
    names = ("TAILGATE_SWEEP", "TAILGATE_TRACKING")
    (tree / "stages/sweep.py").write_text(f"import os, sys\nprint([os.environ[n] for n in {names}])\nsys.exit(3)\n")
    assert run(project, tree, log, "2 train.lr=0.5") == 3
    assert log.read_text() == f"['9f8e/2 train.lr=0.5', '{project}/.tracking']\n"
