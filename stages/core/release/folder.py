"""The folder of a release: what is in it, and what `release.json` says of that."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import rfc8785

from stages.core.bundle.format import to_sign
from stages.core.release.signing import SecretKey, signature_file, signature_name

RELEASE, MANIFEST, BUNDLE = "release.json", "manifest.json", "bundle.bin"
FORMAT = 1


@dataclass(frozen=True)
class Binding:
    """What a manifest cannot say of itself, since it would change the manifest.

    Attributes
    ----------
    commit : str
        Of git, 40 hex digits.
    tag : str or None
    dvc_lock_sha256 : str
    """

    commit: str
    tag: str | None
    dvc_lock_sha256: str


def assemble(
    manifest: bytes, facts: Mapping[str, Any], bundle: bytes, documents: Mapping[str, bytes], key: SecretKey | None
) -> dict[str, bytes]:
    """Return the files of a release by name.

    Parameters
    ----------
    manifest : bytes
        As the stage `release` wrote it.
    facts : mapping
        Of `describe`.
    bundle : bytes
        Not signed.
    documents : mapping of str to bytes
        Further files.
    key : SecretKey or None
        None makes a development release: it says of itself that it is not signed, and has no signature.
    """
    files = {**documents, MANIFEST: manifest, BUNDLE: bundle}
    if key is not None:
        message = to_sign(bundle)
        files[BUNDLE] = message + key.sign(message)
        files[signature_name(MANIFEST)] = signature_file(MANIFEST, manifest, key)
    listed: list[dict[str, Any]] = [
        {"path": name, "bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
        for name in sorted(files)
    ]
    files[RELEASE] = rfc8785.dumps({**facts, "signed": key is not None, "files": listed})
    if key is not None:
        files[signature_name(RELEASE)] = signature_file(RELEASE, files[RELEASE], key)
    return files


def describe(manifest: bytes, release: Mapping[str, Any], binding: Binding) -> dict[str, Any]:
    """Return what `release.json` says beside the list of files.

    Parameters
    ----------
    manifest : bytes
    release : mapping
        ``release`` of the manifest: version and id.
    binding : Binding
    """
    return {
        "format": FORMAT,
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
        **asdict(binding),
        **release,
    }


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return every file under a release's folder, by path within it."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def tag_text(files: Mapping[str, bytes]) -> str:
    """Return what a tag carries of a release: a line for each of the files that bind it."""
    names = [name for name in (RELEASE, signature_name(RELEASE)) if name in files]
    return "".join(f"{name}: {files[name].decode()}\n" for name in names)


def from_tag(text: str) -> dict[str, bytes]:
    """Return the files that `tag_text` put into a tag."""
    lines = (line.partition(": ") for line in text.splitlines())
    return {name: content.encode() for name, _, content in lines if name in (RELEASE, signature_name(RELEASE))}
