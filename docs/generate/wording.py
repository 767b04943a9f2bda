"""A key's type, range, unit and meaning, in words."""

from __future__ import annotations

import re
import types
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from docs.generate.schema import Kind, annotation_of, is_section, sections_in, tag_of

#: How names say their unit.
_ENDS = {
    "_s": "s",
    "_hz": "Hz",
    "_per_s": "1/s",
    "_per_hour": "1/h",
    "_per_hour_max": "1/h",
    "_g": "g",
    "_rpm": "1/min",
    "_mm": "mm",
    "_m": "m",
    "_deg": "degrees",
    "_bytes": "bytes",
    "_logits": "logits",
    "_windows": "windows",
    "_samples": "samples",
    "_frames": "frames",
    "_iqr": "interquartile ranges",
    "_sigma": "standard deviations",
    "_mad": "standard deviations",
}
#: Units of names that do not.
_NAMED = {
    "Window.length": "samples",
    "Window.hop": "samples",
    "Layer.kernel": "samples",
    "Layer.stride": "samples",
    "BandsExtractor.frame": "samples",
    "BandsExtractor.hop": "samples",
    "StatsExtractor.frame": "samples",
    "StatsExtractor.hop": "samples",
    "Normalise.epsilon": "counts",
    "Polish.noise": "codes",
    "Crop.max_shift": "samples",
    "LeastSamples.min": "samples",
    "Sensor.full_scale": "`sensor.unit`",
    "Sensor.bits": "bits",
    "SerialLine.baud": "bit/s",
    "Containers.sensitivity": "g",
    "Calibration.windows": "windows",
    "Conversion.zero": "the stored unit",
}


def unit_of(kind: Kind, name: str) -> str:
    """Say the unit of a key; empty if it is a bare number, a share, or no number."""
    if sections_in(annotation_of(kind.model_fields[name])):
        return ""
    ends = [end for end in _ENDS if name.endswith(end)]
    return _NAMED.get(f"{kind.__name__}.{name}") or (_ENDS[max(ends, key=len)] if ends else "")


def type_of(field: FieldInfo) -> str:
    """Say a field's type, range and choices."""
    if sections_in(annotation_of(field)):
        return _of_sections(field.annotation)
    return _of_schema(TypeAdapter(annotation_of(field)).json_schema())


def _of_sections(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_of_sections, parts)))
    if origin is Annotated and sections_in(parts[0]):
        return _of_sections(parts[0])
    if origin is dict:
        return f"mapping of names to {_of_sections(parts[1])}"
    if origin is tuple:
        return "list of sections"
    return "section" if is_section(annotation) else _of_schema(TypeAdapter(annotation).json_schema())


def _of_schema(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_of_schema, schema["anyOf"])))
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return ", ".join(f"`{each}`" for each in choices) if choices else _of_kind(schema["type"], schema)


def _of_kind(kind: str, schema: dict[str, Any]) -> str:
    plain = {"null": "`null`", "boolean": "`true`, `false`", "string": "text"}
    if kind == "array" and "prefixItems" in schema:
        return f"pair of {_several(schema['prefixItems'][0])}, low to high"
    if kind == "array":
        return f"list of {_several(schema['items'])}"
    if kind == "object":
        return f"mapping of names to {_several(schema['additionalProperties'])}"
    return plain.get(kind, kind) + _range(schema)


def _several(schema: dict[str, Any]) -> str:
    return re.sub(r"^(integer|number|text)", r"\1s", _of_schema(schema))


def _range(schema: dict[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    limits = [f"{sign} {schema[name]:.12g}" for name, sign in signs.items() if name in schema]
    limits += [f"a multiple of {schema['multipleOf']}"] if "multipleOf" in schema else []
    limits += [f"like `{schema['pattern']}`"] if "pattern" in schema else []
    return f" {', '.join(limits)}" if limits else ""


def meaning_of(kind: Kind, name: str) -> str:
    """Say what a key means: its class's docstring does, else that of the section it holds, else nothing."""
    for each in kind.__mro__:
        said = attributes(each.__doc__ or "").get(name)
        if said:
            return _as_markdown(said)
    if name == tag_of(kind):
        return "Chooses the keys of this table."
    inner = {held for _, held in sections_in(annotation_of(kind.model_fields[name]))}
    return _as_markdown((inner.pop().__doc__ or "").partition("\n\n")[0]) if len(inner) == 1 else ""


def attributes(docstring: str) -> dict[str, str]:
    """Read the section Attributes of a numpydoc docstring: text by name; ``a, b : type`` says it of both."""
    body = re.search(r"^ *Attributes\n *-+\n(.*?)(?=\n *\w+\n *---|\Z)", docstring, re.DOTALL | re.MULTILINE)
    if body is None:
        return {}
    texts: dict[str, str] = {}
    names: list[str] = []
    indent = len(body[1]) - len(body[1].lstrip(" "))
    for line in filter(str.strip, body[1].splitlines()):
        if len(line) - len(line.lstrip(" ")) == indent:
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
            texts |= dict.fromkeys(names, "")
        else:
            texts |= {name: f"{texts[name]} {line.strip()}".strip() for name in names}
    return texts


def summary(kind: Kind) -> str:
    """Return what a class's docstring says before its attributes."""
    text = re.split(r"\n *Attributes\n *-+", kind.__doc__ or "")[0]
    return "\n\n".join(map(_as_markdown, re.split(r"\n\s*\n", text.strip())))


def _as_markdown(docstring: str) -> str:
    text = " ".join(docstring.split()).replace("``", "`")
    return re.sub(r"(?<!`)\bNone\b", "`null`", text)  # as YAML writes it
