"""Recordings from terminal logs of takes: a person repeats a gesture, and each time is a session."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stages.core.errors import RecordingError
from stages.core.recordings.folders import data_folder
from stages.core.recordings.formats.terminal_log import read_takes
from stages.core.recordings.session import SessionMeta, Span
from stages.core.recordings.source import Block, Recording
from stages.core.schema.gesture_log import GestureLog
from stages.core.schema.labels import UNCERTAIN


@dataclass(frozen=True)
class Told:
    """One take of a log: which one, and what the path of the log says of it."""

    path: Path
    take: int
    state: str
    group: str


class GestureLogSessions:
    """The takes of a folder of logs, in the order of paths and of each log.

    Parameters
    ----------
    config : GestureLog
    classes : tuple of str
        ``labels.classes``.
    root : Path or None
        Folder of data sets, for a section that is relative to it.

    Raises
    ------
    RecordingError
        If there is no folder of data sets, no log fits the pattern, the path of one names a state that
        ``capture.states`` does not, a label is no class, or a log cannot be read.
    """

    live = False

    def __init__(self, config: GestureLog, classes: tuple[str, ...], root: Path | None = None) -> None:
        self._config = config
        unknown = sorted({each.label for each in config.states.values()} - {*classes, UNCERTAIN})
        if unknown:
            raise RecordingError(
                found=f"the label {unknown[0]!r} is not a class",
                where="capture.states",
                expected=f"one of {', '.join((*classes, UNCERTAIN))}",
                remedy="Correct it, or labels.classes",
            )
        folder = data_folder(config.folder, config.relative_to, root).absolute()
        self._takes = [told for path in sorted(folder.rglob("*")) for told in self._takes_of(path, folder)]
        if not self._takes:
            raise RecordingError(
                found=f"no file fits {config.pattern!r}",
                where=str(folder),
                expected="at least one log",
                remedy="Put the logs there, or correct capture.folder or capture.pattern",
            )

    def __len__(self) -> int:
        return len(self._takes)

    def __getitem__(self, index: int) -> Recording:
        told = self._takes[index]
        return Recording(self._meta(told), partial(self._blocks, told))

    def _takes_of(self, path: Path, folder: Path) -> Iterator[Told]:
        match = re.fullmatch(self._config.pattern, path.relative_to(folder).as_posix())
        if match is None or not path.is_file():
            return
        state, group = match["state"], match["group"]
        if state not in self._config.states:
            raise RecordingError(
                found=f"its path says state {state!r}",
                where=str(path),
                expected=f"one of {', '.join(self._config.states)}",
                remedy="Add it to capture.states, or correct capture.pattern",
            )
        for take in range(len(read_takes(path, len(self._config.channels)))):
            yield Told(path, take, state, group)

    def _blocks(self, told: Told) -> Iterator[Block]:
        take = read_takes(told.path, len(self._config.channels))[told.take]
        yield Block(take.values * self._config.states[told.state].scale)

    def _meta(self, told: Told) -> SessionMeta:
        config, sensor = self._config, self._config.sensor
        return SessionMeta(
            session_id=f"{told.state}_{told.group}_{told.take:02d}",
            group_id=told.group,
            condition=config.condition,
            state=told.state,
            sample_rate_hz=config.sample_rate_hz,
            channels=config.channels,
            unit=sensor.unit,
            full_scale=sensor.full_scale,
            counts_per_unit=sensor.counts_per_unit,
            device=sensor.device,
            firmware=sensor.firmware,
            mounting=sensor.mounting,
            spans=(Span(0, -1, config.states[told.state].label),),
            notes={"file": told.path.name, "format": "terminal log", "take": str(told.take)},
        )
