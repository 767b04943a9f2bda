"""What is different from an earlier release, read from git and from DVC's cache."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.core.errors import ArtifactError
from stages.core.release.comparison import Change, Manifest, changes, leaves
from stages.core.release.git import blob, git
from stages.core.report.overview.history import Since

#: Commits of `dvc.lock` that are looked through for an earlier release.
_LOOKED_AT = 20
_MANIFEST, _CONFIG, _LOCK = "models/release/manifest.json", "data/config.yaml", "dvc.lock"


def read_since(root: Path, manifest: Manifest | None, config: Mapping[str, Any], rev: str | None) -> Since | None:
    """Compare with an earlier release, that DVC still has the files of.

    Parameters
    ----------
    root : Path
        The work tree.
    manifest : mapping or None
        Of the release here; None compares the configuration alone, as after a refusal.
    config : mapping
        `data/config.yaml` here.
    rev : str or None
        The commit of the earlier release; None takes the latest that is different.

    Raises
    ------
    ArtifactError
        If `rev` is given and has no release that can be read.
    """
    for each in [rev] if rev else _revisions(root):
        try:
            found = _found(_release(root, each), manifest, config)
        except ArtifactError:
            if rev:
                raise
            continue
        if rev or any(change.heading != "release" for change in found):
            commit, _, subject = git(root, "show", "--no-patch", "--format=%h %s", each).partition(" ")
            return Since(commit, subject, found)
    return None


def _revisions(root: Path) -> list[str]:
    try:
        return git(root, "log", f"--max-count={_LOOKED_AT}", "--format=%H", "--", "dvc.lock").split()
    except ArtifactError:
        return []


def _found(
    earlier: tuple[Manifest, Mapping[str, Any]], manifest: Manifest | None, config: Mapping[str, Any]
) -> list[Change]:
    before, before_config = earlier
    found = _settings(before_config, config)
    if manifest is None:
        return found
    try:
        return found + [change for change in changes(before, manifest) if change.heading != "config"]
    except KeyError as error:
        raise ArtifactError(
            found=f"it has no {error}",
            where=f"the earlier {_MANIFEST}",
            expected="a manifest of the format that this version writes",
            remedy="Name another commit with --against",
        ) from error


def _settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    old, new = leaves(before), leaves(after)
    places = [place for place in {**old, **new} if old.get(place) != new.get(place)]
    return [Change("config", place, old.get(place), new.get(place)) for place in places]


def _release(root: Path, rev: str) -> tuple[Manifest, Mapping[str, Any]]:
    """Return the manifest of a commit's release, from the cache, and the configuration, from the lock file."""
    import dvc.api
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexError
    from scmrepo.exceptions import SCMError

    try:
        lock = yaml.load(blob(root, rev, _LOCK), yaml.CSafeLoader)
        config = lock["stages"]["release"]["params"][_CONFIG]
        return json.loads(dvc.api.read(_MANIFEST, repo=str(root), rev=rev)), config
    except (DvcException, DataIndexError, SCMError, OSError, KeyError) as error:
        raise ArtifactError(
            found=f"its release cannot be read ({type(error).__name__}: {error})",
            where=f"commit {rev}",
            expected="a commit whose release is in DVC's cache",
            remedy="Fetch it with `dvc fetch --all-commits`, or name another commit with --against",
        ) from error
