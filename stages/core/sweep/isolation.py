"""A workspace of its own for each job: a clone beside the project that shares its cache, and leaves an experiment.

DVC's own temporary workspaces pass all jobs through one stash of the project, which jobs started at the same time take
from each other. A clone shares nothing but the cache, whose files appear whole.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from stages.core.artifacts import sha256_json
from stages.core.errors import RecordingError, ToolchainError
from stages.core.sweep.jobs import Params
from stages.core.tracking import spool
from stages.core.tracking.origin import SWEEP

_PLACE = Path(".dvc/tmp/sweep")
_RECORDINGS = Path("data/recordings")
#: Commits need an author, and a machine that only runs jobs may have none.
_AUTHOR = ("-c", "user.name=tailgate", "-c", "user.email=tailgate@localhost")


def git(tree: Path, *words: str, input: str | None = None) -> str:
    """Run git, with a text as its input, and return what it printed.

    Raises
    ------
    ToolchainError
        If git ends with an error, with what it said.
    """
    done = subprocess.run(  # noqa: S603
        ["git", *_AUTHOR, *words],  # noqa: S607
        cwd=tree,
        input=input,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolchainError(
            found=f"`git {words[0]}` ended with {done.returncode} ({' '.join(done.stderr.split())})",
            where=str(tree),
            expected="a git work tree with at least one commit",
            remedy="Commit the project, look at permissions and free space, and run the sweep again",
        )
    return done.stdout.strip()


def snapshot(root: Path) -> str:
    """Return a commit upon the one checked out, with all tracked files as the work tree has them.

    Raises
    ------
    RecordingError
        If there are recordings that neither git nor DVC keeps: no job would have them.
    """
    tracked = set(git(root, "ls-files", str(_RECORDINGS)).splitlines())
    others = git(root, "ls-files", "-o", str(_RECORDINGS)).splitlines()
    lost = [name for name in others if not name.endswith("/.gitignore") and not _is_added(Path(name), tracked)]
    if lost:
        raise RecordingError(
            found=f"{len(lost)} file(s) that neither git nor DVC keeps, {lost[0]} first",
            where=str(root / _RECORDINGS),
            expected="recordings that a clone of the project can have, as each job runs in one",
            remedy="`dvc add` and `git add` the .dvc files, or `git add -f` what is small",
        )
    changed = git(root, "stash", "create")
    return git(root, "commit-tree", f"{changed or 'HEAD'}^{{tree}}", "-p", "HEAD", "-m", "what a sweep runs")


def _is_added(path: Path, tracked: set[str]) -> bool:
    """Whether `dvc add` was given a file, or a folder that it is in."""
    return any(f"{each}.dvc" in tracked for each in (path, *path.parents))


def code_hash(root: Path, commit: str) -> str:
    """Return the hash of a commit's tree without params.yaml and dvc.lock, which say what ran and not what runs."""
    listed = git(root, "ls-tree", "-r", commit).splitlines()
    kept = [line for line in listed if line.partition("\t")[2] not in ("params.yaml", "dvc.lock")]
    return sha256_json(kept)


@contextmanager
def workspace(root: Path, commit: str, key: str, params: Params) -> Iterator[Path]:
    """Give a clone of the project, at a commit with other parameters, for as long as the block lasts.

    Parameters
    ----------
    root : Path
        The project.
    commit : str
        From `snapshot`; its changes count as uncommitted, as they are in the project.
    key : str
        Of the job.
    params : dict
        The content of params.yaml.
    """
    place = root / _PLACE / "jobs"
    place.mkdir(parents=True, exist_ok=True)
    clear(root)
    tree = place / f"{key}-{os.getpid()}"
    held = place / f"{tree.name}.lock"
    with held.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        git(root, "clone", "-q", "--shared", "--no-checkout", str(root), str(tree))
        git(tree, "checkout", "-q", "--detach", commit)
        git(tree, "reset", "-q", "--soft", "HEAD^")
        _choose(tree / "params.yaml", params)
        _share_cache(root, tree)
        try:
            yield tree
        finally:
            shutil.rmtree(tree, ignore_errors=True)
            held.unlink(missing_ok=True)


def _choose(path: Path, params: Params) -> None:
    """Write params.yaml, unless it says the same: stages that read the file need then not run."""
    if yaml.safe_load(path.read_text(encoding="utf-8")) != params:
        path.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def _share_cache(root: Path, tree: Path) -> None:
    """Give a clone the project's local DVC settings and its cache, by paths that hold from there."""
    from dvc.config import Config

    settings = Config(str(root / ".dvc"))
    own = ConfigParser(interpolation=None)
    own.read(root / ".dvc/config.local", encoding="utf-8")
    # Else every clone would leave a folder among the machine's.
    own.read_dict({"core": {"site_cache_dir": str(tree / ".dvc/tmp/site")}})
    own.read_dict({"cache": {"dir": str(settings["cache"].get("dir") or root / ".dvc/cache")}})
    own.read_dict({f"'remote \"{name}\"'": {"url": str(each["url"])} for name, each in settings["remote"].items()})
    with (tree / ".dvc/config.local").open("w", encoding="utf-8") as file:
        own.write(file)


def clear(root: Path) -> None:
    """Remove the clones of jobs that were killed: those whose lock nobody holds."""
    for path in (root / _PLACE / "jobs").glob("*.lock"):
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)


def run(root: Path, tree: Path, log: Path, name: str, travels: bool) -> int:
    """Run the pipeline in a job's workspace; return its exit code and leave what it printed in a file.

    The records of its stages go to the project's, under the job's name, as what is in the clone ends with it. What runs
    ends with this process, however that ends.
    """
    locks = root / _PLACE / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "stages.sweep", "reproduce", "--locks", str(locks), *(["--travel"] * travels)]
    environment = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}",
        spool.PLACE: str(root / spool.FOLDER),
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        SWEEP: f"{log.parent.name}/{name}",
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(  # noqa: S603
            words,
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            return process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def stages_run(log: Path) -> list[str]:
    """Return the stages that a run computed, by what DVC said."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.split("'")[1] for line in lines if line.startswith("Running stage '")]


def save_experiment(root: Path, tree: Path, name: str) -> str:
    """Commit a job's workspace as a DVC experiment of the project's commit, for `dvc exp apply`.

    An experiment is a commit upon its baseline under ``refs/exps/<baseline>/<name>``; `dvc exp save` makes the same,
    but hashes all outputs again.
    """
    git(tree, "add", "-A")
    git(tree, "add", "-f", "dvc.lock", "params.yaml")
    baseline = git(tree, "rev-parse", "HEAD")
    commit = git(tree, "commit-tree", git(tree, "write-tree"), "-p", baseline, "-m", f"sweep: {name}")
    reference = f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}"
    git(tree, "push", "-q", "-f", str(root), f"{commit}:{reference}")
    return name
