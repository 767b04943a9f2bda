"""Give a device over its serial line another bundle, and say what it made of it."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from stages.core.bundle.format import unpack
from stages.core.device.update_line import BUILT_IN, COMMAND, PIECE, Device, Outcome, Release, Status, open_line, update
from stages.core.device.update_refusal import refusal
from stages.core.stage import exit_with, progress_bar


def main(arguments: argparse.Namespace) -> str:
    """Run the command.

    Raises
    ------
    TailgateError
        If the file is no bundle, the device does not answer, or it refuses the bundle.
    """
    content = arguments.bundle.read_bytes()
    release = unpack(content).identity.release
    with (
        closing(open_line(arguments.port, arguments.baud)) as line,
        progress_bar("update", -(-len(content) // PIECE)) as step,
    ):
        outcome = update(Device(line, arguments.port, arguments.timeout_s), content, step)
    if not is_running(outcome, release):
        raise refusal(outcome, release, str(arguments.bundle))
    return (
        f"update: {arguments.port} runs release {named(release)}, confirmed, from {place(outcome.after)}; before, "
        f"it ran {named(outcome.before.running_release)} from {place(outcome.before)}"
    )


def is_running(outcome: Outcome, release: Release) -> bool:
    """Whether the device took the bundle, and goes on with it."""
    after = outcome.after
    return outcome.result == 0 and after.running == after.active != BUILT_IN and after.running_release == release


def named(release: Release) -> str:
    """Write a release's three numbers."""
    return ".".join(map(str, release))


def place(status: Status) -> str:
    """Say where what runs lies."""
    return "the firmware" if status.running == BUILT_IN else f"slot {status.running}"


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("port", help=f"serial port, URL of pyserial, or {COMMAND}<command> of a simulated device")
    options.add_argument("bundle", type=Path, help="bundle.bin of a signed release")
    options.add_argument("--baud", type=int, default=921600, help="(default: %(default)s)")
    options.add_argument(
        "--timeout-s",
        type=float,
        default=30.0,
        help="for one answer; the self-test takes longest (default: %(default)s)",
    )
    return options


if __name__ == "__main__":
    exit_with(lambda: print(main(parser().parse_args())))
