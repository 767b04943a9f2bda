"""The tree of the configuration's sections: what a key may hold, and which class said so."""

from __future__ import annotations

import types
from functools import reduce
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from stages.core.schema.base import Section

Kind = type[Section]
_TAGS = ("kind", "source", "by")


def annotation_of(field: FieldInfo) -> Any:
    """Return the annotation of a field with its bounds."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def is_section(annotation: Any) -> bool:
    """Return whether a type is a section."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def sections_in(annotation: Any) -> list[tuple[str, Kind]]:
    """Return the sections that a value may hold, each with what stands between the value's key and theirs.

    That is nothing for a section itself, ``[]`` for each of a list, and ``.<name>`` for those of a mapping.
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if is_section(annotation):
        return [("", annotation)]
    if origin is Annotated:
        return sections_in(parts[0])
    if origin in (Union, types.UnionType):
        return [found for part in parts for found in sections_in(part)]
    if origin is tuple:
        return list(dict.fromkeys((f"[]{at}", kind) for part in parts for at, kind in sections_in(part)))
    if origin is dict:
        return [(f".<name>{at}", kind) for at, kind in sections_in(parts[1])]
    return []


def tag_of(kind: Kind) -> str | None:
    """Return the key whose values tell a section from its alternatives."""
    fields = kind.model_fields
    return next((name for name in _TAGS if name in fields and get_origin(fields[name].annotation) is Literal), None)


def tag_values(kind: Kind) -> tuple[str, ...]:
    """Return the values of that key."""
    tag = tag_of(kind)
    return () if tag is None else get_args(kind.model_fields[tag].annotation)


def alternative(kinds: list[Kind], value: dict[str, Any]) -> Kind:
    """Return the section that a value is of."""
    return next((kind for kind in kinds if value.get(tag_of(kind) or "") in tag_values(kind)), kinds[0])


def owner(kind: Kind, name: str) -> Kind:
    """Return the class that a field comes from."""
    return next(each for each in reversed(kind.__mro__) if is_section(each) and name in each.model_fields)


def shared_base(kinds: list[Kind]) -> Kind | None:
    """Return the nearest class that several sections derive from, if it has keys."""
    common = reduce(lambda kept, kind: [each for each in kept if each in kind.__mro__], kinds[1:], kinds[0].__mro__)
    base = next(each for each in common if is_section(each))
    return base if base.model_fields and base not in kinds else None
