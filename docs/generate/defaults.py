"""The values that the files of conf/ give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from docs.generate.schema import Kind, alternative, annotation_of, owner, sections_in
from stages.core.config import Config
from stages.core.schema.base import Section

#: For each class and key, each value that is given, with the options of the group that give it.
Values = dict[tuple[Kind, str], dict[str, list[str]]]
_SHOWN = 3
_LONGEST = 60


def values_in(conf: Path) -> Values:
    """Compose every option of every group but tasks, and collect the values."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    found: Values = {}
    groups = {path.name: sorted(path.glob("*.yaml")) for path in sorted(conf.iterdir()) if path.is_dir()}
    apart = {"task", "board", *(group for group, options in groups.items() if len(options) == 1)}
    several = {group: options for group, options in groups.items() if group not in apart}
    with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
        top: Any = OmegaConf.to_container(compose("config"), resolve=True)
        for group, option in [(group, path.stem) for group, options in several.items() for path in options]:
            composed: Any = OmegaConf.to_container(compose(f"{group}/{option}"), resolve=True)
            _collect(Config, composed, "", option, found)
    _collect(Config, {name: value for name, value in top.items() if name not in several}, "", "", found)
    return found


def _collect(kind: Kind, value: dict[str, Any], key: str, option: str, found: Values) -> None:
    for name, field in kind.model_fields.items():
        given = field.alias or name
        if given not in value:
            continue
        item, path = value[given], join(key, given)
        held = sections_in(annotation_of(field))
        if isinstance(item, dict) and item and held:
            named = {"": item} if held[0][0] == "" else item
            for each, inner in named.items():
                if isinstance(inner, dict):
                    at = [section for _, section in held]
                    _collect(alternative(at, inner), inner, path + held[0][0], each or option, found)
        else:
            found.setdefault((owner(kind, name), path), {}).setdefault(flow(item), []).append(option)


def join(key: str, name: str) -> str:
    """Put a name behind a key."""
    return f"{key}.{name}" if key else name


def flow(value: Any) -> str:
    """Write a value as YAML on one line."""
    plain = value.model_dump(mode="json") if isinstance(value, Section) else value
    return yaml.safe_dump(plain, default_flow_style=True, width=10_000, sort_keys=False).strip().removesuffix("\n...")


def default_of(values: Values, kind: Kind, name: str, key: str) -> str:
    """Say what conf/ gives a key, or the schema's own default; empty where a section has its keys listed."""
    field = kind.model_fields[name]
    given = values.get((owner(kind, name), key), {})
    if not given:
        return _of_schema(field)
    if len(given) > _SHOWN or max(map(len, given)) > _LONGEST:
        return f"in `conf/{key.partition('.')[0]}`"
    if len(given) == 1:
        return _code(next(iter(given)))
    usual = max(given, key=lambda value: len(given[value]))
    others = [f"{_code(value)} ({', '.join(options)})" for value, options in given.items() if value != usual]
    if len(given[usual]) > sum(map(len, given.values())) / 2:
        return f"{_code(usual)}; {'; '.join(others)}"
    return "; ".join(f"{_code(value)} ({', '.join(options)})" for value, options in given.items())


def _of_schema(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    return _code(flow(field.get_default(call_default_factory=True)))


def _code(value: str) -> str:
    return "yours to give" if value == "???" else f"`{value}`"
