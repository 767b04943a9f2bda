"""The registry of sources: the one place that knows which class reads which section."""

from __future__ import annotations

from pathlib import Path

from stages.core.recordings.source import Source
from stages.core.schema.bearing_datasets import BearingDatasets
from stages.core.schema.capture import Capture
from stages.core.schema.files import Files
from stages.core.schema.gesture_log import GestureLog
from stages.core.schema.serial import SerialLine
from stages.core.schema.synthetic_bearing import SyntheticBearing
from stages.core.schema.synthetic_gestures import SyntheticGestures
from stages.core.schema.synthetic_shock import SyntheticShock
from stages.core.schema.table import Table


def open_source(config: Capture, seed: int, classes: tuple[str, ...], root: Path | None) -> Source:
    """Make the configured source.

    Parameters
    ----------
    config : Capture
    seed : int
    classes : tuple of str
        ``labels.classes``; a source labels its spans with these, or ``uncertain``.
    root : Path or None
        Folder of data sets, for a section that reads from there and names none.

    Raises
    ------
    RecordingError
        If there is nothing to read where the section says.
    ConfigError
        If the section does not fit what is there.
    """
    # A source's packages are imported only where it is used.
    match config:
        case SyntheticBearing() | SyntheticShock() | SyntheticGestures():
            return _simulated(config, seed, classes)
        case BearingDatasets():
            from stages.core.recordings.bearing_datasets import DatasetSessions

            return DatasetSessions(config, classes, root)
        case SerialLine():
            from stages.core.recordings.serial import SerialSource

            return SerialSource(config, classes)
        case Files():
            from stages.core.recordings.files import FileSessions

            return FileSessions(config, classes)
        case Table():
            from stages.core.recordings.table import TableSessions

            return TableSessions(config, classes, root)
        case GestureLog():
            from stages.core.recordings.gesture_log import GestureLogSessions

            return GestureLogSessions(config, classes, root)
    raise NotImplementedError(type(config).__name__)


def _simulated(
    config: SyntheticBearing | SyntheticShock | SyntheticGestures, seed: int, classes: tuple[str, ...]
) -> Source:
    match config:
        case SyntheticBearing():
            from stages.core.recordings.synthetic_bearing import SyntheticSessions

            return SyntheticSessions(config, seed, classes)
        case SyntheticShock():
            from stages.core.recordings.synthetic_shock import ShockVoyages

            return ShockVoyages(config, seed, classes)
        case SyntheticGestures():
            from stages.core.recordings.synthetic_gestures import GestureSessions

            return GestureSessions(config, seed, classes)
