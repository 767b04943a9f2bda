"""One pipeline run that waits for a stage which another job is computing, and then takes it from the cache."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

from stages.core.artifacts import sha256_json

_EXIT = re.compile(r"exited with (-?\d+)")
#: Of prctl(2) of Linux: the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG = 1


def reproduce(root: Path, locks: Path, travels: bool) -> int:
    """Run `dvc repro` with a lock around each stage.

    DVC parses and writes the whole of dvc.lock after each stage, and parses the configuration several times for each,
    which takes longer than a small job. Here both are done once.

    Parameters
    ----------
    root : Path
        The job's workspace.
    locks : Path
        A folder that all jobs of a machine share.
    travels : bool
        Take what is missing in the cache from DVC's remote, and leave there what was computed.

    Returns
    -------
    int
        0, or the exit code of the stage that failed, or 1 where none was the reason.
    """
    from dvc.exceptions import ReproductionError
    from dvc.repo import Repo

    keys: dict[str, str] = {}
    done: list[Any] = []

    def in_turn(stage: Any, **options: Any) -> Any:
        keys[stage.addressing] = stage_key(stage, [keys[other.addressing] for other in options["upstream"]])
        if stage.is_data_source:  # recordings that `dvc add` keeps, of which a clone has the hashes only
            stage.checkout(allow_missing=True)
        with locked(locks / keys[stage.addressing]) if stage.params else nullcontext():
            ran = stage.reproduce(**options)
        if ran and not ran.is_data_source:
            done.append(ran)
        return ran

    with parsed_once(), Repo(str(root)) as repo:
        try:
            repo.reproduce(repro_fn=in_turn, pull=travels)
            code = 0
        except ReproductionError as error:
            code = exit_code(error)
        if done:
            done[0].dvcfile.dump_stages(done, update_pipeline=False)
        if travels:
            repo.push(run_cache=True)
    return code


def stage_key(stage: Any, upstream: list[str]) -> str:
    """Name what a stage computes, by the parameters that it and all before it read.

    Jobs of one sweep run the same code on the same recordings, so nothing else tells their stages apart. `configure`
    reads no parameters; what it composes counts by the sections that others read of it.
    """
    return sha256_json([stage.addressing, [dep.read_params() for dep in stage.params], sorted(upstream)])


@contextmanager
def parsed_once() -> Iterator[None]:
    """Let DVC parse a YAML file again only if its text is another.

    What it parses for an update, to keep comments, is dvc.lock, which has none; keeping them takes a second.
    """
    from dvc.utils.serialize import _yaml

    parse = _yaml.parse_yaml
    known: dict[str, Any] = {}

    def parse_once(text: str, path: str, typ: str = "safe") -> Any:  # as DVC calls it
        if text not in known:
            known[text] = parse(text, path)
        return deepcopy(known[text])

    _yaml.parse_yaml = parse_once
    try:
        yield
    finally:
        _yaml.parse_yaml = parse


def exit_code(error: BaseException) -> int:
    """Return the code that the stage ended with which stopped a run."""
    cause: BaseException | None = error
    while cause is not None:
        found = _EXIT.search(str(cause))
        if found:
            return int(found[1])
        cause = cause.__cause__
    return 1


def end_with_parent() -> None:
    """Let this process, the leader of a group, end with all that it started when what started it ends."""
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    ask_for(signal.SIGTERM)


def ask_for(number: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with its process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
