"""A release small enough to damage in every way."""

import hashlib
import itertools

import rfc8785

from stages.core.bundle.format import pack
from stages.core.release.folder import Binding, assemble, describe
from stages.core.release.signing import generate, read_secret
from tests.core.bundle.examples import CONTENT, IDENTITY

_NUMBERS = itertools.count()


def new_key(folder):
    file = folder / f"key{next(_NUMBERS)}"
    generate(file)
    return read_secret(file)


def small_release(key, weights=b"weights"):
    """Files by name; other weights make another release."""
    bundle = pack(IDENTITY, {**CONTENT, "weights": weights})
    listed = {"path": "models/release/bundle.bin", "sha256": hashlib.sha256(bundle).hexdigest()}
    named = {"version": "1.2.3", "release_id": "1.2.3+0123456789ab"}
    manifest = rfc8785.dumps({"artifacts": [listed], "release": named})
    facts = describe(manifest, named, Binding("a" * 40, None, "b" * 64))
    documents = {"model_card.md": b"# Card of " + weights, "sbom.json": b'{"of": "' + weights + b'"}'}
    return assemble(manifest, facts, bundle, documents, key)
