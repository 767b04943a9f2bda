"""What a release was made of and with, as CycloneDX."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import rfc8785
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL


def sbom(manifest: Mapping[str, Any], lock: str, made: datetime) -> bytes:
    """Return the bill of materials: firmware and model with their hashes, the data set, Python packages, compilers.

    Parameters
    ----------
    manifest : mapping
    lock : str
        Lines ``name==version``.
    made : datetime
        Its timestamp; its serial number follows from the release's id, so the same release gives the same bytes.
    """
    release = manifest["release"]
    product = Component(
        name=f"tailgate {manifest['task']}",
        version=release["release_id"],
        type=ComponentType.FIRMWARE,
        bom_ref="release",
    )
    # From the lock and not from what is installed, which another machine may have more of.
    components = [*_made(manifest), *_packages(lock), *_tools(manifest)]
    bom = Bom(
        components=components,
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"tailgate:{manifest['task']}:{release['release_id']}"),
        metadata=BomMetaData(component=product, timestamp=made),
    )
    bom.register_dependency(product, components)
    return rfc8785.dumps(json.loads(JsonV1Dot6(bom).output_as_string()))


def _made(manifest: Mapping[str, Any]) -> Iterator[Component]:
    kinds = {".elf": ComponentType.FIRMWARE, ".onnx": ComponentType.MACHINE_LEARNING_MODEL, ".bin": ComponentType.FILE}
    for entry in manifest["artifacts"]:
        kind = kinds.get(entry["path"][entry["path"].rfind(".") :])
        if kind is not None:
            hashes = [HashType(alg=HashAlgorithm.SHA_256, content=entry["sha256"])]
            properties = [Property(name="tailgate:stage", value=entry["stage"])]
            yield Component(
                name=entry["path"], type=kind, hashes=hashes, properties=properties, bom_ref=f"file:{entry['path']}"
            )
    yield Component(
        name="data set",
        version=manifest["dataset_id"],
        type=ComponentType.DATA,
        bom_ref=f"dataset:{manifest['dataset_id']}",
    )


def _packages(lock: str) -> Iterator[Component]:
    for line in lock.splitlines():
        name, _, version = line.partition("#")[0].strip().partition("==")
        if version:
            purl = PackageURL("pypi", name=name.lower().replace("_", "-"), version=version)
            yield Component(name=name, version=version, purl=purl, bom_ref=purl.to_string())


def _tools(manifest: Mapping[str, Any]) -> Iterator[Component]:
    boards = manifest["toolchain"]["firmware"].values()
    for tool in sorted({board[name] for board in boards for name in ("compiler", "cmake")}):
        yield Component(name=tool, type=ComponentType.APPLICATION, bom_ref=f"tool:{tool}")
