"""A recording through a board's production firmware: alone first, then with each fault, each held against the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from stages.core.device.account import Run, raised, summary, wrongly_confident
from stages.core.device.build import tick_hz
from stages.core.device.chain import Device
from stages.core.device.following import follow
from stages.core.device.injection import Place, inject
from stages.core.device.replay import Course, Stretch, replay
from stages.core.product import Product
from stages.core.recordings.session import SessionFile, SessionMeta, count_limits
from stages.core.report.timeline_figure import Timeline
from stages.core.runtime.matching import View, match_events, memory

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

    def run(self, fault: str) -> Run:
        """Stream the recording with a fault, or `ALONE`.

        Raises
        ------
        ToolchainError
            If the emulator is missing, or the image crashes or hangs.
        ArtifactError
            If image and contract do not belong together.
        ParityBroken
            If the device says anything that the model does not.
        """
        if fault == ALONE:
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

    def timeline(self, run: Run, title: str, thresholds: Sequence[float]) -> Timeline:
        """Return what is drawn of a run."""
        ends = [run.course.sample_of(each.start) + self.product.preprocess.window for each in run.decided]
        return Timeline(
            title=title,
            ends_s=np.array(ends) / self.product.preprocess.sample_rate_hz,
            logits=self.product.logits(run.decided),
            thresholds=thresholds,
            states=np.array([each.state for each in run.decided]),
            unknown=np.array([bool(each.causes) for each in run.decided]),
            missed=np.array([each.missed > 0 for each in run.decided]),
        )
