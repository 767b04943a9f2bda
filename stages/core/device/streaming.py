"""A recording through a board's production firmware: alone first, then with each fault, each held against the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.core.device.account import Run, raised, summary, wrongly_confident
from stages.core.device.build import tick_hz
from stages.core.device.chain import Device, check_budget
from stages.core.device.following import follow
from stages.core.device.injection import Place, inject
from stages.core.device.replay import Course, Stretch, replay
from stages.core.product import Product
from stages.core.recordings.session import SessionFile, SessionMeta, count_limits
from stages.core.report.timeline_figure import Timeline
from stages.core.runtime.matching import View, match_events, memory
from stages.core.schema.build import NativeBoard, QemuBoard
from stages.core.schema.validate import Fault, Validate

#: The stream as it was recorded.
ALONE = "none"


@dataclass(frozen=True)
class Recording:
    """A session as a stream.

    Attributes
    ----------
    meta : SessionMeta
    stretches : list of Stretch
        Between its gaps.
    """

    meta: SessionMeta
    stretches: list[Stretch]

    @classmethod
    def read(cls, session: SessionFile) -> Recording:
        """Read a session whole."""
        counts, gaps = session.counts(), session.meta.gaps
        ends = [*(gap.start for gap in gaps), len(counts)]
        missing = [0, *(gap.missing for gap in gaps)]
        starts = [0, *ends[:-1]]
        parts = zip(starts, ends, missing, strict=True)
        return cls(session.meta, [Stretch(counts[start:end], lost) for start, end, lost in parts])


@dataclass(frozen=True)
class Streaming:
    """A recording on its way through a product on a board.

    Attributes
    ----------
    product : Product
    device : Device
        With the replay image.
    recording : Recording
    seed : int
        Of the faults.
    """

    product: Product
    device: Device
    recording: Recording
    seed: int

    @cached_property
    def alone(self) -> Run:
        """The run without a fault."""
        rate_hz = self.product.preprocess.sample_rate_hz
        block = self.product.stream.block_frames
        return self._run(Course.of(self.recording.stretches, block, rate_hz, tick_hz(self.device.board)))

    def run(self, fault: Fault | None) -> Run:
        """Stream the recording with a fault, or as it is.

        Raises
        ------
        ToolchainError
            If the emulator is missing, or the image crashes or hangs.
        ArtifactError
            If image and contract do not belong together.
        ParityBroken
            If the device says anything that the model does not.
        """
        if fault is None:
            return self.alone
        low, high = count_limits(self.recording.meta)
        rails = list(zip(low.tolist(), high.tolist(), strict=True))
        place = Place(rails, self.product.preprocess.hop, self.alone.most_ticks)
        return self._run(inject(fault, self.alone.course, place, self.seed))

    def _run(self, course: Course) -> Run:
        replayed = replay(self.device, course, self.product.outputs)
        where = f"board {self.device.name}, image {self.device.harness}"
        return Run(course, replayed, follow(self.product.app(tick_hz(self.device.board)), course, replayed, where))

    def figures(self, run: Run) -> dict[str, Any]:
        """Return what a run came to."""
        shape, classes = self.product.preprocess, self.product.classes
        view = View(shape.window, shape.hop, memory(self.product.rules), shape.sample_rate_hz)
        matches = match_events(raised(run, classes), self.recording.meta.spans, view, classes[0])
        changed, wrong = wrongly_confident(run, self.alone, shape.window)
        of_faults = {"changed_windows": changed, "changed_and_decided_otherwise": wrong}
        return {**summary(run, matches, run.course.core_ticks_of(shape.hop), self.device.board), **of_faults}

    def timeline(self, run: Run, title: str) -> Timeline:
        """Return what is drawn of a run."""
        ends = [run.course.sample_of(each.start) + self.product.preprocess.window for each in run.decided]
        return Timeline(
            title=title,
            ends_s=np.array(ends) / self.product.preprocess.sample_rate_hz,
            logits=self.product.logits(run.decided),
            thresholds=self.product.thresholds,
            states=np.array([each.state for each in run.decided]),
            unknown=np.array([bool(each.causes) for each in run.decided]),
            missed=np.array([each.missed > 0 for each in run.decided]),
        )


@dataclass(frozen=True)
class Streamed:
    """A recording that went through a board.

    Attributes
    ----------
    recording : Recording
    figures : dict
        By fault, `ALONE` first.
    timelines : list of Timeline
        In the same order.
    classes : tuple of str
    """

    recording: Recording
    figures: dict[str, dict[str, Any]]
    timelines: list[Timeline]
    classes: tuple[str, ...]


def stream(streaming: Streaming, faults: Sequence[Fault]) -> Streamed:
    """Stream a recording as it is, and with each of some faults; raises what `Streaming.run` does.

    A native build takes no time for a window, so that nothing can be too slow for it.
    """
    device, session = streaming.device, streaming.recording.meta.session_id
    possible = [fault for fault in faults if device.board.kind == "qemu" or fault != "slow"]
    figures, timelines = {}, []
    for fault in (None, *possible):
        run = streaming.run(fault)
        figures[fault or ALONE] = streaming.figures(run)
        timelines.append(streaming.timeline(run, fault or f"{session} on {device.name}"))
    return Streamed(streaming.recording, figures, timelines, streaming.product.classes)


#: By board and session.
Streams = Mapping[str, Mapping[str, Streamed]]


def severest(windows: pd.DataFrame, files: Mapping[str, SessionFile], count: int) -> list[Recording]:
    """Read so many of the sessions that windows are of, those of the most severe classes first."""
    by_class = windows.groupby("session_id")["label"].max().sort_values(ascending=False, kind="stable")
    return [Recording.read(files[session]) for session in by_class.index[:count]]


def stream_boards(
    product: Product,
    boards: Mapping[str, NativeBoard | QemuBoard],
    images: Path,
    recordings: Sequence[Recording],
    wanted: Validate,
    seed: int,
) -> Streams:
    """Stream recordings through every board, the one that says most first; raises what `Streaming.run` does.

    Parameters
    ----------
    product : Product
    boards : mapping of str to NativeBoard or QemuBoard
    images : Path
        The folder that `build` wrote.
    recordings : sequence of Recording
    wanted : Validate
    seed : int
    """
    streamed: dict[str, dict[str, Streamed]] = {}
    for name, board in telling(boards):
        device = Device(name, board, images / name / "replay.elf", wanted.timeout_s)
        each = (Streaming(product, device, recording, seed) for recording in recordings)
        streamed[name] = {one.recording.meta.session_id: stream(one, wanted.replay_faults) for one in each}
    return streamed


def hold(
    boards: Mapping[str, NativeBoard | QemuBoard], measured: Mapping[str, dict[str, Any]], streamed: Streams
) -> dict[str, dict[str, Any]]:
    """Add what streams took to what windows took, and hold each board to its budget.

    Raises
    ------
    BudgetExceeded
        Naming every figure over its limit.
    """
    used = {name: of | {"stream": busiest(streamed[name])} for name, of in measured.items()}
    for name, of in used.items():
        check_budget(name, boards[name], of)
    return used


def busiest(streamed: Mapping[str, Streamed]) -> dict[str, Any]:
    """Return the most that any window took while nothing was wrong, and the most of the stack at any time.

    Instructions, by stage and of a window, are those of an emulated board; a native one has none.
    """
    alone = [each.figures[ALONE] for each in streamed.values()]
    every = [figures for each in streamed.values() for figures in each.figures.values()]
    most: dict[str, Any] = {"stack_used_bytes": max(figures["stack_used_bytes"] for figures in every)}
    if alone[0]["most_instructions"] is None:
        return most
    by_stage = {name: max(each["most_instructions"][name] for each in alone) for name in alone[0]["most_instructions"]}
    per_window = max(each["most_instructions_per_window"] for each in alone)
    load = max(1 - each["slack"] for each in alone)
    return most | {"most_instructions": by_stage, "most_instructions_per_window": per_window, "load": load}


def telling(boards: Mapping[str, NativeBoard | QemuBoard]) -> list[tuple[str, NativeBoard | QemuBoard]]:
    """Return boards by name, those first whose clock says something."""
    return sorted(boards.items(), key=lambda item: (item[1].kind == "native", item[0]))
