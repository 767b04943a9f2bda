"""One job of a sweep, from Hydra's overrides to its record; what launchers call, in whatever process."""

from __future__ import annotations

import os
import signal
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig

from stages.core.errors import TailgateError
from stages.core.sweep.figures import Figures, objectives, read_figures
from stages.core.sweep.isolation import (
    code_hash,
    git,
    run,
    save_experiment,
    stages_run,
    workspace,
)
from stages.core.sweep.jobs import Job, make_job
from stages.core.sweep.records import Record, find_record, write_record
from stages.core.sweep.reproduce import ask_for, locked
from stages.core.sweep.travel import send_results, take_code, take_results
from stages.core.tracking.delivery import try_to_deliver

#: Environment variables that the driver sets for its jobs: the snapshot which all of them run, whatever becomes of the
#: work tree; and the git remote through which they come to machines that do not have the driver's folders, or nothing.
COMMIT = "TAILGATE_SWEEP_COMMIT"
REMOTE = "TAILGATE_SWEEP_REMOTE"
#: Set on such a machine: its clone of the project.
NODE = "TAILGATE_NODE"


def run_job(_: Any) -> tuple[float, ...]:
    """Run the job that Hydra is at, unless its record is there; return what a search is told of it."""
    hydra = HydraConfig.get()
    if "joblib" in hydra.launcher["_target_"]:
        ask_for(signal.SIGKILL)  # a driver that is killed would leave these workers waiting for ever; Ray ends its own
    commit, remote = os.environ[COMMIT], os.environ.get(REMOTE)
    root = Path(os.environ.get(NODE, hydra.runtime.cwd) if remote else hydra.runtime.cwd)
    folder = root / hydra.sweep.dir
    if remote:
        with locked(root / ".dvc/tmp/sweep.lock"):
            take_code(root, remote, commit)
            take_results(root, remote, folder)
    base = yaml.safe_load(git(root, "show", f"{commit}:params.yaml"))
    job = make_job(base, list(hydra.overrides.task), code_hash(root, commit))
    record = find_record(folder, job.key)
    if record is None:
        record = execute(root, commit, job, int(hydra.job.num), folder)
        write_record(folder, record)
        with chdir(root):
            try_to_deliver()
        if remote:
            send_results(root, remote, folder, job.key)
    return objectives(record.figures, record.outcome == "released")


def label(job: Job, number: int) -> str:
    """Name a job for people."""
    return " ".join([str(number), *(f"{key}={value}" for key, value in job.chosen.items())])


def execute(root: Path, commit: str, job: Job, number: int, folder: Path) -> Record:
    """Run one job in a workspace of its own.

    Parameters
    ----------
    root : Path
        The project.
    commit : str
        From `snapshot`.
    job : Job
    number : int
        Of the job in its sweep.
    folder : Path
        Where the sweep keeps its records; what the job printed stays there too.
    """
    started = time.monotonic()
    log = folder / f"{job.key}.log"
    name: str | None = None
    figures: Figures = {}
    try:
        with workspace(root, commit, job.key, job.params) as tree:
            code = run(root, tree, log, label(job, number), REMOTE in os.environ)
            name = save_experiment(root, tree, f"sweep-{job.key}") if code == 0 else None
            figures = read_figures(tree)
    except (TailgateError, OSError) as error:
        # Such as a full disk: this job's failure, which the others may not share.
        folder.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"error: {error}\n")
        code = TailgateError.exit_code
    seconds = round(time.monotonic() - started, 1)
    return Record(job.key, number, job.chosen, job.params, code, stages_run(log), figures, seconds, name)
