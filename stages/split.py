"""Assign whole units to train, val and test; write the window index and the proof that nothing leaks."""

from __future__ import annotations

import argparse
from typing import Any

import pandas as pd

from stages.core.artifacts import output_directory, read_json, write_json
from stages.core.errors import SplitError
from stages.core.partition import Unit, assign
from stages.core.proof import prove
from stages.core.recordings.session import ANOMALOUS, UNCERTAIN, SessionFile
from stages.core.recordings.windows import PARTS, label_windows, write_windows
from stages.core.schema.split import GroupSplit, Split
from stages.core.schema.window import Window
from stages.core.settings import Settings, load
from stages.core.stage import run
from stages.core.tracking import track


class SplitSettings(Settings):
    """The sections that this stage reads."""

    seed: int
    window: Window
    split: Split


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    config = load(paths.config, SplitSettings)
    dataset = read_json(paths.capture / "dataset.json")
    usable = [entry for entry in dataset["sessions"] if entry["excluded"] is None]
    files = {entry["session_id"]: SessionFile(paths.capture / entry["path"]) for entry in usable}
    units = [_unit(file) for file in files.values()]
    labelled = [unit for unit in units if any(span.label != UNCERTAIN for span in files[unit.session_id].meta.spans)]
    parts = dict.fromkeys(files) | assign(labelled, config.split, config.seed)
    windows = index_windows(files, parts, config.window)
    _require_both_classes(windows)
    proof_units = ("group_id",) if isinstance(config.split, GroupSplit) else ("condition", "state")
    proof = prove(windows, proof_units, config.window.length, lambda session_id: files[session_id].counts())
    with output_directory(paths.out) as out, track("split", config.split.model_dump()) as record:
        write_windows(out / "windows.parquet", windows)
        write_json(out / "split.json", summary(units, parts, windows))
        write_json(out / "proof.json", proof)
        _require(proof)
        record.metrics({f"windows_{part}": int((windows["part"] == part).sum()) for part in PARTS})
        record.artifact(out / "proof.json")
    counts = windows.groupby("part")["label"].agg(["size", "sum"])
    sizes = ", ".join(f"{part} {counts['size'][part]} ({counts['sum'][part]} anomalous)" for part in PARTS)
    left_out = sum(part is None for part in parts.values())
    return f"split: windows in {sizes}; {left_out} session(s) left out; proof holds over {len(proof['checks'])} checks"


def _unit(file: SessionFile) -> Unit:
    meta = file.meta
    anomalous = any(span.label == ANOMALOUS for span in meta.spans)
    return Unit(meta.session_id, meta.group_id, meta.condition, meta.state, anomalous)


def index_windows(files: dict[str, SessionFile], parts: dict[str, str | None], window: Window) -> pd.DataFrame:
    """List every window of every used session, part by part, in the row order of the features."""
    frames = []
    for part in PARTS:
        for session_id in sorted(session_id for session_id, assigned in parts.items() if assigned == part):
            file = files[session_id]
            starts, labels = label_windows(file.meta.spans, file.n_samples, window.length, window.hop)
            identity = {key: getattr(file.meta, key) for key in ("session_id", "group_id", "condition", "state")}
            frames.append(pd.DataFrame({**identity, "part": part, "start": starts, "label": labels}))
    return pd.concat(frames, ignore_index=True)


def summary(units: list[Unit], parts: dict[str, str | None], windows: pd.DataFrame) -> dict[str, Any]:
    """Say who is where, and who is nowhere."""
    by_part = {part: sorted(unit.session_id for unit in units if parts[unit.session_id] == part) for part in PARTS}
    return {
        "sessions": by_part,
        "left_out": sorted(unit.session_id for unit in units if parts[unit.session_id] is None),
        "groups": {part: sorted(set(windows.loc[windows["part"] == part, "group_id"])) for part in PARTS},
        "windows": {part: int((windows["part"] == part).sum()) for part in PARTS},
        "anomalous_windows": {part: int(windows.loc[windows["part"] == part, "label"].sum()) for part in PARTS},
    }


def _require_both_classes(windows: pd.DataFrame) -> None:
    """Sessions of both classes do not promise windows of both: a span may cover less than half of each window."""
    found = set(zip(windows["part"], windows["label"], strict=True))
    for part in PARTS:
        for label, name in ((0, "healthy"), (1, "anomalous")):
            if (part, label) not in found:
                raise SplitError(
                    found=f"{part} has sessions labelled {name}, but no {name} window",
                    where="the window index",
                    expected="windows that a labelled span covers by half, of both classes in every part",
                    remedy="Shorten window.length, or label longer spans",
                )


def _require(proof: dict[str, Any]) -> None:
    for check in proof["checks"]:
        if check["crossing"]:
            raise SplitError(
                found=f"{len(check['crossing'])} case(s) cross, such as {', '.join(map(str, check['crossing'][:3]))}",
                where="the leakage proof",
                expected=check["check"],
                remedy="Remove the copy from the source, or give recordings of one unit the same group",
            )


if __name__ == "__main__":
    run(main, "capture")
