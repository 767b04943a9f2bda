"""Bad input: one paragraph that names the thing, what was expected and what to do; an exit code; nothing torn."""

import hashlib
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml

from stages.core.artifacts import output_directory
from stages.core.config import compose, validate, write_config
from stages.core.recordings.session import SessionFile, write_session
from tests.core.recordings.test_bearing_datasets import built_set
from tests.pipeline.imports import ROOT, read_dag
from tests.pipeline.workspace import HAS_ARM_TOOLS, TINY, Workspace

needs_arm_tools = pytest.mark.skipif(not HAS_ARM_TOOLS, reason="the cross compiler or QEMU is not installed")


def paragraph(code, printed, complained, *named, expected_code=2):
    """Return the error after checking its form and that it names what it must."""
    assert code == expected_code, printed + complained
    assert printed == ""
    assert complained.startswith("error: "), complained
    assert "\n\n" not in complained
    said = " ".join(complained.split())
    assert ". Expected " in said and said.endswith(".")
    for name in named:
        assert str(name) in said, said
    return said


class Here:
    """Runs a stage's `__main__` in this process, for its imports take longer than its refusal."""

    def __init__(self, monkeypatch, capsys):
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def refused(self, stage, paths, *named, expected_code=2):
        words = [word for option, path in paths.items() for word in (option, str(path))]
        self._monkeypatch.setattr(sys, "argv", [stage, *words])
        self._monkeypatch.delitem(sys.modules, f"stages.{stage}", raising=False)
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
        printed = self._capsys.readouterr()
        return paragraph(caught.value.code, printed.out, printed.err, *named, expected_code=expected_code)


@pytest.fixture
def here(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Here(monkeypatch, capsys)


@pytest.fixture
def out(tmp_path):
    """An output folder of an earlier run, which a refusal must leave as it is."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "earlier").write_text("whole")
    yield folder
    assert {path.name for path in folder.iterdir()} == {"earlier"}
    assert list(tmp_path.rglob("*.partial")) == []


@pytest.fixture
def config(tmp_path):
    """Write a valid configuration of the tiny pipeline, changed, and return its path."""

    def write(changes=None, task="vibration", edit=lambda composed: None):
        params = tmp_path / "params_of_config.yaml"
        params.write_text(yaml.safe_dump({"task": task, "overrides": {**TINY, **(changes or {})}}))
        composed = compose(params, ROOT / "conf")
        edit(composed)
        write_config(tmp_path / "config.yaml", validate(composed, "test"))
        return tmp_path / "config.yaml"

    return write


@pytest.fixture
def made(released):
    """Return the absolute paths that dvc.yaml gives to a stage, in the released workspace."""

    def options(stage, **changed):
        words = read_dag()["stages"][stage]["cmd"].split()[3:]
        paths = {option: released.path / path for option, path in zip(words[::2], words[1::2], strict=True)}
        return {**paths, **{f"--{name}": path for name, path in changed.items()}}

    return options


def copied(source, target, damage):
    """Copy an output folder and damage the copy."""
    shutil.copytree(source, target)
    damage(target)
    return target


def cut_short(path):
    """Keep the first half of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


# --- Configuration ---


def option(name):
    return [f"'{name}' is not an option", "Expected one of"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("overrides: {train.epoch: 3}", ["train.epoch: unknown key", "did you mean 'epochs'?"]),
        ("overrides: {trian: {epochs: 3}}", ["trian: unknown key", "did you mean 'train'?"]),
        ("overrides: {train.epochs: many}", ["train.epochs", "valid integer", "got 'many'"]),
        ("overrides: {train.lr: 2}", ["train.lr", "less than or equal to 1", "got 2"]),
        ("overrides: {train.lr: .nan}", ["train.lr", "finite"]),
        ("overrides: {seed: -1}", ["seed", "greater than or equal to 0"]),
        (
            "overrides: {train.lr: 2, capture.sessions: 0, window.hopp: 3}",
            ["3 problem(s)", "train.lr", "capture.sessions", "window.hopp", "did you mean 'hop'?"],
        ),
        ("overrides: {board.mps3_an547.budget.flash_bytes: 0}", ["board.mps3_an547.budget.flash_bytes: Input"]),
        ("overrides: {model: resnet}", [*option("resnet"), "ds_cnn"]),
        ("overrides: {model: 3}", ["3 is not an option of model"]),
        ("overrides: {board: [native, toaster]}", [*option("toaster"), "mps2_an386, mps3_an547, native"]),
        ("overrides: {window.hop: 2048}", ["window.hop (2048) is larger than window.length (1024)"]),
        ("overrides: {window.length: 1000}", ["window.length to be a power of two, not 1000"]),
        ("overrides: {board: [mps3_an547]}", ["board must include native"]),
        ("overrides: {train.epochs: '${nowhere.at.all}'}", ["'nowhere.at.all' not found"]),
        ("overrides: [train.epochs]", ["the mapping `overrides`"]),
        ("overides: {}", ["'overides'", "`task`", "nothing else"]),
        ("\toverrides: {}", ["cannot be read as YAML", "line 2"]),
    ],
)
def test_bad_params_name_the_key_what_was_expected_and_what_to_do(here, tmp_path, out, text, named):
    params = tmp_path / "params.yaml"
    params.write_text(f"task: vibration\n{text}\n")
    paths = {"--params": params, "--conf": ROOT / "conf", "--out": out / "config.yaml"}
    here.refused("configure", paths, params, *named)


@pytest.mark.parametrize("text", ["", "- vibration", "task: 5", "overrides: {}"])
def test_params_without_a_task_say_what_the_file_must_hold(here, tmp_path, out, text):
    (tmp_path / "params.yaml").write_text(text)
    paths = {"--params": tmp_path / "params.yaml", "--conf": ROOT / "conf", "--out": out / "config.yaml"}
    here.refused("configure", paths, "params.yaml", "the key `task`", "Write, for example, `task: vibration`")


def test_unknown_task_stops_configure_and_leaves_the_configuration(released):
    params, written = released.path / "params.yaml", released.path / "data/config.yaml"
    chosen, before = params.read_text(), written.read_bytes()
    params.write_text("task: vibratoin\n")
    try:
        result = released.run_stage("configure", {})
    finally:
        params.write_text(chosen)
    paragraph(result.returncode, result.stdout, result.stderr, *option("vibratoin"), "vibration_life, vibration_mems")
    assert written.read_bytes() == before
    assert list(written.parent.glob("*.partial")) == []


@pytest.mark.parametrize(
    ("content", "found"), [(None, "No such file"), ("a: [b", "expected ',' or ']'"), ("", "it holds None")]
)
@pytest.mark.parametrize("stage", ["split", "release"])
def test_unusable_configuration_sends_back_to_configure(here, made, out, tmp_path, stage, content, found):
    if content is not None:
        (tmp_path / "config.yaml").write_text(content)
    paths = made(stage, config=tmp_path / "config.yaml", out=out)
    here.refused(stage, paths, tmp_path / "config.yaml", found, "Run `dvc repro configure`")


# --- Recordings ---


def test_window_longer_than_a_recording_stops_capture(released, config, out):
    result = released.run_stage("capture", {"--config": config({"window.length": 16384}), "--out": out})
    named = ["session s0000: it has 12800 samples", "window.length is 16384", "Shorten window.length"]
    paragraph(result.returncode, result.stdout, result.stderr, *named)


def test_missing_dataset_root_names_the_variable_and_the_command(here, monkeypatch, config, out, tmp_path):
    paths = {"--config": config({"capture": "bearing_datasets"}, "vibration_mems", edit=whole), "--out": out}
    monkeypatch.delenv("BEARING_DATASETS_ROOT", raising=False)
    here.refused("capture", paths, "set 'adi_cbm'", "BEARING_DATASETS_ROOT is not set", "build adi_cbm`")
    monkeypatch.setenv("BEARING_DATASETS_ROOT", str(tmp_path))
    here.refused("capture", paths, tmp_path / "adi_cbm", "the set is not there", "build adi_cbm`")
    monkeypatch.setenv("BEARING_DATASETS_ROOT", str(tmp_path / "nowhere"))
    here.refused("capture", paths, tmp_path / "nowhere", "the folder does not exist", "BEARING_DATASETS_ROOT")


def whole(composed):
    """Drop the tiny pipeline's choices for the synthetic source."""
    for key in ("sessions", "duration_s"):
        composed["capture"].pop(key, None)


def tiny_set(composed):
    whole(composed)
    composed["window"] = {"length": 256, "hop": 128}
    composed["capture"] |= {"name": "tiny", "content_hash": "abc", "channels": ["x"]}


def noise(n_samples):
    return np.random.Generator(np.random.PCG64(1)).normal(0.9, 0.01, n_samples)


NAN_AT_17 = np.where(np.arange(300) == 17, np.nan, noise(300))


@pytest.mark.parametrize(
    ("second", "named"),
    [
        (("b", []), ["session b", "the recording is empty", "record it again"]),
        (("b", NAN_AT_17), ["session b", "1 of 300 samples are NaN", "sample 17 of channel 'x'", "Repair the export"]),
        (("b", noise(255)), ["session b", "it has 255 samples", "window.length is 256"]),
        (("a_a", noise(300)), ["session a_a", "two recordings have this id", "Rename one"]),
    ],
)
def test_bad_recording_stops_capture_and_is_named(here, monkeypatch, config, out, tmp_path, second, named):
    recordings = {"a a": ("normal", 1000.0, {"x": noise(300)}), second[0]: ("inner", 1000.0, {"x": second[1]})}
    monkeypatch.setenv("BEARING_DATASETS_ROOT", str(built_set(tmp_path / "sets", recordings)))
    paths = {"--config": config(task="vibration_mems", edit=tiny_set), "--out": out}
    here.refused("capture", paths, *named)


def test_other_content_than_the_pinned_hash_stops_capture(here, monkeypatch, config, out, tmp_path):
    root = built_set(tmp_path / "sets", {"a": ("normal", 1000.0, {"x": noise(300)})})
    monkeypatch.setenv("BEARING_DATASETS_ROOT", str(root))
    manifest = root / "tiny/manifest.json"
    manifest.write_text(manifest.read_text().replace("abc", "abd"))
    paths = {"--config": config(task="vibration_mems", edit=tiny_set), "--out": out}
    here.refused("capture", paths, "set 'tiny'", "its content hash is abd", "abc, as capture.content_hash pins")


def test_truncated_set_stops_capture(here, monkeypatch, config, out, tmp_path):
    root = built_set(tmp_path / "sets", {"a": ("normal", 1000.0, {"x": noise(3000)})})
    monkeypatch.setenv("BEARING_DATASETS_ROOT", str(root))
    cut_short(root / "tiny/signals/part.parquet")
    paths = {"--config": config(task="vibration_mems", edit=tiny_set), "--out": out}
    here.refused("capture", paths, "recording a of set 'tiny'", "truncated or damaged", "build")


# --- Files between stages ---


def blank_the_middle(path):
    """Overwrite samples and leave the end, where Parquet keeps its directory."""
    content = bytearray(path.read_bytes())
    content[40 : len(content) // 2] = bytes(len(content) // 2 - 40)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "named"),
    [(cut_short, "as dataset.json lists it"), (blank_the_middle, "SHA-256"), (os.unlink, "complete Parquet file")],
)
def test_damaged_session_stops_split_and_is_named(here, made, out, tmp_path, damage, named):
    capture = copied(
        made("split")["--capture"], tmp_path / "capture", lambda folder: damage(folder / "sessions/s0003.parquet")
    )
    paths = made("split", capture=capture, out=out)
    here.refused("split", paths, capture / "sessions/s0003.parquet", named, "run `dvc repro")


def drop_last_row(path):
    np.save(path, np.load(path)[:-1])


def refuse_all(path):
    path.write_text(json.dumps({**json.loads(path.read_text()), "selected": None}))


def other_architecture(path):
    from safetensors.numpy import load_file, save_file

    save_file({name: tensor for name, tensor in load_file(path).items() if name != "head.bias"}, path)


@pytest.mark.parametrize(
    ("stage", "artifact", "damage", "named"),
    [
        ("split", "capture/dataset.json", cut_short, ["not JSON", "dvc repro"]),
        ("split", "capture/dataset.json", os.unlink, ["does not exist", "dvc repro"]),
        ("features", "split/windows.parquet", cut_short, ["window index", "dvc repro split"]),
        ("train", "features/codes.npy", cut_short, ["codes cannot be read", "dvc repro features"]),
        ("train", "features/codes.npy", drop_last_row, ["int8 of shape", "one row of int8 codes per window"]),
        ("quantize", "train/float.safetensors", cut_short, ["weights cannot be loaded", "dvc repro train"]),
        ("quantize", "train/float.safetensors", os.unlink, ["weights cannot be loaded", "dvc repro train"]),
        ("quantize", "train/float.safetensors", other_architecture, ["head.bias", "conf/model"]),
        ("convert", "quantize/thresholds.json", cut_short, ["not JSON", "dvc repro"]),
        ("convert", "features/contract.json", os.unlink, ["does not exist", "dvc repro"]),
        ("validate", "convert/model.onnx", cut_short, ["cannot be read as ONNX", "dvc repro"]),
        ("release", "convert/weights.bin", os.unlink, ["No such file", "dvc repro"]),
        ("release", "validate/parity.json", cut_short, ["not JSON", "dvc repro"]),
    ],
)
def test_damaged_artifact_is_named_with_the_command_that_makes_it(
    here, made, out, tmp_path, stage, artifact, damage, named
):
    reads, name = artifact.split("/")
    folder = copied(made(stage)[f"--{reads}"], tmp_path / reads, lambda copy: damage(copy / name))
    here.refused(stage, made(stage, **{reads: folder, "out": out}), folder / name, *named)


def test_truncated_model_stops_convert_and_leaves_the_generated_code(here, made, out, tmp_path):
    def cut_all(folder):
        for path in folder.glob("*.onnx"):
            cut_short(path)

    quantize = copied(made("convert")["--quantize"], tmp_path / "quantize", cut_all)
    generated = copied(made("convert")["--generated"], tmp_path / "generated", lambda copy: None)
    before = {path.name: path.read_bytes() for path in generated.iterdir()}
    paths = made("convert", quantize=quantize, generated=generated, out=out)
    here.refused("convert", paths, quantize, ".onnx: it cannot be read as ONNX", "dvc repro")
    assert {path.name: path.read_bytes() for path in generated.iterdir()} == before


@pytest.mark.parametrize("damage", [cut_short, os.unlink])
def test_damaged_native_image_stops_validate(here, made, out, tmp_path, config, damage):
    build = copied(made("build")["--out"], tmp_path / "build", lambda copy: damage(copy / "native/harness.elf"))
    paths = made("validate", build=build, out=out, config=config({"board": ["native"]}))
    here.refused("validate", paths, build / "native/harness.elf")


def test_output_that_cannot_be_written_is_named(here, made, tmp_path):
    (tmp_path / "file").write_text("in the way")
    here.refused("split", made("split", out=tmp_path / "file/split"), tmp_path / "file", "Not a directory")


# --- Refusals of the stages ---


def keep(*session_ids):
    """Leave only some sessions in a data set's list."""

    def damage(folder):
        dataset = json.loads((folder / "dataset.json").read_text())
        chosen = [entry for entry in dataset["sessions"] if entry["session_id"] in session_ids]
        (folder / "dataset.json").write_text(json.dumps({**dataset, "sessions": chosen}))

    return damage


@pytest.mark.parametrize(
    ("n_sessions", "named"),
    [
        (
            3,
            [
                "split.folds",
                "3 values of group_id",
                "healthy in machine_00, machine_02",
                "Record more units, lower split.folds",
            ],
        ),
        (
            6,
            [
                "split.folds",
                "6 values of group_id",
                "at least 5 sessions of one most severe class",
                "lower split.folds",
            ],
        ),
    ],
)
def test_too_few_recordings_stop_split(here, made, out, tmp_path, n_sessions, named):
    by_class = {True: [], False: []}
    for entry in json.loads((made("split")["--capture"] / "dataset.json").read_text())["sessions"]:
        by_class[entry["labelled_samples"]["anomalous"] > 0].append(entry["session_id"])
    chosen = [*by_class[True][: n_sessions // 2], *by_class[False][: n_sessions - n_sessions // 2]]
    capture = copied(made("split")["--capture"], tmp_path / "capture", keep(*chosen))
    here.refused("split", made("split", capture=capture, out=out), *named)


def hide_labels(folder):
    """Leave of each anomalous label only what lies after the last whole window."""
    dataset = json.loads((folder / "dataset.json").read_text())
    for entry in dataset["sessions"]:
        path = folder / entry["path"]
        file = SessionFile(path)
        n = file.n_samples
        spans = tuple(replace(span, start=n - 100, stop=n) for span in file.meta.spans if span.label == "anomalous")
        if spans:
            write_session(path, replace(file.meta, spans=spans), file.counts())
            entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "dataset.json").write_text(json.dumps(dataset))


def test_labels_in_no_window_stop_split(here, made, out, tmp_path):
    capture = copied(made("split")["--capture"], tmp_path / "capture", hide_labels)
    here.refused(
        "split", made("split", capture=capture, out=out), "train would have no anomalous window", "anomalous in none"
    )


def test_held_out_condition_that_no_recording_has_stops_split(here, made, config, out):
    def held_out(composed):
        nowhere = {"val": ["nowhere"], "test": ["900rpm"]}
        composed["split"] |= {"by": "held_out", "conditions": nowhere, "states": nowhere}
        del composed["split"]["folds"]

    paths = made("split", config=config(edit=held_out), out=out)
    here.refused("split", paths, "split.conditions", "nowhere", "in no recording", "Correct the split section")


def test_network_longer_than_the_window_stops_before_training(here, made, config, out, monkeypatch):
    monkeypatch.setattr("stages.core.nets.loop.fit", lambda *_, **__: pytest.fail("training began"))
    wide = [{"channels": 8, "kernel": 64, "stride": 8}] * 2
    paths = made("train", config=config({"model.blocks": wide}), out=out)
    here.refused("train", paths, "window of 1 channels and 1024 samples", "Raise window.length", "conf/model")


@pytest.fixture(scope="session")
def gate_refusal(released, tmp_path_factory):
    """Run quantize with a gate that nothing passes."""
    folder = tmp_path_factory.mktemp("refused")
    config = yaml.safe_load((released.path / "data/config.yaml").read_text())
    config["quantize"]["ladder"] = ["ptq"]
    config["gate"]["limits"] = {"auc_drop": {"max": -2.0}, "tpr_at_fpr_5_drop": {"max": 2.0}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    out = folder / "quantize"
    return released.run_stage("quantize", {"--config": folder / "config.yaml", "--out": out}), out


def test_gate_refusal_exits_with_3_and_leaves_the_table(gate_refusal):
    result, folder = gate_refusal
    said = paragraph(
        result.returncode,
        "",
        result.stderr,
        "gate",
        "ptq fails anomalous auc_drop",
        "at most -2",
        expected_code=3,
    )
    assert "tpr_at_fpr_5_drop" not in said
    table = result.stdout.splitlines()
    assert table[0] == "gate: ptq REFUSED"
    assert [line.split()[:4] for line in table if line.startswith("FAIL")] == [["FAIL", "ptq", "anomalous", "auc_drop"]]
    gate = json.loads((folder / "gate.json").read_text())
    assert gate["selected"] is None
    assert {row["metric"]: row["passed"] for row in gate["rungs"]["ptq"]} == {
        "auc_drop": False,
        "tpr_at_fpr_5_drop": True,
    }


def test_convert_refuses_what_the_gate_refused(gate_refusal, here, made, out, tmp_path):
    _, quantize = gate_refusal
    paths = made("convert", quantize=quantize, generated=tmp_path / "generated", out=out)
    here.refused("convert", paths, quantize / "gate.json", "no precision was selected", expected_code=3)
    assert not (tmp_path / "generated").exists()


@needs_arm_tools
def test_budget_exceeded_exits_with_4_and_names_figure_and_limit(released, config, out):
    figures = {"flash_bytes": 1000, "arena_bytes": 1001, "instructions_per_window": 1002}
    changes = {f"board.mps2_an386.budget.{figure}": limit for figure, limit in figures.items()}
    result = released.run_stage("validate", {"--config": config(changes), "--out": out})
    named = ["board mps2_an386", *(text for name, limit in figures.items() for text in (name, f"(limit {limit})"))]
    said = paragraph(result.returncode, result.stdout, result.stderr, *named, "in stage model", expected_code=4)
    assert "ram_bytes" not in said


@pytest.mark.slow
@needs_arm_tools
def test_a_slower_kernel_exceeds_the_budget_that_the_fast_one_keeps(released, config, out, tmp_path):
    def validate(build, limit):
        changes = {"board.mps3_an547.budget.instructions_per_window": limit}
        return released.run_stage("validate", {"--config": config(changes), "--build": build, "--out": out})

    used = json.loads((released.path / "models/validate/device.json").read_text())["mps3_an547"]["stream"]
    limit = 2 * used["most_instructions_per_window"]
    firmware = shutil.copytree(released.path / "firmware", tmp_path / "firmware")
    types = firmware / "kernels" / "types.h"
    assert types.read_text().count("#define TG_HAS_HELIUM 1") == 1
    types.write_text(types.read_text().replace("#define TG_HAS_HELIUM 1", "#define TG_HAS_HELIUM 0"))
    paths = {"--firmware": firmware, "--out": tmp_path / "build"}
    assert released.run_stage("build", paths).returncode == 0
    result = validate(tmp_path / "build", limit)
    named = ["board mps3_an547", "instructions_per_window", f"(limit {limit})", "in stage model", "stem"]
    paragraph(result.returncode, result.stdout, result.stderr, *named, expected_code=4)


@pytest.mark.slow
@needs_arm_tools
def test_a_longer_window_exceeds_the_budget(tmp_path):
    budget = {"board.mps3_an547.budget.instructions_per_window": 150_000}
    workspace = Workspace(tmp_path, {"window.length": 2048, "window.hop": 2048, "capture.duration_s": 2.0, **budget})
    result = workspace.run("dvc", "repro")
    assert result.returncode != 0
    assert "instructions_per_window" in result.stderr and "(limit 150000)" in result.stderr
    assert "in stage model" in result.stderr


def test_fault_gate_that_refuses_the_tail_exits_with_3_and_names_class_share_and_cause(here, made, config, out):
    # The gate has its limits from so few windows here that sound ones go beyond them.
    paths = made("validate", config=config({"validate.max_refused": 0.01}), out=out)
    named = ["windows of 'anomalous', a share of 0.", "(variance ", "`validate.max_refused`"]
    here.refused("validate", paths, *named, expected_code=3)


# --- Tools and services ---


@pytest.fixture
def only_programs(monkeypatch, tmp_path):
    """Set a PATH on which there is nothing else."""

    def choose(*names):
        found = {name: shutil.which(name) for name in names}
        if None in found.values():
            pytest.skip(f"not all of {', '.join(names)} are installed")
        (tmp_path / "bin").mkdir()
        for name, path in found.items():
            (tmp_path / "bin" / name).symlink_to(path)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return choose


@pytest.mark.parametrize(
    ("board", "present", "named"),
    [
        ("native", ["cmake", "ninja"], ["gcc is not installed", "apt-get install gcc`"]),
        ("native", ["gcc", "ninja"], ["cmake is not installed", "apt-get install cmake`"]),
        ("native", ["gcc", "cmake"], ["ninja is not installed", "apt-get install ninja-build`"]),
        ("mps2_an386", ["gcc", "cmake", "ninja"], ["arm-none-eabi-gcc is not installed", "install gcc-arm-none-eabi`"]),
        ("mps3_an547", [], ["arm-none-eabi-gcc is not installed", "install gcc-arm-none-eabi`"]),
    ],
)
def test_missing_tool_names_the_board_and_the_package(here, made, config, out, only_programs, board, present, named):
    only_programs(*present)
    paths = made("build", config=config({"board": sorted({"native", board})}), out=out)
    here.refused("build", paths, f"board {board}: ", *named)


def test_missing_compiler_stops_the_process_with_2(released, config, out, only_programs):
    only_programs("cmake", "ninja")
    path = os.environ["PATH"]
    result = released.run_stage("build", {"--config": config({"board": ["native"]}), "--out": out}, PATH=path)
    paragraph(result.returncode, result.stdout, result.stderr, "board native: gcc is not installed")


@needs_arm_tools
def test_missing_emulator_names_the_board_and_the_package(here, made, config, out, only_programs):
    only_programs()
    paths = made("validate", config=config({"board": ["native", "mps2_an386"]}), out=out)
    here.refused("validate", paths, "board mps2_an386: qemu-system-arm is", "apt-get install qemu-system-arm`")


def test_unreachable_tracking_server_costs_one_warning_and_no_byte(released, tmp_path):
    begun = time.monotonic()
    result = released.run_stage("split", {"--out": tmp_path / "split"}, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert time.monotonic() - begun < 60
    assert (result.returncode, result.stdout.count("split: windows in train")) == (0, 1)
    assert result.stderr.count("Warning") == 1
    assert "tracking: MLflow at http://127.0.0.1:9 took no record" in result.stderr
    for path in (released.path / "data/split").iterdir():
        assert path.read_bytes() == (tmp_path / "split" / path.name).read_bytes()


def test_stage_killed_half_way_leaves_the_earlier_output_and_the_next_run_succeeds(released, config, tmp_path):
    out, long = tmp_path / "capture", config({"capture.sessions": 96, "capture.duration_s": 4.0})
    out.mkdir()
    (out / "earlier").write_text("whole")
    command = [sys.executable, "-m", "stages.capture", "--config", str(long), "--out", str(out)]
    with subprocess.Popen(command, cwd=released.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not any(tmp_path.glob("capture.partial/sessions/*")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert {path.name for path in out.iterdir()} == {"earlier"}

    result = released.run_stage("capture", {"--config": config({"capture.sessions": 4}), "--out": out})
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "dataset.json",
        "flags.png",
        "report.md",
        "sessions",
        "signals.png",
    ]
    assert len(json.loads((out / "dataset.json").read_text())["sessions"]) == 4
    assert list(tmp_path.glob("*.partial")) == []


def test_run_killed_while_it_deletes_the_old_output_leaves_the_new_one_whole(monkeypatch, tmp_path):
    out, delete = tmp_path / "out", shutil.rmtree
    out.mkdir()
    (out / "earlier").write_text("whole")

    def killed(path, **options):
        if (path / "earlier").exists():
            raise KeyboardInterrupt
        delete(path, **options)

    def run_once(name):
        with output_directory(out) as folder:
            (folder / name).write_text("whole")

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(shutil, "rmtree", killed)
        run_once("later")
    assert [path.name for path in out.iterdir()] == ["later"]
    run_once("last")
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["out", "out/last"]
