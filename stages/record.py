"""Record the sessions of the source `serial` into a folder that the source `files` reads."""

from __future__ import annotations

import argparse

from stages.core.errors import ConfigError
from stages.core.recordings.keep import Shelf
from stages.core.recordings.serial import Reception, SerialSource
from stages.core.schema.capture import Capture
from stages.core.schema.labels import Labels
from stages.core.schema.serial import SerialLine
from stages.core.settings import Settings, load
from stages.core.stage import run


class RecordSettings(Settings):
    """The sections that this command reads."""

    labels: Labels
    capture: Capture


def main(paths: argparse.Namespace) -> str:
    """Run the command."""
    settings = load(paths.config, RecordSettings)
    config = settings.capture
    if not isinstance(config, SerialLine):
        raise ConfigError(
            found=f"capture.source is {config.source}",
            where=str(paths.config),
            expected="serial",
            remedy="Choose it in params.yaml, `overrides: {capture: serial}`, and run `dvc repro configure`",
        )
    source = SerialSource(config, settings.labels.classes)
    paths.out.mkdir(parents=True, exist_ok=True)
    shelf = Shelf(paths.out)
    shelf.require_room([session.session_id for session in config.sessions])
    for index, session in enumerate(config.sessions):
        if source.stopped:
            break
        pause = f" in {config.pause_s:g} s" if index else ""
        print(f"record: {session.session_id} ({session.label}) begins{pause}, {session.duration_s:g} s", flush=True)
        if shelf.take(source[index]):
            print(f"record: {describe(source.receptions[-1])}", flush=True)
    kept = f"{len(source.receptions)} of {len(config.sessions)} sessions in {paths.out}"
    return f"record: {kept}" + (", stopped by Ctrl-C" if source.stopped else "")


def describe(reception: Reception) -> str:
    """Say in one line how a session came in."""
    return (
        f"{reception.session_id} {reception.ended}: {reception.samples} samples, {reception.missing_samples} missing, "
        f"{reception.frames} frames, {reception.lost_frames} lost, {reception.corrupt_packets} packets corrupt, "
        f"{reception.reconnects} reconnects"
    )


if __name__ == "__main__":
    run(main)
