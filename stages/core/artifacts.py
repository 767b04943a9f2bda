"""Files as artifacts: canonical bytes, hashes, and outputs that appear whole or not at all."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import rfc8785

from stages.core.errors import ArtifactError


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as 64 hex digits, reading it in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value in its canonical form (RFC 8785)."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


def json_ready(value: Any) -> Any:
    """Turn data classes into mappings and NaN, a metric that cannot be computed, into null, at any depth."""
    if is_dataclass(value) and not isinstance(value, type):
        return json_ready(asdict(value))
    if isinstance(value, dict):
        return {key: json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people and diffs: sorted keys, two-space indent, shortest round-trip floats."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file written by an earlier stage.

    Raises
    ------
    ArtifactError
        If the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(
            found="the file does not exist",
            where=str(path),
            expected="the output of an earlier stage",
            remedy="Run `dvc repro`, which makes the stages this one depends on first",
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(
            found=f"the file is not JSON ({error})",
            where=str(path),
            expected="the JSON that an earlier stage wrote",
            remedy="Delete the file and run `dvc repro` to make it again",
        ) from None


@contextmanager
def output_directory(path: Path) -> Iterator[Path]:
    """Give a scratch directory that becomes `path` only if the block ends without an error.

    A stage killed half-way leaves at most ``<path>.partial`` and ``<path>.replaced.partial``, which the next run
    clears.

    Parameters
    ----------
    path : Path
        The stage's output directory.

    Yields
    ------
    Path
        The directory to write into.
    """
    partial = path.with_name(path.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    # Set aside before it is deleted: at no moment does `path` hold half of the old output.
    replaced = path.with_name(path.name + ".replaced.partial")
    shutil.rmtree(replaced, ignore_errors=True)
    if path.exists():
        path.rename(replaced)
    partial.rename(path)
    shutil.rmtree(replaced, ignore_errors=True)
