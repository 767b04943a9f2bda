"""Whether a work tree holds what a manifest lists, made from what it says, at the commit that a release binds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.core.artifacts import read_json, sha256_file, sha256_json
from stages.core.errors import ArtifactError
from stages.core.manifest import files_under, paths_of, provenance
from stages.core.release.finding import Finding
from stages.core.release.git import blob, changes, git

_LOCK = "dvc.lock"


def check_artifacts(root: Path, manifest: Mapping[str, Any], stages: Mapping[str, Any]) -> list[Finding]:
    """Compare every artifact with its entry, and look for files that have none."""
    listed = {entry["path"]: entry for entry in manifest["artifacts"]}
    findings = [finding for path in sorted(listed) for finding in _check_artifact(root / path, listed[path])]
    outs = [root / out for stage in stages.values() for out in paths_of(stage.get("outs", [])) if (root / out).exists()]
    present = {file.relative_to(root).as_posix() for out in outs for file in files_under(out)}
    added = sorted(present - set(listed) - _manifests(stages))
    return findings + [Finding(path, "added", "the manifest does not list it") for path in added]


def _manifests(stages: Mapping[str, Any]) -> set[str]:
    """Return what a manifest cannot list: itself."""
    return {f"{out}/manifest.json" for out in paths_of(stages["release"]["outs"])}


def _check_artifact(file: Path, entry: Mapping[str, Any]) -> Iterator[Finding]:
    path, by = entry["path"], f"an output of the stage {entry['stage']}"
    if not file.is_file():
        yield Finding(path, "missing", f"{by} that the manifest lists")
    elif sha256_file(file) != entry["sha256"]:
        size = file.stat().st_size
        if size == 0:
            yield Finding(path, "empty", f"{by} of {entry['bytes']} bytes")
        elif size < entry["bytes"]:
            yield Finding(path, "truncated", f"{by} has {size} bytes instead of {entry['bytes']}")
        else:
            yield Finding(path, "altered", f"{by} has another SHA-256 than the manifest says")


def check_provenance(
    root: Path, manifest: Mapping[str, Any], stages: Mapping[str, Any], config: Mapping[str, Any]
) -> list[Finding]:
    """Compare what each stage would be made from now with what it was made from, stage by stage."""
    recorded = manifest["provenance"]
    if sorted(recorded) != sorted(stages):
        return [Finding("dvc.yaml", "dag", f"it has the stages {sorted(stages)}, the manifest {sorted(recorded)}")]
    try:
        now = provenance(root, dict(stages), dict(config))
    except (ArtifactError, KeyError) as error:
        return [Finding(str(getattr(error, "where", error)), "dag", "a stage depends on it and it cannot be read")]
    findings = []
    for stage in stages:
        for part, meaning in (("deps", "made from other content of it"), ("config", "made with another such section")):
            before, after = recorded[stage][part], now[stage][part]
            differ = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
            findings += [Finding(name, "dag", f"the stage {stage} was {meaning}") for name in differ]
    return findings


def check_lock(root: Path, stages: Mapping[str, Any], config: Mapping[str, Any]) -> list[Finding]:
    """Compare `dvc.lock` with the DAG, and with the files and the sections of the configuration there are."""
    lock = root / _LOCK
    if not lock.is_file():
        return [Finding(_LOCK, "missing", "nothing says what DVC has made")]
    locked = (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {})
    hashes: dict[str, str | None] = {}
    findings = []
    for name, stage in stages.items():
        if name not in locked:
            findings.append(Finding(_LOCK, "lock", f"it does not have the stage {name}"))
            continue
        findings += _check_locked(root, name, stage, locked[name], hashes)
        sections = [each for of_file in locked[name].get("params", {}).values() for each in of_file.items()]
        other = [section for section, value in sections if config.get(section) != value]
        findings += [Finding(_LOCK, "lock", f"the stage {name} was made with another section {each}") for each in other]
    return findings


def _check_locked(
    root: Path, name: str, stage: Mapping[str, Any], locked: Mapping[str, Any], hashes: dict[str, str | None]
) -> Iterator[Finding]:
    if locked["cmd"].split() != stage["cmd"].split():
        yield Finding(_LOCK, "lock", f"the stage {name} was made by another command than dvc.yaml has")
    for part in ("deps", "outs"):
        entries = {entry["path"]: entry["md5"] for entry in locked.get(part, [])}
        if set(entries) != set(paths_of(stage.get(part, []))):
            yield Finding(_LOCK, "lock", f"the stage {name} has other {part} than in dvc.yaml")
        for path, md5 in entries.items():
            if path not in hashes:
                hashes[path] = dvc_hash(root / path)
            if hashes[path] != md5:
                hashes[path] = md5  # said once
                yield Finding(path, "lock", f"it is not what dvc.lock has among the {part} of the stage {name}")


def dvc_hash(path: Path) -> str | None:
    """Return DVC's hash of a file, or of a folder as the MD5 of its list of files; None if there is no such path."""
    if path.is_file():
        return _md5(path.read_bytes())
    if not path.is_dir():
        return None
    files = {file.relative_to(path).as_posix(): _md5(file.read_bytes()) for file in files_under(path)}
    listed = [{"md5": files[name], "relpath": name} for name in sorted(files)]
    return _md5(json.dumps(listed, sort_keys=True).encode()) + ".dir"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def check_git(root: Path, facts: Mapping[str, Any]) -> list[Finding]:
    """Compare the work tree with the commit and the tag that `release.json` binds."""
    commit, tag = facts["commit"], facts["tag"]
    try:
        git(root, "cat-file", "-e", f"{commit}^{{commit}}")
    except ArtifactError:
        return [Finding("release.json", "commit", f"it binds the commit {commit}, which is not in {root}")]
    findings = []
    head = git(root, "rev-parse", "HEAD")
    if head != commit:
        findings.append(Finding("release.json", "commit", f"it binds the commit {commit}, and {head} is checked out"))
    if tag is not None and _commit_of(root, tag) != commit:
        findings.append(Finding("release.json", "commit", f"the tag {tag} that it names is not on its commit"))
    if lock_hash(root, commit) != facts["dvc_lock_sha256"]:
        findings.append(Finding(_LOCK, "lock", f"the commit has another than {facts['dvc_lock_sha256']}"))
    return findings + check_clean(root)


def lock_hash(root: Path, commit: str) -> str | None:
    """Return the SHA-256 of `dvc.lock` as a commit has it; None if it has none."""
    try:
        return hashlib.sha256(blob(root, commit, _LOCK)).hexdigest()
    except ArtifactError:
        return None


def _commit_of(root: Path, tag: str) -> str | None:
    try:
        return git(root, "rev-parse", f"refs/tags/{tag}^{{commit}}")
    except ArtifactError:
        return None


def check_clean(root: Path) -> list[Finding]:
    """Name the files that differ from the commit that is checked out."""
    return [Finding(name, "dirty", "it differs from the commit that is checked out") for name in changes(root)]


def check_dataset(root: Path, manifest: Mapping[str, Any]) -> list[Finding]:
    """Compare the sessions with their list, and its hash with the data set's id."""
    path = artifact(manifest, "capture", "dataset.json")
    dataset = read_json(root / path)
    used = [session for session in dataset["sessions"] if not session["excluded"]]
    findings = []
    for session in used:
        file = root / Path(path).parent / session["path"]
        if not file.is_file() or sha256_file(file) != session["sha256"]:
            name = file.relative_to(root).as_posix()
            findings.append(Finding(name, "dataset", f"it is not the session {session['session_id']} of {path}"))
    identity = sha256_json([[session["path"], session["sha256"]] for session in used])
    if not identity == dataset["dataset_id"] == manifest["dataset_id"]:
        findings.append(Finding(path, "dataset", f"its sessions give {identity}, not {manifest['dataset_id']}"))
    return findings


def artifact(manifest: Mapping[str, Any], stage: str, name: str) -> str:
    """Return the path of an artifact by the stage that makes it and its file name, the one nearest to the root.

    Raises
    ------
    ArtifactError
        If the stage has none of that name.
    """
    paths = [entry["path"] for entry in manifest["artifacts"] if entry["stage"] == stage]
    found = sorted((path for path in paths if Path(path).name == name), key=lambda path: path.count("/"))
    if not found:
        raise ArtifactError(
            found=f"the stage {stage} has no {name}",
            where="the manifest",
            expected="the artifacts of every stage",
            remedy="Make the release again with `dvc repro`",
        )
    return str(found[0])
