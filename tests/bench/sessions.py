"""What `capture` and `features` need as the data set grows: peak memory, and sessions per second with more workers.

``python -m tests.bench.sessions`` prints figures beside those of `reference.json`, and fails if memory grows with the
number of sessions, if it is well above the reference, or if a second worker gains too little; ``--write`` replaces the
reference. Memory is that of the stage's own process, as the kernel says when it ends. Throughput is the sessions the
large data set has more, over the time it takes longer, so that what every run takes to start does not count. It is a
ratio of runs that follow one another; on a machine with other work it says little.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
REFERENCE = Path(__file__).parent / "reference.json"

#: Largest growth of peak memory from the small to the large data set, and least gain of a second worker.
MEMORY_TOLERANCE = 0.10
LEAST_SPEED_UP = 1.7


Figures = dict[str, dict[str, float]]


@dataclass(frozen=True, order=True)
class Cost:
    """What one stage needed."""

    seconds: float
    peak_mib: float


def configure(folder: Path, sessions: int, workers: int) -> None:
    """Write `data/config.yaml` for so many simulated sessions."""
    overrides = {
        "capture.sessions": sessions,
        "capture.machines.count": sessions // 2,
        "compute.workers": workers,
    }
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump({"task": "vibration", "overrides": overrides}))
    run(folder, "configure", "--params", "params.yaml", "--conf", str(ROOT / "conf"), "--out", "data/config.yaml")


def run(folder: Path, stage: str, *arguments: str) -> Cost:
    """Run a stage in a folder and wait for it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", f"stages.{stage}", *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{stage} ended with status {process.returncode}")
    return Cost(time.perf_counter() - begin, usage.ru_maxrss / 1024)


def measure(sessions: int, repeats: int) -> dict[tuple[str, int], Cost]:
    """Run capture and features over so many sessions by one and by two workers in turn; keep the fastest of each."""
    costs: dict[tuple[str, int], Cost] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = ("--config", "data/config.yaml", "--capture", "data/capture")
        for stage in ("capture", "split", "features"):
            arguments = {
                "capture": config[:2],
                "split": config,
                "features": (*config, "--split", "data/split"),
            }[stage]
            for workers in (2,) if stage == "split" else (1, 2) * repeats:
                configure(folder, sessions, workers)
                cost = run(folder, stage, *arguments, "--out", f"data/{stage}")
                costs[stage, workers] = min(cost, costs.get((stage, workers), cost))
    return costs


def figures(small: int, large: int, repeats: int) -> Figures:
    """Compare a small with a large data set, and one worker with two."""
    few, many = measure(small, repeats), measure(large, repeats)

    def seconds(workers: int, *stages: str) -> float:
        return sum(many[stage, workers].seconds - few[stage, workers].seconds for stage in stages)

    found = {
        stage: {
            f"peak_mib_{small}_sessions": round(few[stage, 1].peak_mib, 1),
            f"peak_mib_{large}_sessions": round(many[stage, 1].peak_mib, 1),
            "memory_ratio": round(many[stage, 1].peak_mib / few[stage, 1].peak_mib, 3),
            "speed_up_of_2_workers": round(seconds(1, stage) / seconds(2, stage), 2),
        }
        for stage in ("capture", "features")
    }
    both = seconds(1, *found) / seconds(2, *found)
    return found | {"both": {"speed_up_of_2_workers": round(both, 2)}}


def main() -> None:
    """Measure, print and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=100)
    parser.add_argument("--large", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="store the figures as the reference")
    arguments = parser.parse_args()
    found = figures(arguments.small, arguments.large, arguments.repeats)
    print(json.dumps(found, indent=2))
    if arguments.write:
        REFERENCE.write_text(json.dumps(found, indent=2) + "\n")
    problems = list(faults(found, json.loads(REFERENCE.read_text())))
    if problems:
        sys.exit("; ".join(problems))


def faults(found: Figures, reference: Figures) -> Iterator[str]:
    """Say what is not as it should be, or not as it was."""
    for stage in ("capture", "features"):
        if abs(found[stage]["memory_ratio"] - 1) > MEMORY_TOLERANCE:
            yield f"{stage}: peak memory of the large data set is {found[stage]['memory_ratio']} of the small one's"
        for name in (name for name in found[stage] if name.startswith("peak_mib")):
            stored = reference[stage].get(name)
            if stored is not None and found[stage][name] > stored * (1 + MEMORY_TOLERANCE):
                yield f"{stage}: {name} is {found[stage][name]}, it was {stored}"
    if found["both"]["speed_up_of_2_workers"] < LEAST_SPEED_UP:
        yield f"two workers give only {found['both']['speed_up_of_2_workers']} times the sessions per second"


if __name__ == "__main__":
    main()
