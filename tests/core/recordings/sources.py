"""Configurations of the capture sources as they are shipped, changed where a test needs it."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray
from omegaconf import OmegaConf
from pydantic import TypeAdapter

from stages.core.recordings.source import Recording
from stages.core.schema.capture import Capture

CONF = Path(__file__).parents[3] / "conf"


@functools.cache
def _composed(name: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(compose(f"capture/{name}").capture)


def shipped(name: str, /, **changes: Any) -> dict[str, Any]:
    """Compose conf/capture/<name>.yaml; a change's key has double underscores for dots."""
    values = copy.deepcopy(_composed(name))
    for key, value in changes.items():
        *parents, last = key.split("__")
        section = values
        for parent in parents:
            section = section[parent]
        section[last] = value
    return values


def capture_config(name: str, /, **changes: Any) -> Any:
    return TypeAdapter(Capture).validate_python(shipped(name, **changes))


def signal_of(recording: Recording) -> NDArray[np.float64]:
    return np.concatenate([block.signal for block in recording.blocks()])
