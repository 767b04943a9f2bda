"""What a stage ran in: the pipeline that started it, its task, its commit."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from stages.core.errors import ArtifactError
from stages.core.release.git import git
from stages.core.tracking.record import Pipeline, bounded

#: Environment variable by which a sweep says of which sweep and job a pipeline is: ``<sweep>/<job>``.
SWEEP = "TAILGATE_SWEEP"
_PARAMS = Path("params.yaml")


def in_a_sweep() -> bool:
    """Return whether a sweep started this process, and sends the records of all its jobs."""
    return SWEEP in os.environ


def pipeline() -> Pipeline | None:
    """Return the pipeline that started this process, if one did."""
    try:
        process = next((each for each in psutil.Process().parents() if _runs_a_pipeline(_words(each))), None)
        begun = process.create_time() if process is not None else 0.0
    except psutil.Error:
        return None
    if process is None:
        return None
    # Processes may follow each other under one number, and `dvc exp run` works for several folders in one.
    told = f"{platform.node()} {process.pid} {begun} {Path.cwd()}"
    sweep, _, job = os.environ.get(SWEEP, "").partition("/")
    chosen, _ = bounded(params().get("overrides") or {})
    return Pipeline(
        hashlib.sha256(told.encode()).hexdigest()[:16], int(begun * 1000), chosen, sweep or None, job or None
    )


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _runs_a_pipeline(words: list[str]) -> bool:
    called = {Path(word).name for word in words[:2]}
    return "dvc" in called or words[1:3] == ["-m", "dvc"] or words[2:4] == ["stages.sweep", "reproduce"]


def params() -> dict[str, Any]:
    """Return what this workspace's params.yaml says, empty if there is none."""
    if not _PARAMS.is_file():
        return {}
    return dict(yaml.safe_load(_PARAMS.read_text(encoding="utf-8")) or {})


def commit() -> str | None:
    """Return the commit that is checked out, with ``+`` if files of it were changed, or None without git.

    `dvc repro` itself writes dvc.lock.
    """
    try:
        changed = git(Path(), "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)dvc.lock")
        return git(Path(), "rev-parse", "HEAD") + ("+" if changed else "")
    except ArtifactError:
        return None


def began_ms(stage: str) -> int:
    """Return when a stage began: with its process, as loading libraries is part of what it takes, or now."""
    module = getattr(sys.modules["__main__"], "__spec__", None)
    began = time.time()
    if module is not None and module.name == f"stages.{stage}":
        with suppress(psutil.Error):
            began = psutil.Process().create_time()
    return int(began * 1000)
