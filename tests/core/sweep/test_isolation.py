import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from dvc.config import Config

from stages.core.errors import RecordingError, ToolchainError
from stages.core.sweep.isolation import clear, code_hash, git, run, save_experiment, snapshot, stages_run, workspace
from tests.pipeline.imports import ROOT

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
    assert run(project, tree, log, "2 train.lr=0.5", False) == 3
    assert log.read_text() == f"['9f8e/2 train.lr=0.5', '{project}/.tracking']\n"


def test_recordings_that_no_clone_would_have_are_refused(project):
    (project / "data/recordings").mkdir(parents=True)
    (project / "data/recordings/pump.csv").write_text("1\n")
    with pytest.raises(RecordingError, match=r"1 file\(s\) that neither git nor DVC keeps, data/recordings/pump.csv"):
        snapshot(project)
    (project / "data/recordings/pump.csv.dvc").write_text("outs: []\n")
    (project / "data/recordings/.gitignore").write_text("/pump.csv\n")
    git(project, "add", "data/recordings/pump.csv.dvc")
    snapshot(project)


def test_a_remote_with_a_relative_path_is_the_projects(project):
    (project / ".dvc/config").write_text("[core]\nremote = store\n['remote \"store\"']\nurl = ../../store\n")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "remote")
    with workspace(project, snapshot(project), "key", PARAMS) as tree:
        remote = Config(str(tree / ".dvc"))["remote"]["store"]
        assert (tree / ".dvc" / remote["url"]).resolve() == project.parent / "store"


def test_parameters_that_are_the_projects_leave_the_file_as_it_is(project):
    (project / "params.yaml").write_text("task: shock # as ever\n")
    with workspace(project, snapshot(project), "key", {"task": "shock"}) as tree:
        assert (tree / "params.yaml").read_text() == "task: shock # as ever\n"


def test_what_a_job_runs_ends_with_its_worker(project, tmp_path):
    (project / "stages").mkdir()
    (project / "stages/__init__.py").write_text("")
    code = (
        "import subprocess, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r}); sys.modules.pop('stages', None)\n"
        "from stages.core.sweep.reproduce import end_with_parent\n"
        "end_with_parent()\n"
        "print(subprocess.Popen(['sleep', '60']).pid, flush=True)\n"
        "subprocess.run(['sleep', '60'])\n"
    )
    (project / "stages/sweep.py").write_text(code)
    script = (
        "import sys; from pathlib import Path; from stages.core.sweep.isolation import run\n"
        "run(Path(sys.argv[1]), Path(sys.argv[1]), Path(sys.argv[2]), 'name', False)"
    )
    log = tmp_path / "log"
    worker = subprocess.Popen([sys.executable, "-c", script, str(project), str(log)], cwd=ROOT)
    wait_for(lambda: log.exists() and log.read_text().strip())
    started = Path(f"/proc/{log.read_text().strip()}")
    assert started.exists()
    worker.kill()
    worker.wait()
    wait_for(lambda: not started.exists() or "Z" in (started / "stat").read_text().split()[2])


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
