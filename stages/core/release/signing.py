"""EdDSA keys and signatures (Curve25519, BLAKE2b), by the library whose C verifies on the device."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import monocypher
import rfc8785

from stages.core.errors import ArtifactError, ConfigError

_SECRET, _PUBLIC = "tailgate-secret-key:", "tailgate-public-key:"
_SECRET_BYTES, _PUBLIC_BYTES, _SIGNATURE_BYTES = 64, 32, 64


@dataclass(frozen=True, repr=False)
class SecretKey:
    """What signs. It has no text form but the file's, so that no log can show it."""

    _content: bytes

    @property
    def public(self) -> bytes:
        """The 32 bytes that verify."""
        return self._content[-_PUBLIC_BYTES:]

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of a signature."""
        return bytes(monocypher.signature_sign(self._content, message))


def verifies(signature: bytes, public: bytes, message: bytes) -> bool:
    """Return whether a signature is that key's on that message."""
    return bool(monocypher.signature_check(signature, public, message))


def generate(secret_file: Path) -> bytes:
    """Write a new key, readable to its owner alone, and its public half beside it as ``<name>.pub``.

    A folder that is not there is made.

    Returns
    -------
    bytes
        The public key.

    Raises
    ------
    ConfigError
        If there is such a file already.
    """
    secret, public = monocypher.generate_signing_key_pair()
    public_file = secret_file.with_name(secret_file.name + ".pub")
    secret_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"{_SECRET}{bytes(secret).hex()}\n")
        with public_file.open("x", encoding="ascii") as file:
            file.write(f"{_PUBLIC}{bytes(public).hex()}\n")
    except FileExistsError as error:
        raise ConfigError(
            found="it exists already, and a key that signed releases cannot be had again",
            where=str(error.filename),
            expected="a name that is not taken",
            remedy="Choose another",
        ) from None
    return bytes(public)


def read_secret(path: Path) -> SecretKey:
    """Read a key from a file that nobody but its owner can read.

    Raises
    ------
    ConfigError
        If others can, or it is not such a file.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(
            found=f"its permissions are {mode:04o}, so others than its owner can read it",
            where=str(path),
            expected="0600",
            remedy=f"Run `chmod 600 {path}`, and consider whether the key is still yours alone",
        )
    return parse_secret(path.read_text(encoding="ascii", errors="replace"), str(path))


def parse_secret(text: str, where: str) -> SecretKey:
    """Read a key from the text of its file.

    Raises
    ------
    ConfigError
        If it is not one; the text is not repeated.
    """
    return SecretKey(_parse(text, _SECRET, _SECRET_BYTES, where))


def read_public(path: Path) -> bytes:
    """Read a public key from its file.

    Raises
    ------
    ConfigError
        If it is not one.
    """
    return _parse(path.read_text(encoding="ascii", errors="replace"), _PUBLIC, _PUBLIC_BYTES, str(path))


def _parse(text: str, prefix: str, size: int, where: str) -> bytes:
    line = text.strip()
    try:
        content = bytes.fromhex(line.removeprefix(prefix)) if line.startswith(prefix) else b""
    except ValueError:
        content = b""
    if len(content) != size:
        raise ConfigError(
            found="it is not such a key",
            where=where,
            expected=f"one line, `{prefix}` and {2 * size} hex digits",
            remedy="Name the file that `python -m stages.publish keygen` wrote; the public one ends in .pub",
        )
    return content


def signature_name(name: str) -> str:
    """Return the name of the file that signs another one: ``manifest.sig`` for ``manifest.json``."""
    return PurePath(name).with_suffix(".sig").name


def signature_file(name: str, content: bytes, key: SecretKey) -> bytes:
    """Return the file that signs another one, as canonical JSON (RFC 8785)."""
    return _encode(name, content, key.public, key.sign(content))


def signer(signature: bytes, name: str, content: bytes) -> bytes:
    """Return the public key that a signature file says, and proves, has signed a file.

    Parameters
    ----------
    signature : bytes
        The signature file.
    name : str
        The signed file's name.
    content : bytes
        The signed file.

    Raises
    ------
    ArtifactError
        If it proves nothing; ``where`` is the file of the two that was altered: the one that no longer agrees with the
        signature and the hash of the content, which stand beside each other in the signature file.
    """
    stored = _decode(signature, name)
    digest = hashlib.sha256(content).hexdigest()
    if verifies(stored["signature"], stored["key"], content):
        if signature == _encode(name, content, stored["key"], stored["signature"]):
            return bytes(stored["key"])
        raise _broken(signature_name(name), "it says of the file that it signs what is not so")
    if stored["sha256"] == digest:
        raise _broken(signature_name(name), "its signature is not that of the key that it names")
    raise _broken(name, f"it is not the file that {signature_name(name)} signs")


def _encode(name: str, content: bytes, public: bytes, signature: bytes) -> bytes:
    digest = hashlib.sha256(content).hexdigest()
    return rfc8785.dumps({"file": name, "key": public.hex(), "sha256": digest, "signature": signature.hex()})


def _decode(signature: bytes, name: str) -> dict[str, Any]:
    try:
        stored = json.loads(signature)
        found = {"sha256": str(stored["sha256"])} | {each: bytes.fromhex(stored[each]) for each in ("key", "signature")}
    except (ValueError, TypeError, KeyError):
        raise _broken(signature_name(name), "it is not a signature file") from None
    if (len(found["key"]), len(found["signature"])) != (_PUBLIC_BYTES, _SIGNATURE_BYTES):
        raise _broken(signature_name(name), "its key or its signature is not of the length of one")
    return found


def _broken(where: str, found: str) -> ArtifactError:
    return ArtifactError(
        found=found,
        where=where,
        expected="a file and the signature that was made of it",
        remedy="Fetch the release again from where it was published",
    )
