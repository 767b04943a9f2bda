"""The stage: images for every board, the same bytes anywhere, nothing half-written."""

from __future__ import annotations

import hashlib
import json
import shutil
from argparse import Namespace

import numpy as np
import pytest
import yaml

from stages import build
from stages.core.errors import ArtifactError, ToolchainError
from tests.core.device.boards import BUILD, EMULATED, FIRMWARE, ROOT, need_tools, write_generated
from tests.kernels.random_networks import preprocess_contract, random_graph

BOARDS = ["native", *EMULATED]
SHIPS, OTHER = "int8", "int16"


@pytest.fixture
def paths(tmp_path):
    return make_workspace(tmp_path / "workspace", BOARDS)


def write_network(folder, precision, model):
    """The C of a random network, stamped as a model's."""
    rng = np.random.Generator(np.random.PCG64(51))
    contract, graph = preprocess_contract(rng, 64, 1), random_graph(rng, 64, 1, precision=precision)
    return write_generated(folder, graph, contract, model_sha256=hashlib.sha256(model).hexdigest())


def make_workspace(folder, boards):
    """Everything the stage reads, in a folder of its own."""
    for name in boards:
        need_tools(name)
    shutil.copytree(FIRMWARE, folder / "firmware", ignore=shutil.ignore_patterns("generated"))
    (folder / "convert").mkdir()
    (folder / "convert" / "model.onnx").write_bytes(b"a model")
    (folder / "convert" / "contract.json").write_text(json.dumps({"precision": SHIPS}))
    generated = write_network(folder / "firmware" / "generated", SHIPS, b"a model")
    for rung, model in {SHIPS: b"a model", OTHER: b"a wider model"}.items():
        write_network(folder / "convert" / "rungs" / rung / "generated", rung, model)
        version = {"model_version": hashlib.sha256(model).hexdigest()}
        (folder / "convert" / "rungs" / rung / "contract.json").write_text(json.dumps(version))
    config = {"build": BUILD.model_dump(), "board": {}, "seed": 1}
    for name in boards:
        config["board"] |= yaml.safe_load((ROOT / "conf" / "board" / f"{name}.yaml").read_text(encoding="utf-8"))
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return Namespace(
        config=folder / "config.yaml",
        convert=folder / "convert",
        generated=generated,
        firmware=folder / "firmware",
        out=folder / "models" / "build",
    )


def test_every_board_gets_its_images_and_a_record(paths):
    closing_line = build.main(paths)
    assert closing_line.startswith("build: 3 boards, flash/RAM bytes of the app: mps2_an386 ")
    for name in BOARDS:
        images = {str(path.relative_to(paths.out / name)) for path in (paths.out / name).rglob("*.elf")}
        assert images == {"app.elf", "forward.elf", "harness.elf", "replay.elf", f"rungs/{OTHER}.elf"}
    sizes = json.loads((paths.out / "size.json").read_text())
    toolchain = json.loads((paths.out / "toolchain.json").read_text())
    assert sorted(sizes) == sorted(toolchain) == sorted(BOARDS)
    rungs = json.loads((paths.out / "rungs.json").read_text())
    assert rungs[SHIPS] == sizes
    for name in BOARDS:
        wider, shipped = (rungs[rung][name]["components"] for rung in (OTHER, SHIPS))
        assert wider["arena"]["ram_bytes"] > shipped["arena"]["ram_bytes"]
        assert all(wider[part] == shipped[part] for part in ("preprocess", "runtime", "stack"))
    for record in toolchain.values():
        assert {"-O3", "-ffp-contract=off", "-Werror"} <= set(record["flags"])
        assert "-ffast-math" not in record["flags"]
        assert "gcc" in record["compiler"]


@pytest.mark.slow
def test_another_directory_gives_the_same_bytes(tmp_path):
    outputs = []
    for folder in (tmp_path / "here", tmp_path / "a" / "much longer place"):
        workspace = make_workspace(folder, BOARDS)
        build.main(workspace)
        files = sorted(path for path in workspace.out.rglob("*") if path.is_file())
        outputs.append({str(path.relative_to(workspace.out)): path.read_bytes() for path in files})
    assert len(outputs[0]) == 5 * len(BOARDS) + 3
    assert outputs[0] == outputs[1]
    assert not any(str(tmp_path).encode() in data for data in outputs[0].values())


def test_c_of_another_model_is_refused(tmp_path):
    workspace = make_workspace(tmp_path / "workspace", ["native"])
    (workspace.convert / "model.onnx").write_bytes(b"a newer model")
    with pytest.raises(ArtifactError, match=r"contract.h: it was generated from another model"):
        build.main(workspace)


def test_c_of_another_precision_is_refused(tmp_path):
    workspace = make_workspace(tmp_path / "workspace", ["native"])
    generated = workspace.convert / "rungs" / OTHER / "generated"
    write_network(generated, OTHER, b"a model")
    with pytest.raises(ArtifactError, match=rf"{OTHER}/generated/contract.h: it was generated from another model"):
        build.main(workspace)


def test_a_failed_build_leaves_the_last_good_output(tmp_path):
    workspace = make_workspace(tmp_path / "workspace", ["native"])
    build.main(workspace)
    before = (workspace.out / "native" / "app.elf").read_bytes()
    (workspace.firmware / "app" / "main.c").write_text("#error broken\n")
    with pytest.raises(ToolchainError, match=r"board native: .*broken"):
        build.main(workspace)
    assert (workspace.out / "native" / "app.elf").read_bytes() == before
    assert [path.name for path in workspace.out.parent.iterdir()] == ["build"]
