"""Launchers and sweepers on a pipeline of seconds, and what is left when a process of a sweep is killed.

They take half a minute to three minutes each. `requirements-sweep.lock` has to be installed.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.pipeline.small_dag import FAILED, REFUSED, small_workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
RAY = ("hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2")
FOLDER = "sweeps/test"
#: A cluster of a test is nobody else's.
ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "MLFLOW_TRACKING_URI": "none",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


def sweep(workspace, *words):
    done = workspace.run("stages.sweep", "-m", *words, f"hydra.sweep.dir={FOLDER}", **ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    return records(workspace.path)


def start(workspace, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "stages.sweep", "-m", *words, f"hydra.sweep.dir={FOLDER}"],
        cwd=workspace.path,
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def look(workspace, *words):
    done = workspace.run("stages.sweep", *words, **ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def records(root):
    return {path: json.loads(path.read_text()) for path in sorted((root / FOLDER).glob("*.json"))}


def written(root):
    """When each record was written."""
    return {path.name: path.stat().st_mtime_ns for path in records(root)}


def wait_for(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def processes_in(folder):
    """Ids of the processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append(int(process.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def parent_of(process):
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def worker_of(root):
    """Id of a process of the launcher in which a job runs: the parent of the group that the job is."""
    leaders = []
    wait_for(
        lambda: leaders.extend(p for p in processes_in(root / ".dvc/tmp/sweep/jobs") if os.getpgid(p) == p) or leaders
    )
    return parent_of(leaders[0])


def nothing_is_left(root):
    jobs = root / ".dvc/tmp/sweep/jobs"
    return processes_in(jobs) == [] and [path for path in jobs.iterdir() if path.is_dir()] == []


def test_comma_lists_and_globs_with_refused_and_failed_jobs_among_them(tmp_path):
    workspace = small_workspace(tmp_path, 0.1)
    words = ("model=glob(ds_cnn*)", f"quantize.calibration.windows=24,{REFUSED},{FAILED}", *JOBLIB)
    made = list(sweep(workspace, *words).values())
    by_windows = {(each["chosen"]["model"], each["chosen"]["quantize.calibration.windows"]): each for each in made}
    codes = {24: 0, REFUSED: 3, FAILED: 2}
    assert {key: each["exit_code"] for key, each in by_windows.items()} == {
        (model, windows): code for model in ("ds_cnn", "ds_cnn_short") for windows, code in codes.items()
    }
    ran = [stage for each in made for stage in each["stages_run"]]
    assert ran.count("train") == 1
    before = written(tmp_path)
    sweep(workspace, *words)
    again = {name for name, when in written(tmp_path).items() if before[name] != when}
    assert again == {f"{each['key']}.json" for each in made if each["exit_code"] == 2}
    shown = look(workspace, "show")
    assert shown.count("refused (3)") == shown.count("failed (2)") == 2
    assert "released" in look(workspace, "best")
    refused = next(each["number"] for each in made if each["exit_code"] == 3)
    assert workspace.run("stages.sweep", "apply", str(refused)).returncode == 2


def test_ranges_and_tasks_without_a_launcher(tmp_path):
    workspace = small_workspace(tmp_path, 0.1)
    made = sweep(workspace, "task=vibration,shock", "seed=range(1,3)").values()
    assert {(each["params"]["task"], each["params"]["overrides"]["seed"]) for each in made} == {
        (task, seed) for task in ("vibration", "shock") for seed in (1, 2)
    }
    assert {each["exit_code"] for each in made} == {0}


def test_a_search_finds_a_front_and_goes_on_where_it_was(tmp_path):
    workspace = small_workspace(tmp_path, 0.1)
    search = (
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_jobs=1",
        "train.lr=interval(0.001,0.01)",
        "model.stem.channels=choice(8,16,24)",
    )
    sweep(workspace, *search, "hydra.sweeper.n_trials=5")
    before = written(tmp_path)
    assert len(before) == 5
    made = sweep(workspace, *search, "hydra.sweeper.n_trials=6")
    assert len(made) == 6
    assert {name: written(tmp_path)[name] for name in before} == before
    assert len({each["figures"]["separation"] for each in made.values()}) > 1
    look(workspace, "pareto")
    assert (tmp_path / FOLDER / "pareto.png").read_bytes().startswith(b"\x89PNG")
    look(workspace, "apply")
    assert workspace.stages_run(workspace.repro()) == []


@pytest.mark.parametrize("launcher", [JOBLIB, RAY], ids=["joblib", "ray"])
def test_a_sweep_whose_driver_is_killed_goes_on_without_repeating(tmp_path, launcher):
    workspace = small_workspace(tmp_path, 2.0)
    words = ("train.lr=0.001,0.002,0.003,0.004", *launcher)
    driver = start(workspace, *words)
    wait_for(lambda: records(tmp_path))
    driver.kill()
    driver.wait()
    wait_for(lambda: processes_in(tmp_path) == [])
    before = written(tmp_path)
    assert [each["exit_code"] for each in sweep(workspace, *words).values()] == [0, 0, 0, 0]
    assert {name: written(tmp_path)[name] for name in before} == before
    assert nothing_is_left(tmp_path)


@pytest.mark.parametrize("launcher", [JOBLIB, RAY], ids=["joblib", "ray"])
def test_a_worker_that_is_killed_costs_no_finished_job(tmp_path, launcher):
    workspace = small_workspace(tmp_path, 2.0)
    words = ("train.lr=0.001,0.002,0.003,0.004", *launcher)
    driver = start(workspace, *words)
    wait_for(lambda: records(tmp_path))
    before = written(tmp_path)
    os.kill(worker_of(tmp_path), signal.SIGKILL)
    code = driver.wait(300)
    wait_for(lambda: processes_in(tmp_path) == [])
    if launcher == RAY:  # which gives the job to another worker
        assert code == 0
        assert len(records(tmp_path)) == 4
    assert [each["exit_code"] for each in sweep(workspace, *words).values()] == [0, 0, 0, 0]
    assert {name: written(tmp_path)[name] for name in before} == before
    assert nothing_is_left(tmp_path)


def test_a_sweep_whose_ray_is_killed_goes_on_without_repeating(tmp_path):
    workspace = small_workspace(tmp_path, 2.0)
    words = ("train.lr=0.001,0.002,0.003,0.004", *RAY)
    driver = start(workspace, *words)
    wait_for(lambda: records(tmp_path))
    raylet = parent_of(worker_of(tmp_path))
    assert "raylet" in Path(f"/proc/{raylet}/cmdline").read_text()
    os.kill(raylet, signal.SIGKILL)
    driver.wait(300)
    wait_for(lambda: processes_in(tmp_path) == [])
    before = written(tmp_path)
    assert [each["exit_code"] for each in sweep(workspace, *words).values()] == [0, 0, 0, 0]
    assert {name: written(tmp_path)[name] for name in before} == before
    assert nothing_is_left(tmp_path)


class Cluster:
    """Two Ray nodes on this machine, each with a clone of the project, its own cache, and one processor."""

    def __init__(self, folder, workspace):
        self.folder, self.workspace = folder, workspace
        # Sockets of Ray lie in its folder, and their paths may have 107 characters.
        self.temporary = Path(tempfile.mkdtemp(prefix="ray"))
        self.address = f"127.0.0.1:{20000 + os.getpid() % 10000}"
        self.nodes = {}

    def __enter__(self):
        git = ["git", "clone", "-q"]
        subprocess.run([*git, "--bare", str(self.workspace.path), str(self.folder / "origin")], check=True)
        self.workspace.git("remote", "add", "origin", str(self.folder / "origin"))
        for name in ("one", "two"):
            subprocess.run([*git, str(self.folder / "origin"), str(self.folder / name)], check=True)
            self.nodes[name] = self._start(name)
        return self

    def _start(self, name):
        port = self.address.rpartition(":")[2]
        of_head = ("--head", "--port", port, "--include-dashboard", "false")
        options = {"node-ip-address": "127.0.0.1", "num-cpus": 1, "object-store-memory": 80_000_000}
        options["temp-dir"] = self.temporary / name
        words = ["ray", "start", "--block", "--disable-usage-stats"]
        words += [f"--{option}={value}" for option, value in options.items()]
        tree = self.folder / name
        process = subprocess.Popen(
            [*words, *(of_head if name == "one" else ("--address", self.address))],
            cwd=tree,
            env={**os.environ, **ENVIRONMENT, "TAILGATE_NODE": str(tree), "PYTHONPATH": str(tree)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(lambda: self._alive() == len(self.nodes) + 1, 120)
        return process

    def _alive(self):
        words = ["ray", "status", "--address", self.address]
        shown = subprocess.run(
            words, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False
        ).stdout
        return shown.partition("Pending:")[0].count(" node_")

    def kill(self, name):
        """Kill all of a node at once, as a machine that loses power."""
        process = self.nodes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def __exit__(self, *_):
        for name in list(self.nodes):
            self.kill(name)
        for process in processes_in(self.folder):
            os.kill(process, signal.SIGKILL)
        shutil.rmtree(self.temporary, ignore_errors=True)


@pytest.fixture
def cluster(tmp_path):
    (tmp_path / "project").mkdir()
    workspace = small_workspace(tmp_path / "project", 2.0)
    (tmp_path / "project/.dvc/config").write_text(f"[core]\nremote=store\n['remote \"store\"']\nurl={tmp_path}/store\n")
    workspace.git("commit", "-qam", "a remote")
    with Cluster(tmp_path, workspace) as nodes:
        yield nodes


def test_two_nodes_share_a_sweep_through_git_and_a_remote_and_one_of_them_may_die(cluster):
    workspace, folder = cluster.workspace, cluster.folder
    ray = ("--remote", "origin", "hydra/launcher=ray", f"hydra.launcher.ray.init.address={cluster.address}")
    words = ("train.lr=0.001,0.002,0.003,0.004", *ray)
    made = sweep(workspace, *words)
    assert [each["exit_code"] for each in made.values()] == [0, 0, 0, 0]
    at = {name: {path.name for path in (folder / name / FOLDER).glob("*.log")} for name in ("one", "two")}
    assert at["one"] and at["two"]
    assert "released" in look(workspace, "show", "--remote", "origin")
    look(workspace, "apply", "--remote", "origin")
    assert workspace.stages_run(workspace.repro(**ENVIRONMENT)) == []
    workspace.git("checkout", "-q", ".")

    driver = start(workspace, words[0] + ",0.005,0.006,0.007,0.008", *ray)
    wait_for(lambda: processes_in(folder / "two/.dvc/tmp/sweep/jobs"))
    cluster.kill("two")
    assert driver.wait(600) == 0
    assert len(records(workspace.path)) == 8
