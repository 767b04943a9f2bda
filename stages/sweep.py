"""Run the pipeline many times with other parameters, compare what came of it, and adopt the best.

`python -m stages.sweep -m train.lr=0.001,0.002` runs a sweep; `show`, `best`, `pareto` and `apply` look at one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from rich.console import Console
from rich.table import Table

from stages.core.artifacts import sha256_json
from stages.core.errors import ToolchainError
from stages.core.stage import exit_with
from stages.core.sweep.figures import OBJECTIVES
from stages.core.sweep.isolation import snapshot
from stages.core.sweep.jobs import command_line
from stages.core.sweep.pareto import best, draw, front
from stages.core.sweep.records import Record, latest_sweep, read_records

SWEEPS = Path("sweeps")
#: Hydra's own files are left out: the records say what ran.
_HYDRA = ("hydra.output_subdir=null", "hydra.sweep.subdir=.", "hydra/job_logging=none")
_SEARCH = (f"hydra.sweeper.direction=[{','.join(OBJECTIVES.values())}]", "hydra.sweeper.sampler.seed=1")


def sweep(words: Sequence[str]) -> None:
    """Hand the overrides to Hydra, whose launcher runs the jobs."""
    import hydra

    from stages.core.sweep.run import COMMIT, run_job

    conf = Path("conf").resolve()
    base = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    defaults = [*_HYDRA, f"+hydra.job.env_set.{COMMIT}='{snapshot(Path.cwd())}'"]
    defaults += _SEARCH if "hydra/sweeper=optuna" in words else ()
    given = {word.partition("=")[0] for word in words}
    defaults = [word for word in defaults if word.partition("=")[0] not in given]
    folder = next((word.partition("=")[2] for word in words if word.startswith("hydra.sweep.dir=")), None)
    if folder is None:
        folder = str(SWEEPS / name_of(words))
        defaults.append(f"hydra.sweep.dir={folder}")
    sys.argv[1:] = command_line(base, [*words, *defaults], conf)
    hydra.main(config_path=str(conf), config_name="config", version_base="1.3")(run_job)()
    print(f"sweep: {folder}")
    show(read_records(Path(folder)))


def name_of(words: Sequence[str]) -> str:
    """Name a sweep by what it varies, so that the same command goes on with it, by whatever launcher."""
    return sha256_json(sorted(word for word in words if "=" in word and not word.startswith("hydra/launcher")))[:8]


def show(records: list[Record]) -> None:
    """Print the jobs with the figures that matter, those on the Pareto front marked."""
    chosen = sorted({key for record in records for key in record.chosen if varies(records, key)})
    names = ("auc", "tpr_at_fpr_1", *OBJECTIVES)
    table = Table("", *chosen, "outcome", *names, "ran", "s", "experiment")
    kept = front(records)
    for each in records:
        figures = [as_text(each.figures.get(name)) for name in names]
        values = [str(each.chosen.get(key, "")) for key in chosen]
        mark = f"{each.number}{'*' if each in kept else ''}"
        outcome = each.outcome if each.outcome == "released" else f"{each.outcome} ({each.exit_code})"
        ran = f"{len(each.stages_run)} stages"
        table.add_row(mark, *values, outcome, *figures, ran, f"{each.seconds:.0f}", each.experiment or "")
    console = Console()
    console.width = max(console.width, 160)
    console.print(table)


def varies(records: list[Record], key: str) -> bool:
    """Return whether not all jobs have the same value of a key."""
    return len({str(record.chosen.get(key)) for record in records}) > 1


def as_text(value: float | None) -> str:
    """Lay out a figure."""
    return "" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.4g}"


def apply(record: Record) -> None:
    """Bring a job's parameters, lock file and outputs into this workspace, after which `dvc repro` does nothing."""
    for words in (["exp", "apply", record.experiment or ""], ["repro", "--quiet", "--single-item", "configure"]):
        done = subprocess.run([sys.executable, "-m", "dvc", *words], check=False)  # noqa: S603
        if done.returncode:
            raise ToolchainError(
                found=f"`dvc {words[0]}` ended with {done.returncode}",
                where=f"job {record.number}, experiment {record.experiment}",
                expected="an experiment upon the commit that is checked out",
                remedy="Check out the commit that the sweep ran on; see what DVC says above",
            )
    print(f"sweep: job {record.number} applied; params.yaml and dvc.lock are those of {record.experiment}")


def look(arguments: argparse.Namespace) -> None:
    """Run one of the commands that look at a sweep."""
    folder = arguments.sweep or latest_sweep(SWEEPS)
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
        apply(next((each for each in records if str(each.number) == arguments.job), None) or best(records))


def main() -> None:
    """Run the command."""
    if "-m" in sys.argv or "--multirun" in sys.argv:
        sweep(sys.argv[1:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["show", "best", "pareto", "apply", "reproduce"])
    parser.add_argument("job", nargs="?", help="number of a job, for `apply` (default: the best)")
    parser.add_argument("--sweep", type=Path, help=f"folder of the sweep (default: the latest in {SWEEPS})")
    parser.add_argument("--locks", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.command == "reproduce":
        from stages.core.sweep.reproduce import reproduce

        sys.exit(reproduce(Path.cwd(), arguments.locks))
    look(arguments)


if __name__ == "__main__":
    exit_with(main)
