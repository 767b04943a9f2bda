"""Read the recordings, digitise them as the sensor would, and list every session with its quality."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from stages.core.artifacts import output_directory, write_json
from stages.core.recordings.collect import describe, store_all
from stages.core.recordings.sources import open_source
from stages.core.report.quality_page import write_quality_page
from stages.core.schema.capture import Capture
from stages.core.schema.compute import Compute
from stages.core.schema.labels import Labels
from stages.core.schema.window import Window
from stages.core.settings import Settings, load
from stages.core.stage import progress, run
from stages.core.tracking import Run, track

_ROOT_VARIABLE = "BEARING_DATASETS_ROOT"


class CaptureSettings(Settings):
    """The sections that this stage reads."""

    seed: int
    window: Window
    labels: Labels
    compute: Compute
    capture: Capture


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    config = load(paths.config, CaptureSettings)
    with track("capture", config.capture.model_dump(), paths.out) as record:
        return capture(paths, config, record)


def capture(paths: argparse.Namespace, config: CaptureSettings, record: Run) -> str:
    """Store what the source has, and return the closing line."""
    root = os.environ.get(_ROOT_VARIABLE)
    source = open_source(config.capture, config.seed, config.labels.classes, Path(root) if root else None)
    wanted = len(source)
    with output_directory(paths.out) as out:
        stored = list(
            progress(store_all(source, config.labels, config.compute, out), "capture", total=len(source)),
        )
        dataset = describe(stored, config.capture, config.labels, config.window.length)
        write_json(out / "dataset.json", dataset)
        write_quality_page(out, dataset, config.window, config.labels)
        record.metrics(dataset["totals"])
    totals = dataset["totals"]
    stopped = f"; stopped after {len(source)} of {wanted} sessions" if source.live and len(source) < wanted else ""
    return (
        f"capture: {totals['sessions']} sessions ({totals['excluded']} excluded, {totals['flagged']} flagged), "
        f"{totals['hours']:.3f} h of {totals['groups']} groups, clipped fraction {totals['clipped_fraction']:.2g}, "
        f"data set {dataset['dataset_id'][:12]}{stopped}"
    )


if __name__ == "__main__":
    run(main)
