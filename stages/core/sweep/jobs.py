"""What one job of a sweep is: the params.yaml that it runs, and a key that names it whatever ran it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString

from stages.core.artifacts import sha256_json
from stages.core.errors import ConfigError
from stages.core.schema.base import flatten

Params = dict[str, Any]
_KEY_DIGITS = 10


@dataclass(frozen=True)
class Job:
    """One pipeline run.

    Attributes
    ----------
    chosen : dict
        What the sweep set, by dotted key; what tells the jobs of a sweep apart.
    params : dict
        The whole content of its params.yaml.
    key : str
        Ten hex digits, a function of the params and of the code that runs them.
    """

    chosen: Params
    params: Params
    key: str


def make_job(base: Params, overrides: Sequence[str], code: str) -> Job:
    """Lay a job's overrides over params.yaml.

    Parameters
    ----------
    base : dict
        The workspace's params.yaml: ``task`` and ``overrides``.
    overrides : sequence of str
        In Hydra's grammar, each with a single value.
    code : str
        Hash of the tree that the job runs.

    Raises
    ------
    ConfigError
        If an override deletes a key, which params.yaml cannot say.
    """
    chosen = dict(map(_parse, overrides))
    values = {key: value for key, value in chosen.items() if key != "task"}
    kept = {key: value for key, value in flatten(base.get("overrides") or {}).items() if not _replaced(key, values)}
    params = {"task": chosen.get("task", base["task"]), "overrides": {**kept, **values}}
    return Job(chosen, params, sha256_json({"params": params, "code": code})[:_KEY_DIGITS])


def _replaced(key: str, values: Mapping[str, Any]) -> bool:
    """Whether a value is set again, by itself or with the mapping that it is in."""
    return any(key == new or key.startswith(f"{new}.") for new in values)


def _parse(text: str) -> tuple[str, Any]:
    override = OverridesParser.create().parse_override(text)
    if override.is_delete() or override.package is not None:
        raise ConfigError(
            found=f"{text!r} deletes a key or moves a group",
            where="the overrides of the sweep",
            expected="values and options of groups, which are all that params.yaml can hold",
            remedy="Set the value to null instead",
        )
    return override.key_or_group, _plain(override.value())


def _plain(value: Any) -> Any:
    """Turn what Hydra's parser returns into what YAML writes."""
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def command_line(base: Params, words: Sequence[str], conf: Path) -> list[str]:
    """Complete a sweep's overrides by the task and groups of params.yaml, on which its values have to fit.

    Parameters
    ----------
    base : dict
        The workspace's params.yaml.
    words : sequence of str
        What the user gave.
    conf : Path
        The folder of groups.
    """
    groups = {path.name for path in conf.iterdir() if path.is_dir()}
    given = {word.lstrip("+").partition("=")[0] for word in words}
    chosen = {"task": base["task"], **(base.get("overrides") or {})}
    kept = {key: value for key, value in chosen.items() if key in groups - given and isinstance(value, str | list)}
    return [*words, *(f"{key}={_option(value)}" for key, value in kept.items())]


def _option(value: str | list[str]) -> str:
    return f"[{','.join(value)}]" if isinstance(value, list) else value
