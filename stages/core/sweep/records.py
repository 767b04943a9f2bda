"""The record of each job that ended, written whole or not at all: what a sweep that was stopped need not repeat."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from stages.core.artifacts import json_ready, read_json, write_json
from stages.core.errors import ArtifactError, BudgetExceeded, GateRefused, ParityBroken

Outcome = Literal["released", "refused", "failed"]
_OUTCOME_BY_EXIT: dict[int, Outcome] = {0: "released", GateRefused.exit_code: "refused"}
#: A job that ends so does so every time; anything else, such as a full disk, is tried again.
_FINAL = {0, GateRefused.exit_code, BudgetExceeded.exit_code, ParityBroken.exit_code}


@dataclass(frozen=True)
class Record:
    """How a job ended.

    Attributes
    ----------
    key : str
        That of the job.
    number : int
        The job's number when it ran.
    chosen, params : dict
        As in the job.
    exit_code : int
        0, that of the stage which ended the run, or 1 if the run ended without a stage's word.
    stages_run : list of str
        The stages that were computed; the others came out of the cache.
    figures : dict
        Metrics by name; null where a job has none.
    seconds : float
        Duration of the whole job.
    experiment : str or None
        Name of the DVC experiment, of a job that came to a release.
    """

    key: str
    number: int
    chosen: dict[str, Any]
    params: dict[str, Any]
    exit_code: int
    stages_run: list[str]
    figures: dict[str, float | None]
    seconds: float
    experiment: str | None

    @property
    def outcome(self) -> Outcome:
        """What the exit code means for the sweep."""
        return _OUTCOME_BY_EXIT.get(self.exit_code, "failed")

    @property
    def is_final(self) -> bool:
        """Whether the same job would end the same way."""
        return self.exit_code in _FINAL


def write_record(folder: Path, record: Record) -> None:
    """Write a job's record into the folder of its sweep."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{record.key}.{os.getpid()}.partial"
    write_json(partial, json_ready(asdict(record)))
    partial.replace(folder / f"{record.key}.json")


def find_record(folder: Path, key: str) -> Record | None:
    """Return the record of a job that ended for good, if there is one."""
    path = folder / f"{key}.json"
    record = Record(**read_json(path)) if path.exists() else None
    return record if record is not None and record.is_final else None


def read_records(folder: Path) -> list[Record]:
    """Read the records of a sweep, in the order of its jobs.

    Raises
    ------
    ArtifactError
        If there is none.
    """
    records = [Record(**read_json(path)) for path in folder.glob("*.json")]
    if not records:
        raise ArtifactError(
            found="no job of a sweep is recorded there",
            where=str(folder),
            expected="a folder that `python -m stages.sweep -m` filled",
            remedy="Run a sweep first, or name its folder with --sweep",
        )
    return sorted(records, key=lambda record: (record.number, record.key))


def latest_sweep(root: Path) -> Path:
    """Return the folder of the sweep that recorded a job last, or the root itself if there is none."""
    records = sorted(root.glob("*/*.json"), key=lambda path: path.stat().st_mtime)
    return records[-1].parent if records else root


def complete(records: list[Record], names: Mapping[str, Any]) -> list[Record]:
    """Return the released jobs that have all figures of some names."""
    return [
        record
        for record in records
        if record.outcome == "released" and all(record.figures.get(name) is not None for name in names)
    ]
