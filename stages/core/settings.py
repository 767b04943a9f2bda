"""What a stage reads of `data/config.yaml`: the sections it declares, typed, and nothing else."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from stages.core.errors import ConfigError

M = TypeVar("M", bound=BaseModel)

REMEDY = "Correct it in params.yaml (under `overrides`) or in the file of that group under conf/"


class Settings(BaseModel):
    """Base of a stage's declaration: one field per section it reads, the same as its `params` in `dvc.yaml`."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def load(path: Path, kind: type[M]) -> M:
    """Read the sections that `kind` declares.

    Parameters
    ----------
    path : Path
        `data/config.yaml`.
    kind : type
        A subclass of `Settings`.

    Raises
    ------
    ConfigError
        If the file is missing, or one of the sections is not valid.
    """
    return check(read_config(path), kind, str(path))


def read_config(path: Path) -> dict[str, Any]:
    """Read `data/config.yaml` as it stands.

    Raises
    ------
    ConfigError
        If the file is missing or is not a YAML mapping.
    """
    try:
        composed = yaml.safe_load(path.read_text(encoding="utf-8"))
        problem = None if isinstance(composed, dict) else f"it holds {composed!r}"
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = f"it cannot be read ({' '.join(str(error).split())})"
    if problem:
        raise ConfigError(
            found=problem,
            where=str(path),
            expected="the configuration written by the stage `configure`",
            remedy="Run `dvc repro configure`",
        )
    return composed


def check(composed: dict[str, Any], kind: type[M], where: str) -> M:
    """Validate a mapping, reporting every problem at once.

    Raises
    ------
    ConfigError
        Key path, value received and what was expected, of each problem.
    """
    try:
        return kind.model_validate(composed)
    except ValidationError as error:
        problems = [_describe(item, _field_names(kind)) for item in error.errors()]
        raise ConfigError(
            found=f"{len(problems)} problem(s) in the configuration: " + "; ".join(problems),
            where=where,
            expected="the keys, types and ranges of stages/core/schema",
            remedy=REMEDY,
        ) from None


def _describe(problem: Any, names: set[str]) -> str:
    """Say one pydantic error as `key.path: what is wrong (got value)`."""
    *parents, key = problem["loc"] or ("",)
    # A discriminated union puts its tag into the location; the user never wrote that level. A board's name he did.
    known = [
        str(part)
        for level, part in enumerate(parents)
        if isinstance(part, int) or part in names or (level == 1 and parents[0] == "board")
    ]
    path = ".".join([*known, str(key)])
    if problem["type"] == "extra_forbidden":
        close = difflib.get_close_matches(str(key), sorted(names), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"{path}: unknown key (got {problem['input']!r}{hint})"
    if problem["type"] == "missing":
        return f"{path}: missing"
    message = str(problem["msg"]).removeprefix("Value error, ")
    prefix = f"{path}: " if path else ""
    return prefix + message if isinstance(problem["input"], dict) else f"{prefix}{message} (got {problem['input']!r})"


def _field_names(kind: type[BaseModel]) -> set[str]:
    schema = kind.model_json_schema()
    names = set(schema["properties"])
    for definition in schema.get("$defs", {}).values():
        names |= set(definition.get("properties", {}))
    return names
