"""What an audit is asked to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.core.manifest import read_stages
from stages.core.release.finding import Finding
from stages.core.release.folder import BUNDLE, MANIFEST, RELEASE, from_tag, read_folder
from stages.core.release.folder_checks import check_folder, check_tag, read_facts
from stages.core.release.git import tag_message
from stages.core.release.signing import signature_name


@dataclass(frozen=True)
class Target:
    """What is audited.

    Attributes
    ----------
    name : str
        As it was given.
    files : dict of str to bytes
        `manifest.json`, `bundle.bin`, and what there is beside them.
    findings : list of Finding
        What is wrong with these files, compared with each other.
    """

    name: str
    files: dict[str, bytes]
    findings: list[Finding]

    @property
    def facts(self) -> dict[str, Any] | None:
        """What `release.json` says, if there is one."""
        return read_facts(self.files[RELEASE]) if RELEASE in self.files else None


def find(name: str, root: Path, key: bytes | None) -> Target:
    """Take a folder of a release, a manifest with or without one around it, or a git tag.

    Parameters
    ----------
    name : str
    root : Path
        The work tree.
    key : bytes or None
        The public key that is trusted.

    Raises
    ------
    ArtifactError
        If it is neither a path nor a tag.
    """
    path = Path(name)
    folder = path if path.is_dir() else path.parent
    if path.exists() and (folder / RELEASE).exists():
        files = read_folder(folder)
        return Target(name, files, check_folder(files, key))
    if path.is_dir():
        return Target(name, {}, [Finding(RELEASE, "missing", f"there is none in {name}")])
    if path.exists():
        made, findings = _made(folder)
        unsigned = [] if key is None else [Finding(MANIFEST, "unsigned", f"there is no {RELEASE} beside it")]
        return Target(name, made, findings + unsigned)
    bound = from_tag(tag_message(root, name))
    (out,) = read_stages(root / "dvc.yaml")["release"]["outs"]
    made, findings = _made(root / out)
    release, signature = bound.get(RELEASE, b""), bound.get(signature_name(RELEASE))
    return Target(name, {**made, **bound}, findings or check_tag(release, signature, made[MANIFEST], key))


def _made(folder: Path) -> tuple[dict[str, bytes], list[Finding]]:
    """Read what the stage `release` made."""
    made = {name: (folder / name).read_bytes() for name in (MANIFEST, BUNDLE) if (folder / name).is_file()}
    absent = [
        Finding(name, "missing", f"it is not in {folder.name}") for name in (MANIFEST, BUNDLE) if name not in made
    ]
    return made, absent
