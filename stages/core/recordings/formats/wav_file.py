"""WAV: integers are read as shares of full scale, -1 to below 1; floats as they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import soundfile

from stages.core.errors import RecordingError
from stages.core.recordings.formats.layout import (
    Samples,
    Wanted,
    block_rows,
    foreign_bytes,
    names_of_unnamed,
    positions,
)

_KIND = "WAV"
_FORMATS = ("WAV", "WAVEX", "RF64")
#: Sizes that a writer leaves in the header when it does not yet know the length.
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)


def stated_rate_hz(path: Path, wanted: Wanted) -> float:
    """Return the rate of the header; see `Reader`.

    Raises
    ------
    RecordingError
        If the file is not a WAV, is truncated, or has other channels than wanted.
    """
    with foreign_bytes(path, _KIND), soundfile.SoundFile(path) as file:
        if file.format not in _FORMATS:
            raise ValueError(f"its content is {file.format}")
        _require_whole(path)
        positions(names_of_unnamed(file.channels, wanted, path), wanted.channels, path)
        return float(file.samplerate)


def blocks(path: Path, wanted: Wanted) -> Iterator[Samples]:
    """Read the wanted channels; see `Reader`."""
    with foreign_bytes(path, _KIND), soundfile.SoundFile(path) as file:
        chosen = positions(names_of_unnamed(file.channels, wanted, path), wanted.channels, path)
        rows = block_rows(file.channels)
        while len(values := file.read(rows, dtype="float64", always_2d=True)):
            yield Samples(values[:, chosen])


def place(path: Path, sample: int, wanted: Wanted) -> str:
    """Say where a sample stands; see `Reader`."""
    return f"{path}, sample {sample}"


def _require_whole(path: Path) -> None:
    """Compare the size that the header states with the file's: libsndfile reads what is left of a cut file silently."""
    with path.open("rb") as file:
        head = file.read(28)
    stated = int.from_bytes(head[20:28] if head[:4] == b"RF64" else head[4:8], "little")
    if stated not in _UNKNOWN_SIZES and stated + 8 > path.stat().st_size:
        raise RecordingError(
            found=f"it is cut off: it has {path.stat().st_size} bytes, its header says {stated + 8}",
            where=str(path),
            expected="the whole file",
            remedy="Copy or record the file again",
        )
