"""One pipeline run that waits for a stage which another job is computing, and then takes it from the cache."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from stages.core.artifacts import sha256_json

_EXIT = re.compile(r"exited with (-?\d+)")


def reproduce(root: Path, locks: Path) -> int:
    """Run `dvc repro` with a lock around each stage.

    Parameters
    ----------
    root : Path
        The job's workspace.
    locks : Path
        A folder that all jobs share.

    Returns
    -------
    int
        0, or the exit code of the stage that failed, or 1 where none was the reason.
    """
    from dvc.exceptions import ReproductionError
    from dvc.repo import Repo
    from dvc.repo.reproduce import _reproduce_stage

    keys: dict[str, str] = {}

    def in_turn(stage: Any, **options: Any) -> Any:
        keys[stage.addressing] = stage_key(stage, [keys[other.addressing] for other in options["upstream"]])
        with locked(locks / keys[stage.addressing]) if stage.params else nullcontext():
            return _reproduce_stage(stage, **options)

    with Repo(str(root)) as repo:
        try:
            repo.reproduce(repro_fn=in_turn)
        except ReproductionError as error:
            return exit_code(error)
    return 0


def stage_key(stage: Any, upstream: list[str]) -> str:
    """Name what a stage computes, by the parameters that it and all before it read.

    Jobs of one sweep run the same code on the same recordings, so nothing else tells their stages apart. `configure`
    reads no parameters; what it composes counts by the sections that others read of it.
    """
    return sha256_json([stage.addressing, [dep.read_params() for dep in stage.params], sorted(upstream)])


def exit_code(error: BaseException) -> int:
    """Return the code that the stage ended with which stopped a run."""
    cause: BaseException | None = error
    while cause is not None:
        found = _EXIT.search(str(cause))
        if found:
            return int(found[1])
        cause = cause.__cause__
    return 1


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with its process, however that ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
