"""The boards as configured, and generated networks to build for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from stages.core.cgen.emit import emit
from stages.core.cgen.lifetimes import lifetimes
from stages.core.cgen.streaming import kept_layers
from stages.core.plan import plan
from stages.core.runtime.decision import Rules
from stages.core.schema.build import Board, Build, NativeBoard, QemuBoard

ROOT = Path(__file__).parents[3]
FIRMWARE = ROOT / "firmware"
BUILD = Build.model_validate(yaml.safe_load((ROOT / "conf" / "build" / "default.yaml").read_text(encoding="utf-8")))
EMULATED = ["mps2_an386", "mps3_an547"]


def load_board(name: str) -> NativeBoard | QemuBoard:
    text = (ROOT / "conf" / "board" / f"{name}.yaml").read_text(encoding="utf-8")
    return TypeAdapter(Board).validate_python(yaml.safe_load(text)[name])


def need_tools(name: str) -> None:
    for program in ["cmake", "ninja", *(["arm-none-eabi-gcc", "qemu-system-arm"] if name in EMULATED else ["gcc"])]:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed, so board {name} cannot be built and run")


def write_generated(
    folder: Path,
    graph,
    contract,
    threshold_codes=(10,),
    model_sha256="0" * 64,
    accumulate=1,
    rules=None,
    stream=None,
    *,
    layers=0,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rules = rules or Rules.plain(threshold_codes, accumulate)
    kept = kept_layers(graph, contract, layers)
    arena = plan(lifetimes(graph, kept))
    files = emit(graph, arena, contract, model_sha256=model_sha256, rules=rules, stream=stream, kept=kept)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
