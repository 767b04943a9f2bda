"""From a hash, or a file that has one or carries some, to the runs that made it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from stages.core.bundle.format import MAGIC, unpack, without_signature
from stages.core.cgen.identity import MODEL_MARK
from stages.core.errors import ArtifactError, ConfigError
from stages.core.tracking.delivery import HASH, PARENT, SHA256
from stages.core.tracking.store import EXPERIMENT, address, connect, is_there, reason

_HEX = re.compile(r"[0-9a-f]{8,64}")
_FULL = 64


@dataclass(frozen=True)
class Clue:
    """A hash, or the first digits of one, and what it is of."""

    digits: str
    what: str


@dataclass(frozen=True)
class Found:
    """A run, or a registered version, that has to do with a hash.

    Attributes
    ----------
    clue : Clue
        What led to it.
    made : str
        Path of the file, or name of the hash, that the run recorded.
    stage, status, run_id : str
    task, commit, parent : str or None
    start : datetime
        In UTC.
    """

    clue: Clue
    made: str
    stage: str
    status: str
    run_id: str
    task: str | None
    commit: str | None
    parent: str | None
    start: datetime


def clues(what: str) -> list[Clue]:
    """Return what can be looked up of a file, or of a hash given as 8 to 64 hex digits.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    path = Path(what)
    if path.is_file():
        return _of_file(path)
    if _HEX.fullmatch(what.lower()):
        return [Clue(what.lower(), "hash")]
    raise ConfigError(
        found="there is no such file, and it is no hash",
        where=what,
        expected="a file, or 8 to 64 hex digits of a SHA-256",
        remedy="Look at the path; `sha256sum FILE` gives the hash of a file that is elsewhere",
    )


def _of_file(path: Path) -> list[Clue]:
    content = path.read_bytes()
    found = [Clue(_sha256(content), "file")]
    if content.startswith(MAGIC):
        unsigned = _sha256(without_signature(content))
        found += [Clue(unsigned, "bundle before it was signed")] if unsigned != found[0].digits else []
        found.append(Clue(unpack(content).identity.model_version, "model version in the bundle"))
    mark = MODEL_MARK.encode() + b"\0"
    at = content.find(mark)
    if at >= 0:
        begin = at + len(mark)
        found.append(Clue(content[begin : begin + _FULL // 2].hex(), "model version in the image"))
    return found


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def search(wanted: list[Clue]) -> list[Found]:
    """Return what the record knows of some hashes, latest first.

    Raises
    ------
    ConfigError
        If there is no record here.
    ArtifactError
        If it does not answer.
    """
    if not is_there():
        raise ConfigError(
            found=f"no record is kept there yet ({address()})",
            where="MLFLOW_TRACKING_URI",
            expected="a database or a server that stages wrote to",
            remedy="Run `dvc repro`, or set MLFLOW_TRACKING_URI to where the record is",
        )
    try:
        record = _Record()
        found = [each for clue in wanted for each in record.find(clue)]
    except Exception as error:
        raise ArtifactError(
            found=f"it does not answer ({reason(error)})",
            where=address(),
            expected="the MLflow that keeps the record",
            remedy="Start the server, or set MLFLOW_TRACKING_URI to where the record is",
        ) from None
    by_name = sorted(dict.fromkeys(found), key=lambda each: each.made)
    return sorted(by_name, key=lambda each: each.start, reverse=True)


class _Record:
    def __init__(self) -> None:
        self._client = connect()
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        self._experiments = [experiment.experiment_id] if experiment is not None else []
        self._name: Callable[[str], str] = cache(lambda run_id: str(self._client.get_run(run_id).info.run_name))

    def find(self, clue: Clue) -> Iterator[Found]:
        """Yield the runs that recorded a hash, and the releases that carry it."""
        # A filter needs the whole key of a tag; for the beginning of one, every run has to be looked at.
        if len(clue.digits) < _FULL:
            yield from self._among(self._pages("tags.stage IS NOT NULL"), clue)
            return
        for kind in (SHA256, HASH):
            yield from self._among(self._pages(f"tags.`{kind}{clue.digits}` IS NOT NULL"), clue)
        for version in self._client.search_model_versions(f"tags.`{SHA256}{clue.digits}` != ''"):
            yield self._release(version, clue)

    def _pages(self, condition: str) -> Iterator[Any]:
        token: str | None = None
        while self._experiments and token != "":
            page = self._client.search_runs(self._experiments, condition, max_results=200, page_token=token)
            yield from page
            token = page.token or ""

    def _among(self, runs: Iterator[Any], clue: Clue) -> Iterator[Found]:
        starts = (SHA256 + clue.digits, HASH + clue.digits)
        for run in runs:
            for key, made in run.data.tags.items():
                if key.startswith(starts):
                    yield self._run(run, clue, made)

    def _run(self, run: Any, clue: Clue, made: str) -> Found:
        tags, above = run.data.tags, run.data.tags.get(PARENT)
        return Found(
            clue=clue,
            made=made,
            stage=tags.get("stage", ""),
            status=run.info.status,
            run_id=run.info.run_id,
            task=tags.get("task"),
            commit=tags.get("mlflow.source.git.commit"),
            parent=self._name(above) if above else None,
            start=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        )

    def _release(self, version: Any, clue: Clue) -> Found:
        return Found(
            clue=clue,
            made=version.tags[SHA256 + clue.digits],
            stage="registry",
            status=version.status,
            run_id=version.run_id or "",
            task=version.name.removeprefix("tailgate-"),
            commit=version.source.removeprefix("git:/"),
            parent=f"{version.name}, version {version.version}",
            start=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        )
