"""Stream a recorded session through the production firmware, in its time, and hold all it says against the host."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import Field
from rich.console import Console
from rich.table import Table

from stages.core.artifacts import output_directory, read_json
from stages.core.device.chain import Device
from stages.core.device.injection import FAULTS
from stages.core.device.streaming import Recording, Streaming, stream, telling
from stages.core.errors import ConfigError
from stages.core.graph.onnx_view import read_model
from stages.core.product import Product
from stages.core.recordings.dataset import session_files
from stages.core.report.streams import write_streams
from stages.core.schema.build import Board
from stages.core.schema.validate import Fault, Validate
from stages.core.settings import Settings, load
from stages.core.stage import exit_with


class ReplaySettings(Settings):
    """The sections that this command reads."""

    seed: int
    board: dict[str, Board]
    validation: Validate = Field(alias="validate")


def main(paths: argparse.Namespace) -> str:
    """Run the command."""
    settings = load(paths.config, ReplaySettings)
    sessions = session_files(paths.capture)
    recording = Recording.read(sessions[_known(paths.session, sessions, "SESSION")])
    name = _known(paths.board or telling(settings.board)[0][0], settings.board, "--board")
    board, image = settings.board[name], paths.build / name / "replay.elf"
    contract = read_json(paths.convert / "contract.json")
    product = Product.of(
        read_model(paths.convert / "model.onnx"), contract, read_json(paths.features / "contract.json")
    )
    device = Device(name, board, image, settings.validation.timeout_s)
    streaming = Streaming(product, device, recording, settings.seed)
    streamed = stream(streaming, _faults(paths.fault))
    with output_directory(paths.out) as out:
        write_streams(out, {name: {paths.session: streamed}})
    console = Console()
    console.width = max(console.width, 180)  # a log has no width of its own
    console.print(table(streamed.figures))
    windows = sum(each["windows"] for each in streamed.figures.values())
    return (
        f"replay: {windows} windows in {len(streamed.figures)} streams on {name} are what the host makes of them; "
        f"{paths.out}"
    )


def table(figures: dict[str, dict[str, Any]]) -> Table:
    """Lay the runs out for a terminal."""
    result = Table(title="Events against labels, and what was lost", title_justify="left", title_style="bold")
    for column in ("fault", "windows", "hits", "misses", "doubles", "false/h", "delay s", "unknown", "causes"):
        result.add_column(column, justify="left" if column in ("fault", "causes") else "right", no_wrap=True)
    for column in ("lost", "cut", "dropped", "skipped", "changed", "otherwise", "slack"):
        result.add_column(column, justify="right", no_wrap=True)
    for fault, each in figures.items():
        counters, delays = each["counters"], each["delays_s"]
        causes = (name.removeprefix("fault.") for name, n in counters.items() if n and name.startswith("fault."))
        result.add_row(
            fault,
            str(each["windows"]),
            *(str(each[name]) for name in ("hits", "misses", "doubles")),
            f"{each['false_alarms_per_hour']:.1f}",
            f"{max(delays):.2f}" if delays else "-",
            str(counters["fault.unknown"]),
            " ".join(cause for cause in causes if cause not in ("windows", "unknown")) or "-",
            *(str(counters[f"ring.{name}"]) for name in ("lost", "cut", "dropped", "skipped")),
            str(each["changed_windows"]),
            str(each["changed_and_decided_otherwise"]),
            "-" if each["slack"] is None else f"{each['slack']:.1%}",
        )
    return result


def _faults(asked: list[str]) -> list[Fault]:
    for fault in asked:
        _known(fault, [*FAULTS, "all"], "--fault")
    return [fault for fault in FAULTS if fault in asked or "all" in asked]


def _known(name: str, known: Collection[str], where: str) -> str:
    if name not in known:
        raise ConfigError(
            found=f"{name!r} is not there",
            where=where,
            expected=f"one of {', '.join(sorted(known))}",
            remedy="Choose one of them",
        )
    return name


def arguments() -> argparse.Namespace:
    """Parse the command line; all but the session has a default on the working directory's artifacts."""
    parser = argparse.ArgumentParser(prog="python -m stages.replay", description=__doc__)
    parser.add_argument("session", help="id of a session in data/capture/dataset.json")
    parser.add_argument("--board", help="by default the first emulated one")
    parser.add_argument("--fault", nargs="*", default=[], help=f"{', '.join(FAULTS)}, or all")
    parser.add_argument("--config", type=Path, default=Path("data/config.yaml"))
    parser.add_argument("--capture", type=Path, default=Path("data/capture"))
    parser.add_argument("--features", type=Path, default=Path("data/features"))
    parser.add_argument("--convert", type=Path, default=Path("models/convert"))
    parser.add_argument("--build", type=Path, default=Path("models/build"))
    parser.add_argument("--out", type=Path, default=Path("models/replay"))
    return parser.parse_args()


if __name__ == "__main__":
    exit_with(lambda: print(main(arguments())))
