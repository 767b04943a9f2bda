"""Updates survive a power cut at any operation of the flash, with what they leave behind cut once more."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace

import pytest

from tests.update.library import IDENTITY, compile_program, target_bytes

#: Bytes of a block, bytes of a unit, blocks of a slot; and how many operations after a cut are cut as well. A record
#: takes an erasure and 64 / unit operations.
CASES = [
    (256, 4, 5, 1),
    (128, 16, 7, 3),
    (1024, 64, 1, 5),
    pytest.param(128, 16, 7, 100, marks=pytest.mark.slow),
    pytest.param(1024, 64, 1, 12, marks=pytest.mark.slow),
    pytest.param(4096, 8, 1, 5, marks=pytest.mark.slow),
]
STORIES = ["update", "rollback of an ill trial", "rollback of a silent trial", "return from a damaged slot"]


@pytest.fixture(scope="module")
def power_cut(tmp_path_factory, monocypher):
    return compile_program(tmp_path_factory.mktemp("power_cut"), "power_cut", monocypher)


@pytest.mark.parametrize(("block", "unit", "blocks", "second"), CASES)
def test_a_valid_release_runs_after_any_power_cut(power_cut, signer, tmp_path, block, unit, blocks, second):
    releases = [(1, 0, 0), (1, 0, 1), (1, 1, 0)]
    files = {"target": target_bytes(signer.public)} | {
        f"bundle{k}": signer.bundle(replace(IDENTITY, release=release), weights=bytes([k] * 64))
        for k, release in enumerate(releases)
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    sizes = (str(size) for size in (block, unit, blocks))
    command = [power_cut, *sizes, *(tmp_path / name for name in files), str(second)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    print(done.stdout)
    told = re.findall(r"(.+): (\d+) operations, (\d+) cut points, (\d+) of a second cut", done.stdout)
    assert [name for name, *_ in told] == STORIES
    assert all(int(cuts) == 5 * int(operations) > 0 and int(again) > 0 for _, operations, cuts, again in told)
