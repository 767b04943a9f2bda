"""Configurations of the capture sources as they are shipped, changed where a test needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter

from stages.core.schema.capture import Capture

CONF = Path(__file__).parents[3] / "conf" / "capture"


def shipped(name: str, /, **changes: Any) -> dict[str, Any]:
    """Read conf/capture/<name>.yaml; a change's key has double underscores for dots."""
    values = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        *parents, last = key.split("__")
        section = values
        for parent in parents:
            section = section[parent]
        section[last] = value
    return values


def capture_config(name: str, /, **changes: Any) -> Any:
    return TypeAdapter(Capture).validate_python(shipped(name, **changes))
