"""Whether the files of a release's folder are those that were signed, from nothing but the folder and a public key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785

from stages.core.bundle.format import to_sign, unpack, without_signature
from stages.core.errors import ArtifactError
from stages.core.release.finding import Finding
from stages.core.release.folder import BUNDLE, FORMAT, MANIFEST, RELEASE
from stages.core.release.signing import signature_name, signer, verifies

_KEYS = {"format", "manifest_sha256", "commit", "tag", "dvc_lock_sha256", "version", "release_id", "signed", "files"}
_DEVELOPMENT = "this is a development release, and whose it is cannot be known"
_ENTRY = {"path", "bytes", "sha256"}


def check_folder(files: Mapping[str, bytes], key: bytes | None) -> list[Finding]:
    """Compare every file with what `release.json` says, and look at all signatures.

    Parameters
    ----------
    files : mapping of str to bytes
        By path within the folder.
    key : bytes or None
        The public key that is trusted. None takes the one that the release names, which proves that the files belong
        together and not whose they are.
    """
    for name in (RELEASE, MANIFEST, BUNDLE):
        if name not in files:
            return [Finding(name, "missing", "a release is nothing without it")]
    facts = _read_release(files[RELEASE])
    if isinstance(facts, Finding):
        return [facts]
    if not facts["signed"]:
        unsigned = [] if key is None else [Finding(RELEASE, "unsigned", _DEVELOPMENT)]
        return _check_list(files, facts) + unsigned
    proof = _prove(files, RELEASE)
    # What is listed in a file that was not signed says nothing about the others.
    if isinstance(proof, Finding):
        return [proof]
    return _check_list(files, facts) + _check_signatures(files, facts, proof, key)


def read_facts(release: bytes) -> dict[str, Any]:
    """Return what a `release.json` says, after `check_folder` has found nothing against it."""
    return dict(json.loads(release))


def check_tag(release: bytes, signature: bytes | None, manifest: bytes, key: bytes | None) -> list[Finding]:
    """Check what a tag carries of a release, and whether a manifest is the one it binds.

    Parameters
    ----------
    release, signature : bytes
        `release.json`, and the file that signs it; None of a development release.
    manifest : bytes
    key : bytes or None
        As of `check_folder`.
    """
    facts = _read_release(release)
    if isinstance(facts, Finding):
        return [facts]
    findings = []
    if facts["signed"]:
        proof = _prove(
            {RELEASE: release} | ({} if signature is None else {signature_name(RELEASE): signature}), RELEASE
        )
        if isinstance(proof, Finding):
            return [proof]
        if key not in (None, proof):
            findings.append(_other_key(proof, key or b""))
    elif key is not None:
        findings.append(Finding(RELEASE, "unsigned", _DEVELOPMENT))
    if hashlib.sha256(manifest).hexdigest() != facts["manifest_sha256"]:
        findings.append(Finding(MANIFEST, "altered", f"it is not the one that {RELEASE} binds"))
    return findings


def _other_key(found: bytes, trusted: bytes) -> Finding:
    return Finding(signature_name(RELEASE), "key", f"it is signed by {found.hex()}, not by {trusted.hex()}")


def _read_release(content: bytes) -> dict[str, Any] | Finding:
    if not content:
        return Finding(RELEASE, "empty", "it has no bytes")
    try:
        facts = json.loads(content)
        is_known = isinstance(facts, dict) and set(facts) == _KEYS and facts["format"] == FORMAT
        if is_known and rfc8785.dumps(facts) == content and all(set(each) == _ENTRY for each in facts["files"]):
            return dict(facts)
    except (ValueError, TypeError, KeyError):
        pass
    return Finding(RELEASE, "altered", f"it is not the canonical JSON of a release of format {FORMAT}")


def _check_list(files: Mapping[str, bytes], facts: Mapping[str, Any]) -> list[Finding]:
    listed = {each["path"]: each for each in facts["files"]}
    own = {RELEASE, signature_name(RELEASE)} if facts["signed"] else {RELEASE}
    findings = [Finding(name, "missing", f"{RELEASE} lists it") for name in sorted({*listed, *own} - set(files))]
    findings += [Finding(name, "added", f"{RELEASE} does not list it") for name in sorted(set(files) - {*listed, *own})]
    by_hash = {each["sha256"]: name for name, each in listed.items()}
    for name in sorted(set(files) & set(listed)):
        findings += _check_content(name, files[name], listed[name], by_hash)
    return findings


def _check_content(name: str, content: bytes, entry: Mapping[str, Any], by_hash: Mapping[str, str]) -> list[Finding]:
    digest = hashlib.sha256(content).hexdigest()
    if (len(content), digest) == (entry["bytes"], entry["sha256"]):
        return []
    if not content:
        return [Finding(name, "empty", f"it has no bytes instead of {entry['bytes']}")]
    if digest in by_hash:
        return [Finding(name, "swapped", f"it is what {by_hash[digest]} should be")]
    if len(content) < entry["bytes"]:
        return [Finding(name, "truncated", f"it has {len(content)} bytes instead of {entry['bytes']}")]
    return [Finding(name, "altered", f"its SHA-256 is {digest} instead of {entry['sha256']}")]


def _prove(files: Mapping[str, bytes], name: str) -> bytes | Finding:
    """Return the key that has signed a file, or what is wrong with one of the two files."""
    signature = files.get(signature_name(name))
    if signature is None:
        return Finding(signature_name(name), "missing", f"{RELEASE} says that the release is signed")
    if not signature:
        return Finding(signature_name(name), "empty", "it has no bytes")
    try:
        return signer(signature, name, files[name])
    except ArtifactError as error:
        return Finding(error.where, "altered", error.found)


def _check_signatures(
    files: Mapping[str, bytes], facts: Mapping[str, Any], signer_of_release: bytes, key: bytes | None
) -> list[Finding]:
    trusted = key or signer_of_release
    findings = []
    if signer_of_release != trusted:
        findings.append(_other_key(signer_of_release, trusted))
    is_bound = hashlib.sha256(files[MANIFEST]).hexdigest() == facts["manifest_sha256"]
    if not is_bound and _prove(files, MANIFEST) == trusted:
        findings.append(Finding(MANIFEST, "replayed", f"it is signed, and not the one that {RELEASE} binds"))
    return findings + _check_bundle(files, trusted, is_bound)


def _check_bundle(files: Mapping[str, bytes], key: bytes, has_manifest: bool) -> list[Finding]:
    content = files[BUNDLE]
    try:
        bundle = unpack(content)
    except ArtifactError as error:
        return [Finding(BUNDLE, "altered", error.found)]
    if bundle.signature is None:
        return [Finding(BUNDLE, "unsigned", "the release says that it is signed")]
    if not verifies(bundle.signature, key, to_sign(content)):
        return [Finding(BUNDLE, "key", f"its signature is not that of {key.hex()}")]
    if has_manifest and not _is_listed(content, files[MANIFEST]):
        return [Finding(BUNDLE, "replayed", f"it is signed, and not the one that {MANIFEST} lists")]
    return []


def _is_listed(bundle: bytes, manifest: bytes) -> bool:
    digest = hashlib.sha256(without_signature(bundle)).hexdigest()
    entries = json.loads(manifest)["artifacts"]
    return any(each["path"].endswith(f"/{BUNDLE}") and each["sha256"] == digest for each in entries)
