"""Assign windows to train, val and test by whole units or by time; write the index and the proof that nothing leaks."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd

from stages.core.artifacts import output_directory, read_json, write_json
from stages.core.errors import SplitError
from stages.core.partition import assign
from stages.core.proof.checks import promise_of, prove
from stages.core.recordings.dataset import session_files
from stages.core.recordings.session import SessionFile
from stages.core.recordings.windows import PARTS, UNSEEN, label_windows, write_windows
from stages.core.schema.compute import Compute
from stages.core.schema.labels import Labels
from stages.core.schema.split import Split
from stages.core.schema.window import Window
from stages.core.settings import Settings, load
from stages.core.stage import run
from stages.core.tracking import Run, track

_COLUMNS = ["session_id", "group_id", "condition", "state", "part", "start", "label"]
_NAMED_AT_MOST = 10


class SplitSettings(Settings):
    """The sections that this stage reads."""

    seed: int
    window: Window
    labels: Labels
    compute: Compute
    split: Split


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    config = load(paths.config, SplitSettings)
    with track("split", config.split.model_dump(), paths.out) as record:
        return split_windows(paths, config, record)


def split_windows(paths: argparse.Namespace, config: SplitSettings, record: Run) -> str:
    """Assign, prove and write, and return the closing line."""
    dataset = read_json(paths.capture / "dataset.json")
    usable = [entry for entry in dataset["sessions"] if entry["excluded"] is None]
    files = session_files(paths.capture)
    for entry in usable:
        files[entry["session_id"]].verify(entry["sha256"])
    rate = usable[0]["sample_rate_hz"]
    windows = assign(
        index_windows(files, config.window, config.labels),
        config.split,
        {session_id: file.n_samples for session_id, file in files.items()},
        window_length=config.window.length,
        sample_rate_hz=rate,
        classes=config.labels.classes,
        seed=config.seed,
    )[_COLUMNS]
    promise = promise_of(config.split, rate)
    proof = prove(windows, files, promise, config.window.length, config.split.duplicates, config.compute)
    if not config.split.leaky:
        _require(proof)
    split = summary(windows, sorted(files), config.split, config.labels.classes)
    with output_directory(paths.out) as out:
        write_windows(out / "windows.parquet", windows)
        write_json(out / "split.json", split)
        write_json(out / "proof.json", {"leaky": config.split.leaky, **proof})
        record.metrics({f"windows_{part}": sum(counts.values()) for part, counts in split["windows"].items()})
    return closing_line(split, proof)


def index_windows(files: dict[str, SessionFile], window: Window, labels: Labels) -> pd.DataFrame:
    """List every window that has a class, of every session, in no part yet."""
    frames = []
    for session_id in sorted(files):
        file = files[session_id]
        starts, classes = label_windows(file.meta.spans, file.meta.gaps, file.n_samples, window, labels)
        identity = {key: getattr(file.meta, key) for key in ("session_id", "group_id", "condition", "state")}
        frames.append(pd.DataFrame({**identity, "start": starts, "label": classes}))
    return pd.concat(frames, ignore_index=True)


def summary(windows: pd.DataFrame, sessions: list[str], split: Split, classes: tuple[str, ...]) -> dict[str, Any]:
    """Say who is where, and who is nowhere."""
    parts = [part for part in (*PARTS, UNSEEN) if part in set(windows["part"])]
    members = {part: windows[windows["part"] == part] for part in parts}
    units = {"sessions": "session_id", "groups": "group_id", "conditions": "condition"}
    return {
        "by": split.by,
        "leaky": split.leaky,
        **{name: {part: sorted(set(rows[key])) for part, rows in members.items()} for name, key in units.items()},
        "left_out": sorted(set(sessions) - set(windows["session_id"])),
        "windows": {
            part: {name: int((rows["label"] == label).sum()) for label, name in enumerate(classes)}
            for part, rows in members.items()
        },
    }


def closing_line(split: dict[str, Any], proof: dict[str, Any]) -> str:
    """Say how many windows are where, and what the proof found."""
    sizes = ", ".join(
        f"{part} {sum(counts.values())} ({', '.join(f'{count} {name}' for name, count in counts.items())})"
        for part, counts in split["windows"].items()
    )
    failed = [check["check"] for check in proof["checks"] if check["crossing"]]
    verdict = f"leaks: not so that {'; '.join(failed)}" if failed else f"proof holds over {len(proof['checks'])} checks"
    return f"split: windows in {sizes}; {len(split['left_out'])} session(s) left out; {verdict}"


def _require(proof: dict[str, Any]) -> None:
    for check in proof["checks"]:
        crossing = check["crossing"]
        if crossing:
            more = f", and {len(crossing) - _NAMED_AT_MOST} more" if len(crossing) > _NAMED_AT_MOST else ""
            raise SplitError(
                found=f"{len(crossing)} case(s) cross: {', '.join(map(str, crossing[:_NAMED_AT_MOST]))}{more}",
                where="the leakage proof",
                expected=check["check"],
                remedy="Remove the copy from the source, or give recordings of one unit the same group",
            )


if __name__ == "__main__":
    run(main, "capture")
