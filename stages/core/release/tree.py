"""Everything that can be asked of a work tree about the release that was made in it, without making it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rfc8785

from stages.core.bundle.format import unpack
from stages.core.manifest import name_of, read_stages
from stages.core.release.content_checks import check_content
from stages.core.release.finding import Finding
from stages.core.release.tree_checks import (
    artifact,
    check_artifacts,
    check_clean,
    check_dataset,
    check_git,
    check_lock,
    check_provenance,
)
from stages.core.settings import read_config


def check_tree(root: Path, manifest: bytes, bundle: bytes, facts: Mapping[str, Any] | None) -> list[Finding]:
    """Compare a work tree with a manifest and with what binds it.

    Parameters
    ----------
    root : Path
    manifest, bundle : bytes
    facts : mapping or None
        What `release.json` says; None before there is one.
    """
    content = _read(manifest)
    if content is None:
        return [Finding("manifest.json", "altered", "its release id is not the hash of its content")]
    stages = read_stages(root / "dvc.yaml")
    findings = check_artifacts(root, content, stages)
    findings += check_clean(root) if facts is None else check_git(root, facts)
    configured = artifact(content, "configure", "config.yaml")
    # If the configuration is not the one, each stage would be found to differ from it.
    if any(finding.file == configured for finding in findings):
        return findings
    config = read_config(root / configured)
    further = check_provenance(root, content, stages, config) + check_lock(root, stages, config)
    findings += [finding for finding in further if not _follows(finding, findings)]
    if not findings:
        findings += check_dataset(root, content) + check_content(root, content, unpack(bundle), config)
    return findings


def _read(manifest: bytes) -> dict[str, Any] | None:
    """Return what a manifest says; None if it is not what it was when it was named."""
    try:
        content = json.loads(manifest)
        rest = {key: value for key, value in content.items() if key != "release"}
        is_whole = content["release"] == name_of(content["release"]["version"], rest)
        return dict(content) if is_whole and rfc8785.dumps(content) == manifest else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _follows(finding: Finding, of: list[Finding]) -> bool:
    """Return whether a finding on a file or folder only repeats what was found of a file in it."""
    inside = f"{finding.file}/"
    return any(other.kind not in ("dirty", "commit") and (other.file + "/").startswith(inside) for other in of)
