"""Run the pipeline of a commit again, somewhere else and without any cache, and compare every byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from stages.core.artifacts import sha256_file
from stages.core.manifest import read_stages
from stages.core.release.difference import first_difference
from stages.core.release.finding import Finding
from stages.core.release.git import git

_LAST_LINES = 8


def rebuild(
    root: Path, commit: str, manifest: bytes, environment: Mapping[str, str], keep: Path | None = None
) -> list[Finding]:
    """Clone a commit, run its DAG with the Python that runs this, and compare what it makes with what there is.

    Parameters
    ----------
    root : Path
        The work tree with the artifacts to compare with.
    commit : str
    manifest : bytes
        The one that was released.
    environment : mapping of str to str
        All variables of the processes that run.
    keep : Path, optional
        A folder, not yet there, to rebuild in; without, a temporary one.
    """
    with _scratch(keep) as clone:
        git(root, "clone", "--quiet", "--no-checkout", str(root), str(clone))
        git(clone, "checkout", "--quiet", "--detach", commit)
        _bring_recordings(root, clone)
        failed = _run(clone, environment)
        if failed is not None:
            return [Finding("dvc.yaml", "rebuild", f"the pipeline does not run again: {failed}")]
        (out,) = read_stages(clone / "dvc.yaml")["release"]["outs"]
        again = (clone / out / "manifest.json").read_bytes()
        return _compare(root, json.loads(manifest), clone, json.loads(again)) or _compare_manifests(manifest, again)


@contextmanager
def _scratch(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        yield Path(folder) / "clone"


def _bring_recordings(root: Path, clone: Path) -> None:
    """Copy what DVC tracks as data; the pipeline refuses it if it is not what the commit says."""
    for name in git(clone, "ls-files", "*.dvc").splitlines():
        for out in yaml.safe_load((clone / name).read_text(encoding="utf-8"))["outs"]:
            path = Path(name).parent / out["path"]
            copy = shutil.copytree if (root / path).is_dir() else shutil.copy2
            copy(root / path, clone / path)


def _run(clone: Path, environment: Mapping[str, str]) -> str | None:
    """Run every stage; return the last lines of what was printed if it fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache"],
        cwd=clone,
        env={**environment, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return None if done.returncode == 0 else " | ".join(lines[-_LAST_LINES:])


def _compare(root: Path, before: Mapping[str, Any], clone: Path, after: Mapping[str, Any]) -> list[Finding]:
    """Compare the artifacts, in the order of the stages; the first finding names the stage where it began."""
    old, new = ({entry["path"]: entry for entry in each["artifacts"]} for each in (before, after))
    findings = []
    for path, entry in {**old, **new}.items():
        made = f"by the stage {entry['stage']}"
        if path not in new:
            findings.append(Finding(path, "rebuild", f"it was not made again {made}"))
        elif path not in old:
            findings.append(Finding(path, "rebuild", f"it was made {made}, and the release does not have it"))
        elif sha256_file(clone / path) != old[path]["sha256"]:
            what = first_difference(path, (root / path).read_bytes(), (clone / path).read_bytes())
            findings.append(Finding(path, "rebuild", f"it was made differently {made}: {what}"))
    return findings


def _compare_manifests(before: bytes, after: bytes) -> list[Finding]:
    if before == after:
        return []
    what = first_difference("manifest.json", before, after)
    return [Finding("manifest.json", "rebuild", f"every artifact is the same, and it is not: {what}")]
