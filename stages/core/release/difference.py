"""Where two versions of a file differ first, in the file's own terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

import numpy as np
import onnx
import safetensors.numpy

from stages.core.bundle.format import unpack
from stages.core.errors import TailgateError

#: Characters of a value that are repeated.
_LONGEST = 80


def first_difference(name: str, before: bytes, after: bytes) -> str:
    """Say where two versions of a file differ first.

    Parameters
    ----------
    name : str
        Of the file; JSON, ONNX, safetensors and bundles are read as what they are, and compared by their parts.
    before, after : bytes

    Returns
    -------
    str
        For example ``at test/ptq/auc: 0.5, before 0.25``; where the parts say nothing, the first byte.
    """
    try:
        found = _walk("", _parts(name, before), _parts(name, after))
    except (ValueError, TailgateError, safetensors.SafetensorError):
        found = None
    return found or _first_byte(before, after)


def _parts(name: str, content: bytes) -> Any:
    """Return a file's content as nested mappings and lists."""
    match PurePath(name).suffix:
        case ".json":
            return json.loads(content)
        case ".onnx":
            return _onnx_parts(content)
        case ".safetensors":
            return {"tensor": dict(safetensors.numpy.load(content))}
        case ".bin" if PurePath(name).name == "bundle.bin":
            bundle = unpack(content)
            return {"field": asdict(bundle.identity), "section": bundle.sections}
    return None


def _onnx_parts(content: bytes) -> dict[str, Any]:
    try:
        graph = onnx.load_from_string(content).graph
    except Exception as error:
        raise ValueError("not ONNX") from error
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = [{"name": node.name, "type": node.op_type, "text": str(node)} for node in graph.node]
    return {"node": nodes, "tensor": tensors}


def _walk(place: str, before: Any, after: Any) -> str | None:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return _walk_mapping(place, before, after)
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        return _of_arrays(place, before, after)
    if isinstance(before, bytes) and isinstance(after, bytes):
        return None if before == after else f"at {place}: {_first_byte(before, after)}"
    if isinstance(before, list) and isinstance(after, list):
        pairs = (_walk(_join(place, str(i)), *pair) for i, pair in enumerate(zip(before, after, strict=False)))
        found = next((each for each in pairs if each), None)
        same_length = len(before) == len(after)
        return found or (None if same_length else f"at {place}: {len(after)} entries, before {len(before)}")
    # 1 and 1.0 are equal and not the same text.
    return (
        None
        if (type(before), before) == (type(after), after)
        else f"at {place}: {_short(after)}, before {_short(before)}"
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _walk_mapping(place: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    for key in {**before, **after}:
        inner = _join(place, str(key))
        if key not in after:
            return f"at {inner}: gone"
        found = _walk(inner, before[key], after[key]) if key in before else f"at {inner}: new"
        if found:
            return found
    return None


def _of_arrays(place: str, before: np.ndarray, after: np.ndarray) -> str | None:
    if (before.shape, before.dtype) != (after.shape, after.dtype):
        return f"at {place}: {after.dtype} {after.shape}, before {before.dtype} {before.shape}"
    differ = np.flatnonzero(before.reshape(-1) != after.reshape(-1))
    if not len(differ):
        return None
    at = int(differ[0])
    values = f"{after.reshape(-1)[at]}, before {before.reshape(-1)[at]}"
    return f"at {place}: {len(differ)} of {before.size} values, element {at} first: {values}"


def _join(place: str, key: str) -> str:
    return f"{place}/{key}" if place else key


def _first_byte(before: bytes, after: bytes) -> str:
    at = next((i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
    if at is None:
        return f"it has {len(after)} bytes, before {len(before)}"
    return f"at byte {at} of {len(before)}"
