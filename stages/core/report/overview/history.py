"""What a page shows besides artifacts: how long each stage took on this machine, and what changed since a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.core.artifacts import read_json
from stages.core.release.comparison import Change

_MS_PER_S = 1000


@dataclass(frozen=True)
class Ran:
    """How a stage came to its outputs.

    Attributes
    ----------
    seconds : float
        That it took when it last ran here.
    is_reused : bool
        Whether a later run of the pipeline had no need to run it again.
    """

    seconds: float
    is_reused: bool


@dataclass(frozen=True)
class Since:
    """What is different from an earlier release.

    Attributes
    ----------
    commit, subject : str
        Of that release.
    found : sequence of Change
    """

    commit: str
    subject: str
    found: Sequence[Change]

    def under(self, heading: str) -> list[Change]:
        """Return the changes under a heading."""
        return [change for change in self.found if change.heading == heading]

    @property
    def headings(self) -> list[str]:
        """The headings that have changes, in order."""
        return list(dict.fromkeys(change.heading for change in self.found))


@dataclass(frozen=True)
class History:
    """What a page shows besides artifacts.

    Attributes
    ----------
    runs : mapping of str to Ran
        Of stages that ran on this machine.
    since : Since or None
        None where no earlier release is at hand.
    """

    runs: Mapping[str, Ran]
    since: Since | None


def read_runs(folder: Path) -> dict[str, Ran]:
    """Read when stages last ran, as `stages.core.tracking` notes it.

    Parameters
    ----------
    folder : Path
        Of a file for each stage; empty or absent where no record is kept.
    """
    notes = [read_json(path) for path in sorted(folder.glob("*.json"))]
    latest = max(notes, key=lambda note: note["end_ms"], default={"pipeline": None})
    return {
        note["stage"]: Ran((note["end_ms"] - note["start_ms"]) / _MS_PER_S, note["pipeline"] != latest["pipeline"])
        for note in notes
        if note["status"] == "FINISHED"
    }
