"""The base of every configuration section."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from stages.core.errors import ConfigError


class Section(BaseModel):
    """A frozen configuration section that refuses keys it does not know and types it was not given."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _numbers_are_numbers(cls, values: Any) -> Any:
        """Refuse `"6"` and `true` where a number belongs, which pydantic would quietly convert."""
        for name, field in cls.model_fields.items() if isinstance(values, dict) else ():
            value = values.get(name)
            if field.annotation in (int, float) and (isinstance(value, bool) or _reads_as_number(value)):
                raise ValueError(f"{name} should be a number (got {value!r})")
        return values


def _reads_as_number(value: Any) -> bool:
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Join the keys of nested mappings by dots: ``{"a": {"b": 1}}`` becomes ``{"a.b": 1}``.

    Raises
    ------
    ConfigError
        If a key is given twice, nested and already joined.
    """
    flat: dict[str, Any] = {}
    for key, item in value.items():
        for name, leaf in (
            flatten(item, f"{prefix}{key}.") if isinstance(item, dict) else {f"{prefix}{key}": item}
        ).items():
            if name in flat:
                raise ConfigError(
                    found=f"{name} is given twice, as {flat[name]!r} and as {leaf!r}",
                    where="overrides",
                    expected="each key once, nested or joined by dots",
                    remedy="Remove one of the two",
                )
            flat[name] = leaf
    return flat
