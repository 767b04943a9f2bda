import subprocess

import pytest

from stages.core.sweep.isolation import git, save_experiment, snapshot, workspace
from stages.core.sweep.travel import send_code, send_results, take_code, take_results


@pytest.fixture
def machines(tmp_path):
    """A project and another machine's clone of it, which know of each other by a bare repository alone."""
    driver = tmp_path / "driver"
    (driver / ".dvc").mkdir(parents=True)
    (driver / ".dvc/.gitignore").write_text("tmp\nconfig.local\n")
    (driver / "params.yaml").write_text("task: shock\n")
    git(driver, "init", "-q")
    git(driver, "add", "-A")
    git(driver, "commit", "-qm", "first")
    subprocess.run(["git", "clone", "-q", "--bare", str(driver), str(tmp_path / "between")], check=True)
    git(driver, "remote", "add", "origin", str(tmp_path / "between"))
    subprocess.run(["git", "clone", "-q", str(tmp_path / "between"), str(tmp_path / "node")], check=True)
    return driver, tmp_path / "node"


def test_a_change_that_is_not_committed_reaches_another_machine(machines):
    driver, node = machines
    (driver / "params.yaml").write_text("task: vibration\n")
    commit = snapshot(driver)
    send_code(driver, "origin", commit)
    take_code(node, "origin", commit)
    assert git(node, "show", f"{commit}:params.yaml") == "task: vibration"


def test_a_job_on_another_machine_comes_back_with_its_record_log_and_experiment(machines):
    driver, node = machines
    folder = node / "sweeps/mine"
    folder.mkdir(parents=True)
    with workspace(node, snapshot(node), "abc", {"task": "vibration"}) as tree:
        (tree / "dvc.lock").write_text("schema: '2.0'\n")
        save_experiment(node, tree, "sweep-abc")
    (folder / "abc.json").write_text('{"key": "abc"}\n')
    (folder / "abc.log").write_text("said\n")
    send_results(node, "origin", folder, "abc")
    take_results(driver, "origin", driver / "sweeps/mine")
    assert (driver / "sweeps/mine/abc.json").read_text() == '{"key": "abc"}\n'
    assert (driver / "sweeps/mine/abc.log").read_text() == "said\n"
    (experiment,) = git(driver, "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    assert experiment.endswith("/sweep-abc")
    assert git(driver, "show", f"{experiment}:params.yaml") == "task: vibration"


def test_results_of_another_sweep_do_not_come(machines):
    driver, node = machines
    for name in ("mine", "other"):
        folder = node / "sweeps" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.json").write_text("{}\n")
        (folder / f"{name}.log").write_text("")
        send_results(node, "origin", folder, name)
    take_results(driver, "origin", driver / "sweeps/mine")
    assert {path.name for path in (driver / "sweeps/mine").iterdir()} == {"mine.json", "mine.log"}
