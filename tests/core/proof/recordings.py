"""Sessions to prove something about: vibration as machines make it, and copies of it."""

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from stages.core.recordings.session import SessionFile, SessionMeta, write_session

COLUMNS = ["session_id", "group_id", "condition", "state", "part", "start", "label"]
RATE_HZ = 1000.0


def vibration(seed, n_samples=16384, *, harmonics=400.0, impacts=0.0):
    """A machine's vibration in counts, shape (samples, 1): shaft orders and impacts shared by all seeds, noise not."""
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples) + rng.integers(1000)
    orders = sum(np.sin(2 * np.pi * order * time / 97.3) / order for order in range(1, 12))
    struck = np.zeros(n_samples)
    struck[rng.permutation(n_samples)[: n_samples // 300]] = impacts
    ringing = lfilter([1.0], [1.0, -1.2, 0.81], rng.standard_normal(n_samples) * 40 + struck)
    return np.rint(np.clip(harmonics * orders + ringing, -32768, 32767))[:, np.newaxis].astype(np.int16)


def store(folder, sessions, limits=()):
    """Write sessions by name, and give their files."""
    files = {}
    for name, counts in sessions.items():
        meta = SessionMeta(
            session_id=name,
            group_id=name,
            condition="c",
            state="normal",
            sample_rate_hz=RATE_HZ,
            channels=tuple(f"ch{k}" for k in range(counts.shape[1])),
            unit="g",
            full_scale=1.0,
            counts_per_unit=32768.0,
            device="",
            firmware="",
            mounting="",
            spans=(),
            limits=limits,
        )
        write_session(folder / f"{name}.parquet", meta, counts)
        files[name] = SessionFile(folder / f"{name}.parquet")
    return files


def index(*rows):
    """An index from rows of (session, group, part, start, label)."""
    return pd.DataFrame([(s, g, "c", "x", part, start, label) for s, g, part, start, label in rows], columns=COLUMNS)


def whole(files, parts, length):
    """Put all windows of each session, without overlap, into its part."""
    rows = [
        (name, name, parts[name], start, 0)
        for name, file in sorted(files.items())
        for start in range(0, file.n_samples - length + 1, length)
    ]
    return index(*rows)
