"""Records that wait to be sent: a folder for each, with the files that go with it, whole or not there."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stages.core.tracking.record import Record, from_json

#: Environment variable of a spool elsewhere, for a workspace that goes when its run ends.
PLACE = "TAILGATE_TRACKING"
FOLDER = ".tracking"
_RECORD = "record.json"
_FILES = "files"
#: Seconds to wait for another process that is sending.
_PATIENCE_S = 10.0


class Unreadable(Exception):
    """A record that another version of the code wrote, or somebody changed."""


def new_id(what: str, at_ms: int) -> str:
    """Name a record so that names sort by time."""
    return f"{at_ms:013d}-{what}-{uuid.uuid4().hex[:8]}"


def put(record: Record, files: Mapping[str, Path]) -> None:
    """Set a record aside, with copies of some files by the names that MLflow is to show them under."""
    folder = _unsent() / record.id
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True)
    for name, path in files.items():
        copy = partial / _FILES / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    (partial / _RECORD).write_text(json.dumps(asdict(record)), encoding="utf-8")
    partial.rename(folder)


def waiting() -> list[Path]:
    """Return the folders of records that were not sent, oldest first."""
    return sorted(path.parent for path in _unsent().glob(f"*/{_RECORD}") if not path.parent.suffix)


def read(folder: Path) -> tuple[Record, Path]:
    """Return a record, and the folder of its files, which may not exist.

    Raises
    ------
    Unreadable
        If it is not as this version writes it.
    """
    try:
        return from_json(json.loads((folder / _RECORD).read_text(encoding="utf-8"))), folder / _FILES
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"{folder / _RECORD}: {error}") from None


def drop(folder: Path) -> None:
    """Remove a record; one that is removed half never looks like one that waits."""
    sent = folder.with_suffix(".sent")
    folder.rename(sent)
    shutil.rmtree(sent)


def set_aside(folder: Path) -> Path:
    """Move a record to where no delivery meets it again, and return the place."""
    place = _place() / "refused" / folder.name
    place.parent.mkdir(parents=True, exist_ok=True)
    return folder.rename(place)


@contextmanager
def sole_sender() -> Iterator[bool]:
    """Give whether this process alone may send; waits some seconds for another that does.

    Who had to give up need not come back: the other looks for new records until it finds none.
    """
    _unsent().mkdir(parents=True, exist_ok=True)
    with (_place() / "lock").open("w") as file:
        deadline = time.monotonic() + _PATIENCE_S
        while not (ours := _locked(file.fileno())) and time.monotonic() < deadline:
            time.sleep(0.1)
        if ours:
            for left in _unsent().glob("*.sent"):
                shutil.rmtree(left)
        yield ours


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_last(stage: str, value: dict[str, Any]) -> None:
    """Note in this workspace how a stage's last run went."""
    folder = Path(FOLDER) / "last"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{stage}.{os.getpid()}.partial"
    partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / f"{stage}.json")


def _place() -> Path:
    return Path(os.environ.get(PLACE, FOLDER))


def _unsent() -> Path:
    return _place() / "unsent"
