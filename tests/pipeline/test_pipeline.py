"""The whole DAG on a tiny task: a complete release, repeatable to the byte, redone only where it must be."""

import hashlib
import json
import re
import shutil
from typing import get_args

import pandas as pd
import pytest
import yaml

from stages.core.bundle.format import unpack
from stages.core.schema.validate import Fault
from tests.pipeline.workspace import HAS_ARM_TOOLS, Workspace

FROM_TRAIN = ["train", "quantize", "convert", "build", "validate", "release"]
BOARDS = ["native", "mps2_an386", "mps3_an547"] if HAS_ARM_TOOLS else ["native"]


needs_arm_tools = pytest.mark.skipif(not HAS_ARM_TOOLS, reason="the Arm compiler or QEMU is not installed")


def manifest_of(workspace):
    return json.loads((workspace.path / "models/release/manifest.json").read_bytes())


def test_manifest_lists_every_output_with_its_true_hash(released):
    listed = {entry["path"]: entry for entry in manifest_of(released)["artifacts"]}
    on_disk = {
        path.relative_to(released.path).as_posix()
        for folder in ("data", "models", "firmware/generated")
        for path in (released.path / folder).rglob("*")
        if path.is_file() and path.name != ".gitignore"
    }
    assert set(listed) == on_disk - {"models/release/manifest.json", "data/recordings/.gitkeep"}
    for path, entry in listed.items():
        content = (released.path / path).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["bytes"], entry["sha256"]), path


def test_every_execution_of_every_precision_agrees_with_its_reference(released):
    parity = json.loads((released.path / "models/validate/parity.json").read_text())
    links = ("input codes", "every tensor", "score code")
    rungs = ["", ", qat", ", int16", ", float"]
    references = [f"{'numpy integers' if i < 2 else 'ONNX Runtime'}{rung}: score" for i, rung in enumerate(rungs)]
    assert {row["name"].removesuffix(" code") for row in parity} == {
        *references,
        *(f"{board}{rung}: {what}".removesuffix(" code") for rung in rungs for board in BOARDS for what in links),
    }
    assert all(row["different"] == 0 for row in parity if not row["name"].startswith("ONNX Runtime"))
    assert min(row["windows"] for row in parity) == 4


@pytest.mark.skipif(not HAS_ARM_TOOLS, reason="the cross compiler or QEMU is not installed")
def test_price_of_every_precision_is_measured_on_every_board(released):
    price = json.loads((released.path / "models/validate/price.json").read_text())
    assert (price["selected"], set(price["rungs"])) == ("ptq", {"ptq", "qat", "int16", "float"})
    board = {name: rung["boards"]["mps2_an386"] for name, rung in price["rungs"].items()}
    assert board["ptq"]["arena_bytes"] * 2 == board["int16"]["arena_bytes"] == board["float"]["arena_bytes"] // 2
    assert board["ptq"]["flash_bytes"] < board["float"]["flash_bytes"]
    assert all(rung["instructions"]["model"] > 0 for rung in board.values())


def test_gate_says_its_verdict_as_a_table(released):
    assert "gate: ptq passed, qat passed, int16 passed, float passed" in released.printed
    assert re.search(r"^ +ptq +anomalous +auc_drop +\S+ +\S+ \.\. \S+ +at most 0\.5$", released.printed, re.MULTILINE)


def test_every_step_from_the_trained_network_was_compared_with_the_one_before(released):
    equality = json.loads((released.path / "models/quantize/equality.json").read_text())
    assert {name: [row["step"] for row in rows] for name, rows in equality.items()} == {
        "float": ["equalised", "folded", "exported"],
        "ptq": ["exported"],
        "qat": ["converted", "exported"],
        "int16": ["exported"],
    }
    assert all(row["holds"] for rows in equality.values() for row in rows)


@pytest.mark.skipif(not HAS_ARM_TOOLS, reason="the cross compiler or QEMU is not installed")
def test_emulated_boards_report_instructions_and_memory(released):
    device = json.loads((released.path / "models/validate/device.json").read_text())
    for board in BOARDS[1:]:
        counted = device[board]["instructions"]
        assert counted["model"] > counted["preprocess"] > 0
        # Ops are timed one by one; the sum is the whole but for the loop around them.
        assert sum(counted["operations"].values()) == pytest.approx(counted["model"], rel=0.02)
        assert 0 < device[board]["arena_high_water_bytes"] <= device[board]["arena_bytes"]
        assert 0 < device[board]["stack_high_water_bytes"] < device[board]["stack_bytes"]


@needs_arm_tools
def test_runtime_and_kernels_take_little_flash_besides_the_weights(released):
    """12 KiB on the Cortex-M55: a bar that the product sets itself."""
    parts = json.loads((released.path / "models/build/size.json").read_text())["mps3_an547"]["components"]
    code = sum(parts[name]["flash_bytes"] for name in ("app", "runtime", "preprocess", "kernels"))
    assert 0 < code <= 12 * 1024
    assert parts["model"]["flash_bytes"] > 0
    assert parts["arena"]["ram_bytes"] > 0 < parts["stack"]["ram_bytes"]


def test_a_test_session_goes_through_every_board_with_every_fault(released, tmp_path):
    config = yaml.safe_load((released.path / "data/config.yaml").read_text())
    config["validate"]["replay_faults"] = list(get_args(Fault))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    paths = {"--config": tmp_path / "config.yaml", "--out": tmp_path / "validate"}
    assert released.run_stage("validate", paths).returncode == 0
    replayed = json.loads((tmp_path / "validate/replay.json").read_text())
    assert sorted(replayed) == sorted(BOARDS)
    for board, sessions in replayed.items():
        (runs,) = sessions.values()
        faults = {"dropped_blocks", "stuck_axis", "saturation", "no_number", "jitter"}
        assert set(runs) == {"none", *faults} | ({"slow"} if board != "native" else set())
        alone = runs["none"]
        assert alone["passed_over_frames"] == alone["changed_windows"] == 0
        assert alone["windows"] == alone["counters"]["decision.windows"] > 5
        for fault in ("stuck_axis", "saturation", "no_number"):
            assert runs[fault]["changed_windows"] > runs[fault]["changed_and_decided_otherwise"] == 0
        assert runs["dropped_blocks"]["passed_over_frames"] > 0
        assert runs["jitter"]["counters"]["fault.timing"] > 0
        if board != "native":
            assert runs["slow"]["slack"] < 0 < runs["slow"]["passed_over_frames"]
            assert 0 < alone["slack"] < 1
    assert len({json.dumps(sessions, sort_keys=True) for sessions in map(decided, replayed.values())}) == 1


def decided(sessions):
    """What every board must say alike: all but what depends on time."""
    timed = ("most_instructions", "most_instructions_per_window", "instructions_per_hop", "slack", "stack_used_bytes")
    return {
        session: {
            fault: {k: v for k, v in run.items() if k not in timed} for fault, run in runs.items() if fault != "slow"
        }
        for session, runs in sessions.items()
    }


def test_each_stage_closes_with_one_line_of_numbers(released):
    closing = [line for line in released.printed.splitlines() if line.partition(":")[0] in ["split", *FROM_TRAIN]]
    assert [line.partition(":")[0] for line in closing] == ["split", *FROM_TRAIN]
    assert all(any(character.isdigit() for character in line) for line in closing)


def test_bundle_carries_contracts_weights_and_a_self_test(released):
    bundle = unpack((released.path / "models/release/bundle.bin").read_bytes())
    contract = json.loads(bundle.sections["contract"])
    assert bundle.signature is None
    assert bundle.identity.preprocess_id == json.loads(bundle.sections["preprocess"])["preprocess_id"]
    assert bundle.identity.model_version == contract["model_version"]
    assert (
        bundle.identity.model_version
        == hashlib.sha256((released.path / "models/convert/model.onnx").read_bytes()).hexdigest()
    )


def test_second_repro_does_nothing(released):
    assert "Running stage" not in released.repro()


def test_commit_that_touches_nothing_in_the_dag_changes_no_byte(released):
    before = (released.path / "models/release/manifest.json").read_bytes()
    (released.path / "README.md").write_text("changed")
    (released.path / "dvc.yaml").write_text((released.path / "dvc.yaml").read_text() + "# a remark\n")
    assert "Running stage" not in released.repro()
    released.repro("--force", "--single-item", "release")
    assert (released.path / "models/release/manifest.json").read_bytes() == before


def test_editing_one_key_of_the_model_runs_train_and_what_follows(released):
    model = released.path / "conf/model/ds_cnn.yaml"
    original = model.read_text()
    model.write_text(original.replace("{channels: 24, kernel: 5, stride: 2}", "{channels: 16, kernel: 5, stride: 2}"))
    try:
        ran = released.stages_run(released.repro("train"))
        status = released.run("dvc", "status").stdout
    finally:
        model.write_text(original)
        released.repro()
    assert ran == ["configure", "train"]
    assert {line[:-1] for line in status.splitlines() if line[:1].isalpha()} >= {"quantize", "validate"}
    assert not {"capture:", "split:", "features:"} & set(status.splitlines())


@pytest.mark.slow
def test_validate_runs_on_images_checked_out_of_the_cache(released):
    shutil.rmtree(released.path / "models/build")
    released.run("dvc", "checkout", "models/build")
    printed = released.repro("--force", "--single-item", "validate")
    assert released.stages_run(printed) == ["validate"]
    assert "Running stage" not in released.repro()


@pytest.mark.slow  # test_audit.py rebuilds a release of one board
def test_two_directories_give_the_same_bytes(released, tmp_path):
    elsewhere = Workspace(tmp_path / "a longer name with spaces")
    elsewhere.repro(TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")
    mine, theirs = (
        {entry["path"]: entry["sha256"] for entry in manifest_of(workspace)["artifacts"]}
        for workspace in (released, elsewhere)
    )
    assert {path for path in mine if mine[path] != theirs.get(path)} == set()
    assert (released.path / "models/release/manifest.json").read_bytes() == (
        elsewhere.path / "models/release/manifest.json"
    ).read_bytes()


#: Where each board's kernels round to nearest even, and what rounds otherwise.
ROUNDING = {
    "native": ("requantize.h", "value + 0x1.8p23f;", "value + 0.4f + 0x1.8p23f;"),
    "mps2_an386": ("dsp/requantize.h", "vcvtr.s32.f32", "vcvt.s32.f32"),
    "mps3_an547": ("helium/vectors_s8.h", "vcvtnq_s32_f32(", "vcvtmq_s32_f32("),
}


@pytest.mark.parametrize("board", BOARDS)
def test_one_changed_rounding_line_stops_validate_and_names_the_tensor(released, board, tmp_path):
    """Another rounding in one line of one kernel header, for one board's build."""
    firmware = tmp_path / "firmware"
    shutil.copytree(released.path / "firmware", firmware)
    name, right, wrong = ROUNDING[board]
    header = firmware / "kernels" / name
    assert header.read_text().count(right) == 1
    header.write_text(header.read_text().replace(right, wrong))
    config = tmp_path / "config.yaml"
    config.write_text(released.config_for_boards([board]))
    build = released.run_stage("build", {"--config": config, "--out": tmp_path / "build", "--firmware": firmware})
    assert build.returncode == 0, build.stderr
    paths = {"--config": config, "--build": tmp_path / "build", "--out": tmp_path / "validate"}
    result = released.run_stage("validate", paths)
    assert result.returncode == 5, result.stdout + result.stderr
    said = " ".join(result.stderr.split())
    windows = 8 if board != "native" else len(pd.read_parquet(released.path / "models/validate/scores.parquet"))
    assert re.match(
        rf"error: {board}: every tensor: \d+ of {windows} windows differ; the first differing tensor is", said
    )
    assert "the first differing tensor is stem: " in said
    assert not (tmp_path / "validate").exists()
