"""Figures for documents, each with the file and the place in it that it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.core.artifacts import read_json
from stages.core.errors import ArtifactError
from stages.core.release.tree_checks import artifact

Place = str | int


class Sources:
    """The artifacts of a release, read when a figure of them is asked for.

    Parameters
    ----------
    root : Path
        The work tree.
    manifest : mapping
    """

    def __init__(self, root: Path, manifest: Mapping[str, Any]) -> None:
        self._root = root
        self._manifest = manifest
        self._read: dict[str, Any] = {}

    def value(self, stage: str, name: str, *places: Place) -> Any:
        """Return what an artifact says at a place; None if it has no such place."""
        found = self._content(artifact(self._manifest, stage, name))
        for place in places:
            try:
                found = found[place]
            except (KeyError, IndexError, TypeError):
                return None
        return found

    def row(self, what: str, stage: str, name: str, *places: Place) -> str:
        """Return a line of a table: what it is, the figure, and where it stands."""
        return self._row(what, as_text(self.value(stage, name, *places)), stage, name, places)

    def interval(self, what: str, stage: str, name: str, *places: Place) -> str:
        """Return a line of a table whose figure is an interval, ``low`` and ``high`` at the place."""
        low, high = (self.value(stage, name, *places, end) for end in ("low", "high"))
        return self._row(what, f"{as_text(low)} .. {as_text(high)}", stage, name, places)

    def _row(self, what: str, figure: str, stage: str, name: str, places: tuple[Place, ...]) -> str:
        path = artifact(self._manifest, stage, name)
        return f"| {what} | {figure} | `{path}` | `{'/'.join(map(str, places))}` |"

    def _content(self, path: str) -> Any:
        if path not in self._read:
            self._read[path] = _content_of(self._root / path)
        return self._read[path]


def _content_of(file: Path) -> Any:
    if file.suffix == ".json":
        return read_json(file)
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ArtifactError(
            found=f"it cannot be read ({' '.join(str(error).split())})",
            where=str(file),
            expected="an artifact of the release",
            remedy="Run `dvc repro`",
        ) from None


def as_text(value: Any) -> str:
    """Return a figure as documents have it: a number with up to six digits, what is not there as a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(as_text, value))
    return "-" if value is None else str(value)


def short(value: float | None) -> str:
    """Return a measured figure as a comparison has it: three digits, or the whole of what is 100 or more."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
