"""The data set that `capture` made: which sessions there are, and where."""

from __future__ import annotations

from pathlib import Path

from stages.core.artifacts import read_json
from stages.core.recordings.session import SessionFile


def session_files(capture: Path) -> dict[str, SessionFile]:
    """Return the usable sessions of a data set by id, none of them opened.

    Parameters
    ----------
    capture : Path
        Output folder of that stage.

    Raises
    ------
    ArtifactError
        If ``dataset.json`` is missing or damaged.
    """
    entries = read_json(capture / "dataset.json")["sessions"]
    return {entry["session_id"]: SessionFile(capture / entry["path"]) for entry in entries if not entry["excluded"]}
