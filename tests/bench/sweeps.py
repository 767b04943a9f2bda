"""What a sweep gains by a second worker, what it costs per job beside its stages, and what its jobs share.

``python -m tests.bench.sweeps --launcher joblib|ray`` runs eight jobs of equal size one after the other and two at a
time, prints the ratio beside that of `sweeps.json`, and fails below 1.8; ``overhead`` in place of a launcher runs jobs
over `quantize` that share all before it, holds their wall clock, start of the sweep included, against that of their
stages' commands alone, and fails above five seconds per job, or if a shared stage ran twice. ``--write`` replaces the
reference. The ratio counts from the start of the first job to the end of the last: starting Ray takes seconds once,
which `start_s` says. All are figures of a machine that does nothing else and has two processors; on another, processor
time, `overhead_cpu_s_per_job`, says more of what a job costs than its wall clock.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline.small_dag import small_workspace
from tests.pipeline.workspace import TINY, Workspace

REFERENCE = Path(__file__).parent / "sweeps.json"
LEAST_SPEED_UP, MOST_OVERHEAD_S = 1.8, 5.0
LAUNCHERS = {
    "basic": (),
    "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"),
    "ray": ("hydra/launcher=ray", "+hydra.launcher.ray.init.num_cpus=2"),
}
#: Seconds of one processor that each of a job's two longer stages takes.
WORK_S = 10.0
#: Run once by a sweep over `quantize`.
SHARED = ("capture", "split", "features", "train")
Records = list[dict[str, Any]]
Seconds = tuple[float, float]


class Stopwatch:
    """Wall clock, and processor time of the processes that ended, from its making on."""

    def __init__(self) -> None:
        self._begin = time.time(), self._processors()

    @staticmethod
    def _processors() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def read(self) -> Seconds:
        """Seconds of each."""
        return time.time() - self._begin[0], self._processors() - self._begin[1]


def sweep(workspace: Workspace, name: str, *words: str) -> tuple[Seconds, Records]:
    """Run a sweep; return what it took and its records."""
    watch = Stopwatch()
    done = workspace.run("stages.sweep", "-m", *words, f"hydra.sweep.dir=sweeps/{name}", MLFLOW_TRACKING_URI="none")
    seconds = watch.read()
    paths = list((workspace.path / "sweeps" / name).glob("*.json"))
    records = [{**json.loads(path.read_text()), "ended": path.stat().st_mtime} for path in paths]
    if done.returncode or any(record["exit_code"] for record in records):
        sys.exit(done.stdout + done.stderr)
    return seconds, records


def span(records: Records) -> float:
    """Seconds from the start of the first job to the end of the last."""
    return max(each["ended"] for each in records) - min(each["ended"] - each["seconds"] for each in records)


def speed_up(folder: Path, launcher: str, jobs: int) -> dict[str, float]:
    """Run the same jobs by one worker and by two, each with a cache of its own.

    The stages stand for real ones that use one processor; a build of firmware uses two already by itself.
    """
    words = (f"seed=range(1,{jobs + 1})",)
    spans, start = {}, 0.0
    for name in ("basic", launcher):
        (folder / name).mkdir()
        seconds, records = sweep(small_workspace(folder / name, WORK_S), name, *words, *LAUNCHERS[name])
        spans[name] = span(records)
        start = seconds[0] - spans[name]
    return {
        "seconds_per_job": round(spans["basic"] / jobs, 1),
        "speed_up_of_2_workers": round(spans["basic"] / spans[launcher], 2),
        "start_s": round(start, 1),
    }


def overhead(folder: Path, jobs: int) -> dict[str, float]:
    """Run jobs over `quantize`, then the commands of the stages that they ran alone."""
    workspace = Workspace(folder, base={**TINY, "board": ["native"], "quantize.ladder": ["ptq"]})
    windows = [24 + 2 * number for number in range(jobs)]
    seconds, records = sweep(workspace, "overhead", f"quantize.calibration.windows={','.join(map(str, windows))}")
    ran = [stage for record in records for stage in record["stages_run"]]
    workspace.repro(MLFLOW_TRACKING_URI="none")
    alone = {stage: command_seconds(workspace, stage) for stage in sorted(set(ran))}
    beside = [(seconds[kind] - sum(alone[stage][kind] for stage in ran)) / jobs for kind in (0, 1)]
    return {
        "runs_of_shared_stages": max(ran.count(stage) for stage in SHARED),
        "runs_of_quantize": ran.count("quantize"),
        "overhead_s_per_job": round(beside[0], 2),
        "overhead_cpu_s_per_job": round(beside[1], 2),
    }


def command_seconds(workspace: Workspace, stage: str) -> Seconds:
    """Time a stage's command in a workspace that has all outputs."""
    words = yaml.safe_load((workspace.path / "dvc.yaml").read_text())["stages"][stage]["cmd"].split()
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "none"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    watch = Stopwatch()
    subprocess.run(words, cwd=workspace.path, env=environment, check=True, capture_output=True)
    return watch.read()


def main() -> None:
    """Measure, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--launcher", choices=["joblib", "ray", "overhead"], required=True)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--write", action="store_true", help="make the figures the reference")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, jobs = Path(name), arguments.jobs
        is_overhead = arguments.launcher == "overhead"
        measured = overhead(folder, jobs) if is_overhead else speed_up(folder, arguments.launcher, jobs)
    reference = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    stored = reference.get(arguments.launcher, {})
    for key, value in measured.items():
        print(f"{arguments.launcher:10}{key:24}{value:>8}   reference {stored.get(key, '-')}")
    if arguments.write:
        REFERENCE.write_text(json.dumps({**reference, arguments.launcher: measured}, indent=2) + "\n")
    if measured.get("speed_up_of_2_workers", LEAST_SPEED_UP) < LEAST_SPEED_UP:
        sys.exit(f"a second worker gains less than {LEAST_SPEED_UP}")
    if measured.get("overhead_s_per_job", 0.0) > MOST_OVERHEAD_S or measured.get("runs_of_shared_stages", 1) > 1:
        sys.exit(f"a job costs more than {MOST_OVERHEAD_S} s beside its stages, or a shared stage ran twice")


if __name__ == "__main__":
    main()
