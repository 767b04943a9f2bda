"""Derived seeds are independent of each other and of the process."""

import os
import subprocess
import sys

from stages.core.seeds import PINNED_ENVIRONMENT, derive_seed
from tests.pipeline.imports import ROOT


def test_derived_seeds_differ_by_use_and_by_seed():
    seeds = {derive_seed(seed, use, index) for seed in (1, 2) for use in ("capture", "train") for index in range(50)}
    assert len(seeds) == 200
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_derived_seed_is_a_fixed_function():
    # The first eight bytes of sha256("1/train"), little-endian, halved.
    import hashlib

    expected = int.from_bytes(hashlib.sha256(b"1/train").digest()[:8], "little") // 2
    assert derive_seed(1, "train") == expected


def test_importing_a_stage_pins_the_math_libraries_before_they_load():
    code = f"import stages, os; print(*(os.environ[key] for key in {list(PINNED_ENVIRONMENT)}), sep=chr(10))"
    environment = {**os.environ, "OMP_NUM_THREADS": "7", "ATEN_CPU_CAPABILITY": "avx512"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == list(PINNED_ENVIRONMENT.values())
