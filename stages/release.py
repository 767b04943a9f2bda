"""Write the release: the bundle, and the manifest that accounts for every artifact."""

from __future__ import annotations

import argparse
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import rfc8785
from rich.console import Console

from stages.core.artifacts import output_directory, read_json, sha256_file
from stages.core.bundle.format import Identity, board_bits, pack
from stages.core.bundle.sections import pack_calibration, pack_config
from stages.core.manifest import artifacts, name_of, provenance, read_stages
from stages.core.report.overview.facts import read_overview
from stages.core.report.overview.page import render_overview
from stages.core.report.overview.screen import render_screen
from stages.core.schema.release import Release
from stages.core.seeds import PINNED_ENVIRONMENT
from stages.core.settings import check, read_config
from stages.core.stage import run
from stages.core.tracking import Run, track

_MANIFEST_FORMAT = 1
_PACKAGES = (
    "dvc",
    "hydra-core",
    "mlflow",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "safetensors",
    "scikit-learn",
    "scipy",
    "torch",
    "torchao",
)


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    root = paths.dag.resolve().parent
    config = read_config(paths.config)
    release = check(config["release"], Release, str(paths.config))
    with track("release", release.model_dump(), paths.out) as record:
        return write_release(paths, root, config, release.numbers, record)


def write_release(
    paths: argparse.Namespace, root: Path, config: dict[str, Any], version: tuple[int, int, int], record: Run
) -> str:
    """Write the folder, and return the closing line."""
    stages = read_stages(paths.dag)
    earlier = {name: stage for name, stage in stages.items() if name != "release"}
    with output_directory(paths.out) as out:
        (out / "bundle.bin").write_bytes(make_bundle(paths, version, list(config["board"])))
        listed = artifacts(root, earlier)
        overview = read_overview(paths, config, stages, listed)
        (out / "report.html").write_text(render_overview(overview), encoding="utf-8")
        manifest = {
            "format": _MANIFEST_FORMAT,
            "task": config["task"],
            "leaky": read_json(paths.split / "split.json")["leaky"],
            "artifacts": [*listed, *(entry(paths.out, out / name) for name in ("bundle.bin", "report.html"))],
            "provenance": provenance(root, stages, config),
            **facts(paths),
        }
        bundle_bytes = (out / "bundle.bin").stat().st_size
        named = {**manifest, "release": name_of(config["release"]["version"], manifest)}
        (out / "manifest.json").write_bytes(rfc8785.dumps(named))
        record.metrics({"artifacts": len(manifest["artifacts"]), "bundle_bytes": bundle_bytes})
        digest = sha256_file(out / "manifest.json")
    Console().print(render_screen(overview), "", f"More in {paths.out / 'report.html'}", "", sep="\n")
    return (
        f"release: {named['release']['release_id']}, {len(manifest['artifacts'])} artifacts, "
        f"bundle {bundle_bytes} bytes, dataset {manifest['dataset_id'][:12]}, manifest {digest[:12]}"
    )


def entry(folder: Path, file: Path) -> dict[str, Any]:
    """Describe a file of this stage as the manifest lists it, at the place where it will be."""
    return {
        "path": (folder / file.name).as_posix(),
        "bytes": file.stat().st_size,
        "sha256": sha256_file(file),
        "stage": "release",
    }


def make_bundle(paths: argparse.Namespace, version: tuple[int, int, int], boards: list[str]) -> bytes:
    """Collect what a device loads, not signed."""
    contract, preprocess = (read_json(folder / "contract.json") for folder in (paths.convert, paths.features))
    identity = Identity(
        release=version,
        interface_version=contract["interface_version"],
        boards=board_bits(boards),
        arena_bytes=contract["arena_bytes"],
        model_version=contract["model_version"],
        preprocess_id=contract["preprocess_id"],
        graph_hash=contract["graph_hash"],
    )
    sections = {
        "weights": (paths.convert / "weights.bin").read_bytes(),
        "contract": rfc8785.dumps(contract),
        "preprocess": rfc8785.dumps(preprocess),
        "config": pack_config(contract),
        "calibration": pack_calibration(contract, len(preprocess["channels"])),
        "golden": (paths.validate / "golden.bin").read_bytes(),
    }
    return pack(identity, sections)


def facts(paths: argparse.Namespace) -> dict[str, Any]:
    """Collect what the release states about itself, from the files that measured it."""
    return {
        "dataset_id": read_json(paths.capture / "dataset.json")["dataset_id"],
        "contracts": {
            "model": read_json(paths.convert / "contract.json"),
            "preprocess": read_json(paths.features / "contract.json"),
        },
        "results": {
            "gate": read_json(paths.quantize / "gate.json"),
            "metrics": read_json(paths.validate / "metrics.json"),
            "intervals": read_json(paths.validate / "intervals.json"),
            "parity": read_json(paths.validate / "parity.json"),
            "price": read_json(paths.validate / "price.json"),
            "device": read_json(paths.validate / "device.json"),
            "size": read_json(paths.build / "size.json"),
        },
        "toolchain": {
            "firmware": read_json(paths.build / "toolchain.json"),
            "python": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
            "environment": PINNED_ENVIRONMENT,
        },
    }


if __name__ == "__main__":
    run(main, "dag", "capture", "split", "features", "train", "quantize", "convert", "build", "validate")
