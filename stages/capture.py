"""Read the recordings, digitise them as the sensor would, and list every session with its quality."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from stages.core.artifacts import output_directory, sha256_file, sha256_json, write_json
from stages.core.errors import RecordingError
from stages.core.recordings.bearing_datasets import DatasetSessions
from stages.core.recordings.quality import average_by_state, judge, measure, require_tolerable
from stages.core.recordings.session import LABELS, Recording, SessionMeta, digitise, write_session
from stages.core.recordings.synthetic_bearing import SyntheticSessions
from stages.core.schema.capture import Capture, SyntheticBearing
from stages.core.schema.window import Window
from stages.core.settings import Settings, load
from stages.core.stage import progress, run
from stages.core.tracking import track

_ROOT_VARIABLE = "BEARING_DATASETS_ROOT"


class CaptureSettings(Settings):
    """The sections that this stage reads."""

    seed: int
    window: Window
    capture: Capture


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    config = load(paths.config, CaptureSettings)
    source = open_source(config)
    with output_directory(paths.out) as out, track("capture", config.capture.model_dump()) as record:
        (out / "sessions").mkdir()
        entries: dict[str, dict[str, Any]] = {}
        for recording in progress(source, "capture", total=len(source)):
            session_id = recording.meta.session_id
            if session_id in entries:
                raise _duplicate(session_id)
            entries[session_id] = write_entry(recording, config, out)
        dataset = describe(list(entries.values()))
        write_json(out / "dataset.json", dataset)
        record.metrics(dataset["totals"])
        record.artifact(out / "dataset.json")
    totals = dataset["totals"]
    return (
        f"capture: {totals['sessions']} sessions ({totals['excluded']} excluded, {totals['flagged']} flagged), "
        f"{totals['hours']:.3f} h of {totals['groups']} groups, clipped fraction {totals['clipped_fraction']:.2g}, "
        f"data set {dataset['dataset_id'][:12]}"
    )


def open_source(config: CaptureSettings) -> SyntheticSessions | DatasetSessions:
    """Make the configured source; the only place that reads the environment."""
    if isinstance(config.capture, SyntheticBearing):
        return SyntheticSessions(config.capture, config.seed)
    root = config.capture.root or os.environ.get(_ROOT_VARIABLE)
    if not root:
        raise RecordingError(
            found=f"capture.root is null and the environment variable {_ROOT_VARIABLE} is not set",
            where=f"set {config.capture.name!r}",
            expected="the folder of the sets that the package bearing-datasets built",
            remedy=f"Set {_ROOT_VARIABLE}, or build the set: `bearing-datasets --root DIR build {config.capture.name}`",
        )
    return DatasetSessions(config.capture, Path(root))


def write_entry(recording: Recording, config: CaptureSettings, out: Path) -> dict[str, Any]:
    """Digitise, judge and store one recording, and return its line of `dataset.json`."""
    counts = digitise(recording)
    if len(counts) < config.window.length:
        raise RecordingError(
            found=f"it has {len(counts)} samples",
            where=f"session {recording.meta.session_id}",
            expected=f"at least one window, window.length is {config.window.length}",
            remedy="Shorten window.length, or leave the recording out of the source",
        )
    flags = measure(counts, 2 ** (config.capture.sensor.bits - 1))
    findings = judge(flags, config.capture.quality)
    require_tolerable(findings, recording.meta.session_id)
    meta = replace(recording.meta, flags=flags)
    path = Path("sessions") / f"{meta.session_id}.parquet"
    write_session(out / path, meta, counts)
    excluding = [str(finding) for finding in findings if finding.action == "exclude"]
    return {
        **{key: getattr(meta, key) for key in ("session_id", "group_id", "condition", "state", "sample_rate_hz")},
        "path": path.as_posix(),
        "sha256": sha256_file(out / path),
        "n_samples": len(counts),
        "labelled_samples": labelled_samples(meta),
        "flags": flags,
        "findings": [asdict(finding) for finding in findings],
        "excluded": "; ".join(excluding) or None,
    }


def labelled_samples(meta: SessionMeta) -> dict[str, int]:
    """Count a session's samples per label."""
    return {label: sum(span.stop - span.start for span in meta.spans if span.label == label) for label in LABELS}


def describe(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up the data set; its id is the hash of the (path, sha256) list of the sessions that are not excluded."""
    used = [entry for entry in entries if entry["excluded"] is None]
    if not used:
        raise RecordingError(
            found=f"every one of the {len(entries)} sessions is excluded",
            where="the quality limits",
            expected="at least one usable session",
            remedy="Raise the limit in capture.quality that excludes them, or repair the recordings",
        )
    totals = {
        "sessions": len(used),
        "excluded": len(entries) - len(used),
        "flagged": sum(bool(entry["findings"]) for entry in entries),
        "groups": len({entry["group_id"] for entry in used}),
        "hours": sum(entry["n_samples"] / entry["sample_rate_hz"] for entry in used) / 3600,
        "clipped_fraction": float(np.mean([entry["flags"]["clipped_fraction"] for entry in used])),
    }
    return {
        "dataset_id": sha256_json([[entry["path"], entry["sha256"]] for entry in used]),
        "totals": totals,
        "flags_by_state": average_by_state((entry["state"], entry["flags"]) for entry in used),
        "sessions": entries,
    }


def _duplicate(session_id: str) -> RecordingError:
    return RecordingError(
        found="two recordings have this id",
        where=f"session {session_id}",
        expected="a unique id for each recording",
        remedy="Rename one of them in the source",
    )


if __name__ == "__main__":
    run(main)
