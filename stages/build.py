"""Compile the firmware: for each board the product, a recorder of raw counts, and a harness per precision."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from stages.core.artifacts import output_directory, read_json, sha256_file, write_json
from stages.core.device.build import build_firmware
from stages.core.device.size import check_production, measure
from stages.core.errors import ArtifactError
from stages.core.schema.build import Board, Build
from stages.core.settings import Settings, load
from stages.core.stage import progress, run
from stages.core.tracking import Run, track


class BuildSettings(Settings):
    """The sections that this stage reads."""

    build: Build
    board: dict[str, Board]


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    config = load(paths.config, BuildSettings)
    with track("build", config.model_dump(), paths.out) as record:
        return build(paths, config, record)


def build(paths: argparse.Namespace, config: BuildSettings, record: Run) -> str:
    """Compile for every board, and return the closing line."""
    _check_generated(paths.generated, sha256_file(paths.convert / "model.onnx"), paths.convert / "model.onnx")
    selected, others = _rungs(paths.convert)
    sizes: dict[str, dict[str, Any]] = {}
    rungs: dict[str, dict[str, Any]] = {folder.name: {} for folder in others}
    toolchains: dict[str, dict[str, Any]] = {}
    with output_directory(paths.out) as out:
        for name, board in progress(sorted(config.board.items()), "build"):
            (out / name / "rungs").mkdir(parents=True)
            with tempfile.TemporaryDirectory() as scratch:
                images = build_firmware(
                    paths.firmware, paths.generated, name, board, config.build, Path(scratch).resolve(), rungs=others
                )
                if board.kind == "qemu":
                    check_production(images.app, images.app_map, name)
                    check_production(images.forward, images.forward_map, name)
                sizes[name] = measure(images.app, images.app_map)
                toolchains[name] = images.toolchain
                for image in (images.app, images.forward, images.harness, images.replay):
                    _keep(image, out / name / image.name)
                for rung, of in images.rungs.items():
                    if board.kind == "qemu":
                        check_production(of.app, of.app_map, name)
                    rungs[rung][name] = measure(of.app, of.app_map)
                    _keep(of.harness, out / name / "rungs" / f"{rung}.elf")
            record.headline({f"{name}.{key}": value for key, value in sizes[name]["total"].items()})
        write_json(out / "size.json", sizes)
        write_json(out / "rungs.json", {selected: sizes, **rungs})
        write_json(out / "toolchain.json", toolchains)
    totals = (f"{name} {s['total']['flash_bytes']}/{s['total']['ram_bytes']}" for name, s in sizes.items())
    return f"build: {len(sizes)} boards, flash/RAM bytes of the app: {', '.join(totals)}"


def _rungs(convert: Path) -> tuple[str, list[Path]]:
    """Return the precision that ships, and the folders of the others."""
    selected = read_json(convert / "contract.json")["precision"]
    folders = [folder for folder in sorted((convert / "rungs").iterdir()) if folder.name != selected]
    for folder in folders:
        contract = folder / "contract.json"
        _check_generated(folder / "generated", read_json(contract)["model_version"], contract)
    return selected, folders


def _keep(image: Path, to: Path) -> None:
    shutil.copyfile(image, to)
    to.chmod(0o755)


def _check_generated(generated: Path, stamp: str, model: Path) -> None:
    """Refuse C that was not generated from the model that it says it is."""
    for path in sorted(generated.glob("*.[ch]")):
        if stamp not in path.read_text(encoding="utf-8").partition("\n")[0]:
            raise ArtifactError(
                found="it was generated from another model",
                where=str(path),
                expected=f"the stamp of the model in {model}, sha256 {stamp[:12]}...",
                remedy="Run `dvc repro convert`, which generates it again",
            )


if __name__ == "__main__":
    run(main, "convert", "generated", "firmware")
