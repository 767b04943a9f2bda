"""The one place that makes a run repeatable: math-library dispatch, thread counts and seeds."""

from __future__ import annotations

import os

#: Weights trained on the CPU depend on each of these, so all of them are pinned and recorded in the
#: release manifest. AVX2 is the widest instruction set that every x86-64 machine of the last decade has.
PINNED_ENVIRONMENT: dict[str, str] = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_NUM_THREADS": "1",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OMP_NUM_THREADS": "1",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "OPENBLAS_NUM_THREADS": "1",
}


def pin_environment() -> None:
    """Set the pinned variables in this process. Must run before numpy or torch is imported."""
    os.environ.update(PINNED_ENVIRONMENT)


def seed_torch(seed: int) -> None:
    """Seed torch and make it choose deterministic single-threaded kernels.

    Parameters
    ----------
    seed : int
        The run's seed (``seed`` in ``data/config.yaml``).
    """
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)


def derive_seed(seed: int, *path: str | int) -> int:
    """Derive an independent 63-bit seed for one named use, so that adding a use never shifts another.

    Parameters
    ----------
    seed : int
        The run's seed.
    *path : str or int
        What the derived seed is for, for example ``("capture", "session", 17)``.

    Returns
    -------
    int
        A seed in ``[0, 2**63)``.
    """
    import hashlib

    text = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
