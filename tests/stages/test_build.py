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


@pytest.fixture(autouse=True, scope="module")
def own_record(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('record')}/mlflow.db")
        yield


@pytest.fixture
def paths(tmp_path):
    return make_workspace(tmp_path / "workspace", BOARDS)


def make_workspace(folder, boards):
    """Everything the stage reads, in a folder of its own."""
    for name in boards:
        need_tools(name)
    shutil.copytree(FIRMWARE, folder / "firmware", ignore=shutil.ignore_patterns("generated"))
    (folder / "convert").mkdir()
    (folder / "convert" / "model.onnx").write_bytes(b"a model")
    rng = np.random.Generator(np.random.PCG64(51))
    generated = write_generated(
        folder / "firmware" / "generated",
        random_graph(rng, 64, 1),
        preprocess_contract(rng, 64, 1),
        model_sha256=hashlib.sha256(b"a model").hexdigest(),
    )
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
        assert {path.name for path in (paths.out / name).iterdir()} == {"app.elf", "forward.elf", "harness.elf"}
    sizes = json.loads((paths.out / "size.json").read_text())
    toolchain = json.loads((paths.out / "toolchain.json").read_text())
    assert sorted(sizes) == sorted(toolchain) == sorted(BOARDS)
    for record in toolchain.values():
        assert {"-O3", "-ffp-contract=off", "-Werror"} <= set(record["flags"])
        assert "-ffast-math" not in record["flags"]
        assert "gcc" in record["compiler"]


def test_another_directory_gives_the_same_bytes(tmp_path):
    outputs = []
    for folder in (tmp_path / "here", tmp_path / "a" / "much longer place"):
        workspace = make_workspace(folder, BOARDS)
        build.main(workspace)
        files = sorted(path for path in workspace.out.rglob("*") if path.is_file())
        outputs.append({str(path.relative_to(workspace.out)): path.read_bytes() for path in files})
    assert len(outputs[0]) == 3 * len(BOARDS) + 2
    assert outputs[0] == outputs[1]
    assert not any(str(tmp_path).encode() in data for data in outputs[0].values())


def test_c_of_another_model_is_refused(tmp_path):
    workspace = make_workspace(tmp_path / "workspace", ["native"])
    (workspace.convert / "model.onnx").write_bytes(b"a newer model")
    with pytest.raises(ArtifactError, match=r"contract.h: it was generated from another model"):
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
