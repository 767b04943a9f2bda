"""Run the pipeline many times with other parameters, compare what came of it, and adopt the best.

`python -m stages.sweep -m train.lr=0.001,0.002` runs a sweep; `show`, `best`, `pareto` and `apply` look at one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console

from stages.core.errors import ArtifactError, ToolchainError
from stages.core.stage import exit_with
from stages.core.sweep.isolation import snapshot
from stages.core.sweep.jobs import command_line
from stages.core.sweep.pareto import best, draw, front
from stages.core.sweep.records import Record, latest_sweep, read_records
from stages.core.sweep.table import as_table
from stages.core.sweep.travel import send_code, take_results
from stages.core.sweep.words import defaults_of, name_of

SWEEPS = Path("sweeps")


def sweep(words: Sequence[str], remote: str | None) -> None:
    """Hand the overrides to Hydra, whose launcher runs the jobs.

    Parameters
    ----------
    words : sequence of str
        In Hydra's grammar, with ``-m``.
    remote : str or None
        The git remote through which code and results go, if the jobs run on machines that have a clone of their own.
    """
    import hydra

    from stages.core.sweep.run import COMMIT, REMOTE, run_job

    root, conf = Path.cwd(), Path("conf").resolve()
    base = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    commit = snapshot(root)
    folder = next((word.partition("=")[2] for word in words if word.startswith("hydra.sweep.dir=")), None)
    folder = folder or str(SWEEPS / name_of(words))
    given = {word.partition("=")[0] for word in words}
    defaults = [word for word in defaults_of(words, "RAY_ADDRESS" in os.environ) if word.partition("=")[0] not in given]
    defaults += [f"hydra.sweep.dir={folder}"] if "hydra.sweep.dir" not in given else []
    defaults += [f"+hydra.job.env_set.{COMMIT}='{commit}'"]
    if remote:
        send_code(root, remote, commit)
        run_dvc("push", "--quiet", "--run-cache")
        defaults += [f"+hydra.job.env_set.{REMOTE}='{remote}'"]
    sys.argv[1:] = command_line(base, [*words, *defaults], conf)
    try:
        hydra.main(config_path=str(conf), config_name="config", version_base="1.3")(run_job)()
    finally:
        if remote:
            take_results(root, remote, Path(folder))
    print(f"sweep: {folder}")
    show(read_records(Path(folder)))


def show(records: list[Record]) -> None:
    """Print the jobs with the figures that matter."""
    console = Console()
    console.width = max(console.width, 160)
    console.print(as_table(records))


def apply(record: Record, remote: str | None) -> None:
    """Bring a job's parameters, lock file and outputs into this workspace, after which `dvc repro` does nothing."""
    if record.experiment is None:
        raise ArtifactError(
            found=f"job {record.number} was {record.outcome}, with exit code {record.exit_code}",
            where=f"job {record.key}",
            expected="a job that came to a release",
            remedy="Name another job; `python -m stages.sweep show` lists them",
        )
    if remote:
        run_dvc("exp", "pull", "--force", remote, record.experiment)
    run_dvc("exp", "apply", record.experiment)
    run_dvc("repro", "--quiet", "--single-item", "configure")
    print(f"sweep: job {record.number} applied; params.yaml and dvc.lock are those of {record.experiment}")


def run_dvc(*words: str) -> None:
    """Run a command of DVC here.

    Raises
    ------
    ToolchainError
        If it fails.
    """
    done = subprocess.run([sys.executable, "-m", "dvc", *words], check=False)  # noqa: S603
    if done.returncode:
        raise ToolchainError(
            found=f"`dvc {' '.join(words)}` ended with {done.returncode}",
            where=str(Path.cwd()),
            expected="the commit that the sweep ran on, checked out, and with --remote DVC's remote at hand",
            remedy="See what DVC says above",
        )


def look(arguments: argparse.Namespace) -> None:
    """Run one of the commands that look at a sweep."""
    folder = arguments.sweep or latest_sweep(SWEEPS)
    if arguments.remote:
        take_results(Path.cwd(), arguments.remote, folder)
    records = read_records(folder)
    if arguments.command == "show":
        show(records)
    elif arguments.command == "best":
        show([best(records)])
    elif arguments.command == "pareto":
        draw(records, folder / "pareto.png")
        show(front(records))
        print(f"sweep: {folder / 'pareto.png'}")
    else:
        apply(choose(records, arguments.job), arguments.remote)


def choose(records: list[Record], number: int | None) -> Record:
    """Return a job by its number, or the best.

    Raises
    ------
    ArtifactError
        If there is no such job.
    """
    if number is None:
        return best(records)
    found = [each for each in records if each.number == number]
    if not found:
        raise ArtifactError(
            found=f"no job {number}",
            where="the records of the sweep",
            expected=f"one of {', '.join(str(each.number) for each in records)}",
            remedy="Name one of these, or none for the best",
        )
    return found[-1]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--remote", help="git remote of a sweep whose jobs run on machines with clones of their own")
    if "-m" in sys.argv or "--multirun" in sys.argv:
        arguments, words = parser.parse_known_args()
        sweep(words, arguments.remote)
        return
    parser.add_argument("command", choices=["show", "best", "pareto", "apply", "reproduce"])
    parser.add_argument("job", nargs="?", type=int, help="number of a job, for `apply` (default: the best)")
    parser.add_argument("--sweep", type=Path, help=f"folder of the sweep (default: the latest in {SWEEPS})")
    parser.add_argument("--locks", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--travel", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.command == "reproduce":
        from stages.core.sweep.reproduce import end_with_parent, reproduce

        end_with_parent()
        sys.exit(reproduce(Path.cwd(), arguments.locks, arguments.travel))
    look(arguments)


if __name__ == "__main__":
    exit_with(main)
