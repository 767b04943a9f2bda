"""Where a source that reads a folder finds it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from stages.core.errors import RecordingError


def data_folder(folder: str, relative_to: Literal["repository", "datasets"], root: Path | None) -> Path:
    """Return the folder that a section names.

    Parameters
    ----------
    folder : str
    relative_to : {"repository", "datasets"}
    root : Path or None
        The folder of data sets.

    Raises
    ------
    RecordingError
        If the folder of data sets is needed and not known.
    """
    if relative_to == "repository":
        return Path(folder)
    if root is None:
        raise RecordingError(
            found="capture.relative_to is datasets and the environment variable BEARING_DATASETS_ROOT is not set",
            where=f"folder {folder!r}",
            expected="the folder of data sets that holds it",
            remedy="Set BEARING_DATASETS_ROOT, or put the files into the repository and set capture.relative_to to "
            "repository",
        )
    return root / folder
