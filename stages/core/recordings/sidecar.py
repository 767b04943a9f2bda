"""The sidecar of a folder of recordings: what the files do not say of themselves, one entry per session."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stages.core.errors import RecordingError
from stages.core.recordings.formats.csv_file import first_byte_not_utf8

NAMES = ("sessions.csv", "sessions.yaml")
_SEPARATOR = ";"


class SpanEntry(BaseModel):
    """Samples ``[start, stop)`` of one label; written as a list of the three."""

    model_config = ConfigDict(frozen=True)

    start: int = Field(ge=0)
    stop: int | None
    label: str

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if not isinstance(value, list) or len(value) != 3:
            raise ValueError("a span is [start, stop, label], in samples")
        start, stop, label = value
        return {"start": start, "stop": None if stop in ("", "~", "null") else stop, "label": label}

    @model_validator(mode="after")
    def _ordered(self) -> SpanEntry:
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"the span stops at {self.stop}, which is not after its start {self.start}")
        return self


class Entry(BaseModel):
    """One session as the sidecar describes it.

    Attributes
    ----------
    file : str
        Below the folder, parts joined by ``/``.
    session_id : str
        The file's stem where the sidecar gives none, other characters than ``A-Za-z0-9._-`` replaced by ``_``.
    group, condition, state : str
        As in `SessionMeta`.
    unit : str
        Of the stored values.
    label, spans
        Exactly one of the two: the label of the whole recording, or labels of samples.
    sample_rate_hz : float or None
        None where the file itself says it.
    device, firmware, mounting : str or None
        None takes what the sensor's section says.
    channels : tuple of str or None
        Names of all that the file stores, in stored order, where it does not name it itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, str_min_length=1)

    file: str
    session_id: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=150)
    group: str
    condition: str
    state: str
    unit: str
    label: str | None = None
    spans: tuple[SpanEntry, ...] | None = Field(default=None, min_length=1)
    sample_rate_hz: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    device: str | None = None
    firmware: str | None = None
    mounting: str | None = None
    channels: tuple[str, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _named_after_its_file(cls, value: Any) -> Any:
        stem = PurePosixPath(str(value.get("file", ""))).stem
        return {"session_id": re.sub(r"[^A-Za-z0-9._-]", "_", stem), **value}

    @field_validator("file")
    @classmethod
    def _inside_the_folder(cls, file: str) -> str:
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError("a file is a path below the folder, without `..`")
        return path.as_posix()

    @field_validator("channels", mode="before")
    @classmethod
    def _listed(cls, channels: Any) -> Any:
        return channels.split(_SEPARATOR) if isinstance(channels, str) else channels

    @model_validator(mode="after")
    def _labelled_once(self) -> Entry:
        if (self.label is None) == (self.spans is None):
            raise ValueError("either `label` or `spans` says what the recording shows, and not both")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that occur in it."""
        return (self.label,) if self.label is not None else tuple(span.label for span in self.spans or ())


@dataclass(frozen=True)
class Listed:
    """An entry, and where it stands."""

    entry: Entry
    where: str


def read_sidecar(folder: Path) -> list[Listed]:
    """Read the sidecar of a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Listed
        In the order of the sidecar.

    Raises
    ------
    RecordingError
        If there is no sidecar or there are two, or it is not UTF-8, not CSV or YAML, lacks a column, has one that is
        unknown or there twice, or holds a value that cannot be.
    """
    path = _find(folder)
    text = _read_text(path)
    items = list(_csv_items(text, path) if path.suffix == ".csv" else _yaml_items(text, path))
    if not items:
        raise _unfit("it lists no session", str(path), "one entry per recording", "Add the recordings to it")
    return [Listed(_entry(item, where), where) for item, where in items]


def _find(folder: Path) -> Path:
    there = [name for name in NAMES if (folder / name).is_file()]
    if len(there) != 1:
        raise _unfit(
            f"it holds {' and '.join(there)}" if there else "the sidecar is missing",
            str(folder),
            f"one of {' and '.join(NAMES)}, which says of each file what was recorded",
            "Leave one of them" if there else "Write it as docs/recordings.md says, or correct capture.folder",
        )
    return folder / there[0]


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        found = f"byte {first_byte_not_utf8(path)} is not UTF-8"
        raise _unfit(found, str(path), "UTF-8 text", "Save the file as UTF-8") from None


def _csv_items(text: str, path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _require_columns(header, path)
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            cells = [cell.strip() for cell in row]
            if any(cells) and len(cells) != len(header):
                found = f"it has {len(cells)} cell(s)"
                raise _unfit(found, where, f"{len(header)}, one per column", "Quote cells that hold commas")
            if any(cells):
                yield {name: cell for name, cell in zip(header, cells, strict=True) if cell}, where
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise _unfit(f"it is not CSV ({error})", where, "cells between commas", "Correct that line") from None


def _require_columns(header: list[str], path: Path) -> None:
    known = set(Entry.model_fields) - {"spans"}
    needed = [name for name, field in Entry.model_fields.items() if field.is_required() and name != "session_id"]
    problems = [
        *(f"column {name!r} is missing" for name in [*needed, "label"] if name not in header),
        *(f"column {name!r} is unknown" for name in sorted(set(header) - known)),
        *(f"column {name!r} is there {header.count(name)} times" for name in sorted(known) if header.count(name) > 1),
    ]
    if problems:
        raise _unfit(
            "; ".join(problems),
            f"{path}, line 1",
            f"the columns {', '.join([*needed, 'label'])}, and of {', '.join(sorted(known - {*needed, 'label'}))} "
            "what is wanted",
            "Correct the first line. Spans and other lists are for sessions.yaml",
        )


def _yaml_items(text: str, path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    try:
        items = _Strings(text).get_single_data()
    except (yaml.YAMLError, RecursionError) as error:
        found = f"it is not YAML ({' '.join(str(error).split())[:200]})"
        raise _unfit(found, str(path), "a list of mappings", "Correct the file") from None
    if not isinstance(items, list):
        raise _unfit(f"it is not a list but {str(items)[:40]!r}", str(path), "a list of mappings", "Write `- file: ..`")
    for number, item in enumerate(items, start=1):
        where = f"{path}, entry {number}"
        if not isinstance(item, dict):
            raise _unfit(f"it is {str(item)[:40]!r}", where, "a mapping of columns to values", "Write `- file: ..`")
        yield {name: value for name, value in item.items() if value not in ("", "~", "null")}, where


class _Strings(yaml.BaseLoader):
    """Reads every scalar as a string, as CSV does, and refuses a key that is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.constructor.ConstructorError(None, None, f"key {twice[0]!r} is there twice", node.start_mark)
        return dict(super().construct_mapping(node, deep))


def _entry(item: dict[str, Any], where: str) -> Entry:
    try:
        return Entry.model_validate(item)
    except ValidationError as error:
        raise _unfit(
            "; ".join(_problem(problem) for problem in error.errors()),
            where,
            "the columns and values that docs/recordings.md describes",
            "Correct that entry",
        ) from None


def _problem(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    match problem["type"]:
        case "missing":
            return f"{name!r} is missing"
        case "extra_forbidden":
            return f"{name!r} is unknown"
    got = "" if isinstance(problem["input"], dict) else f" (got {str(problem['input'])[:60]!r})"
    return f"{name}: {message}{got}" if name else f"{message}{got}"


def _unfit(found: str, where: str, expected: str, remedy: str) -> RecordingError:
    return RecordingError(found=found, where=where, expected=expected, remedy=remedy)
