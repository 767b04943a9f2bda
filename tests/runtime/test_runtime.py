"""The runtime libraries, compiled for the host with sanitizers."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.runtime.library import FIRMWARE, FLAGS, HERE, MODULES

SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
TESTS = re.findall(r"RUN\((\w+)\);", (HERE / "test_runtime.c").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    binary = tmp_path_factory.mktemp("runtime") / "test_runtime"
    sources = [FIRMWARE / "runtime" / f"{name}.c" for name in (*MODULES, "stack")]
    command = ["gcc", *FLAGS, *SANITIZERS, f"-I{FIRMWARE}", HERE / "test_runtime.c", *sources, "-pthread"]
    subprocess.run([*command, "-o", binary], check=True)
    return subprocess.run([binary], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", TESTS)
def test_runtime(outcome, name):
    assert name in outcome.stdout.splitlines(), outcome.stderr[-2000:]


def test_nothing_else_went_wrong(outcome):
    assert (outcome.returncode, outcome.stderr) == (0, "")
