"""The runtime libraries, compiled for the host with sanitizers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FIRMWARE = HERE.parents[1] / "firmware"
FLAGS = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined"]
TESTS = re.findall(r"RUN\((\w+)\);", (HERE / "test_runtime.c").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    binary = tmp_path_factory.mktemp("runtime") / "test_runtime"
    sources = [FIRMWARE / "runtime" / name for name in ("ring.c", "decision.c", "stack.c")]
    command = ["gcc", *FLAGS, "-fno-sanitize-recover=all", f"-I{FIRMWARE}", HERE / "test_runtime.c", *sources]
    subprocess.run([*command, "-o", binary], check=True)
    return subprocess.run([binary], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", TESTS)
def test_runtime(outcome, name):
    assert name in outcome.stdout.splitlines(), outcome.stderr[-2000:]


def test_nothing_else_went_wrong(outcome):
    assert (outcome.returncode, outcome.stderr) == (0, "")
