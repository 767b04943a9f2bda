"""The manifest: every artifact with its hash, and for each stage the hashes of what it was made from.

Read from the working tree through `dvc.yaml`, so it says the same in every clone of one commit. The commit
itself is not inside: a commit that touches nothing in the DAG must change no byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stages.core.artifacts import sha256_file, sha256_json
from stages.core.errors import ArtifactError

_SKIPPED = {"__pycache__"}


def read_stages(dvc_yaml: Path) -> dict[str, Any]:
    """Return the stages of a `dvc.yaml`, in order."""
    return dict(yaml.safe_load(dvc_yaml.read_text(encoding="utf-8"))["stages"])


def files_under(path: Path) -> Iterator[Path]:
    """Yield a file, or every file of a directory in name order."""
    if not path.exists():
        raise ArtifactError(
            found="it does not exist",
            where=str(path),
            expected="a file or folder that dvc.yaml names",
            remedy="Run `dvc repro`",
        )
    if path.is_file():
        yield path
        return
    for child in sorted(path.iterdir()):
        if child.name not in _SKIPPED:
            yield from files_under(child)


def paths_of(entries: list[Any]) -> list[str]:
    """Return the paths of a deps or outs list, whose entries may carry options."""
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def hash_path(root: Path, path: str) -> str:
    """Hash a file, or a directory as the list of its relative paths and file hashes."""
    target = root / path
    if target.is_file():
        return sha256_file(target)
    return sha256_json([[file.relative_to(target).as_posix(), sha256_file(file)] for file in files_under(target)])


def artifacts(root: Path, stages: dict[str, Any]) -> list[dict[str, Any]]:
    """List every output file of some stages: path, size, SHA-256, producing stage."""
    return [
        {
            "path": file.relative_to(root).as_posix(),
            "bytes": file.stat().st_size,
            "sha256": sha256_file(file),
            "stage": name,
        }
        for name, stage in stages.items()
        for out in paths_of(stage.get("outs", []))
        for file in files_under(root / out)
    ]


def name_of(version: str, content: dict[str, Any]) -> dict[str, str]:
    """Name a release by the version that was chosen and the hash of all that it accounts for.

    Parameters
    ----------
    version : str
    content : dict
        The manifest without ``release``, which is what this returns.
    """
    return {"version": version, "release_id": f"{version}+{sha256_json(content)[:12]}"}


def provenance(root: Path, stages: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Say for each stage what it was made from.

    Parameters
    ----------
    root : Path
    stages : dict
    config : dict
        `data/config.yaml`, for the sections that stages name as parameters.

    Returns
    -------
    dict
        Per stage the SHA-256 of each dependency and of each configuration section it reads.
    """
    return {
        name: {
            "deps": {path: hash_path(root, path) for path in sorted(paths_of(stage.get("deps", [])))},
            "config": {section: sha256_json(config[section]) for section in _sections(stage, config)},
        }
        for name, stage in stages.items()
    }


def _sections(stage: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """Return the sections of `data/config.yaml` that a stage reads; naming the file alone means all."""
    entries = [entry for entry in stage.get("params", []) if isinstance(entry, dict)]
    return sorted({section for entry in entries for sections in entry.values() for section in sections or config})
