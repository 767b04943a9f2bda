"""The reference of every configuration key: type, unit, default and meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docs.generate.defaults import Values, default_of, join, values_in
from docs.generate.schema import Kind, annotation_of, sections_in, shared_base, tag_of, tag_values
from docs.generate.wording import meaning_of, summary, type_of, unit_of
from stages.core.config import Config

ROOT = Path(__file__).parents[2]
_CONFIG = """# Configuration keys

Each key of `data/config.yaml`: its type and range, its unit if it has one, the value that it has in `conf/`, and what
it means. Where options of a group differ, the names of those that are not as most stand behind their value; a task of
`conf/task` may set another one. Write your own value under `overrides` in `params.yaml`, as `train.epochs: 50`. A key
that is not listed is refused. `<name>` stands for names, `[]` for each entry of a list. The section `capture` has
[a page of its own](capture.md).
"""
_CAPTURE = """# Keys of capture

Each source of recordings has keys of its own; `capture.source` names it. [Your own recordings](../recordings.md) says
how to use those for files, tables and logs, [Recording from a live device](../serial.md) the one for a serial line. The
columns are those of [the other keys](config.md).
"""


@dataclass(frozen=True)
class Row:
    """A key, from the top of the configuration; the rest is Markdown, and empty where there is nothing to say."""

    key: str
    type: str
    unit: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Block:
    """What stands under one heading."""

    title: str
    text: str
    rows: tuple[Row, ...]


def config_page() -> str:
    """Write the page of every section but `capture`."""
    return _CONFIG + "".join(as_markdown(block) for block in blocks() if not _of_capture(block))


def capture_page() -> str:
    """Write the page of the section `capture`."""
    return _CAPTURE + "".join(as_markdown(block) for block in blocks() if _of_capture(block))


def without_meaning() -> list[str]:
    """Return the keys of which nothing is said."""
    return [row.key for block in blocks() for row in block.rows if not row.meaning]


@cache
def blocks() -> tuple[Block, ...]:
    """Return a block for each section, and for each alternative of those that have some, in the schema's order."""
    values = values_in(ROOT / "conf")
    scalars = [name for name, field in Config.model_fields.items() if not sections_in(annotation_of(field))]
    rows = tuple(_row(Config, name, name, values) for name in scalars)
    top = Block("Task and seed", "What stands above all sections.", rows)
    return top, *(block for name in Config.model_fields for block in _field_blocks(Config, name, "", values))


def as_markdown(block: Block) -> str:
    """Write a block as a heading, a paragraph and a table."""
    lines = [f"\n## {block.title}\n", f"{block.text}\n"]
    if block.rows:
        lines += ["| key | type | unit | default | meaning |", "|---|---|---|---|---|"]
    for row in block.rows:
        cells = (f"`{row.key}`", row.type, row.unit, row.default, row.meaning)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _of_capture(block: Block) -> bool:
    return block.title.startswith("`capture")


def _field_blocks(owner: Kind, name: str, key: str, values: Values) -> Iterator[Block]:
    field = owner.model_fields[name]
    held = sections_in(annotation_of(field))
    if not held:
        return
    path = join(key, field.alias or name) + held[0][0]
    kinds = [kind for _, kind in held]
    if len(kinds) == 1:
        yield from _section_blocks(kinds[0], path, f"`{path}`", frozenset(), values)
        return
    base = shared_base(kinds)
    common = frozenset(base.model_fields if base else ())
    if base:
        yield from _section_blocks(base, path, f"`{path}`, in every case", frozenset(), values)
    for kind in kinds:
        title = f"`{path}` with `{tag_of(kind)}: {' | '.join(tag_values(kind))}`"
        yield from _section_blocks(kind, path, title, common, values)


def _section_blocks(kind: Kind, key: str, title: str, without: frozenset[str], values: Values) -> Iterator[Block]:
    names = [name for name in kind.model_fields if name not in without]
    yield Block(title, summary(kind), tuple(row for name in names for row in _rows(kind, name, key, values)))
    for name in names:
        if _has_alternatives(kind, name):
            yield from _field_blocks(kind, name, key, values)


def _rows(kind: Kind, name: str, key: str, values: Values) -> Iterator[Row]:
    path = join(key, kind.model_fields[name].alias or name)
    yield _row(kind, name, path, values)
    if not _has_alternatives(kind, name):
        for at, held in sections_in(annotation_of(kind.model_fields[name])):
            for inner in held.model_fields:
                yield from _rows(held, inner, path + at, values)


def _row(kind: Kind, name: str, path: str, values: Values) -> Row:
    kind_of = type_of(kind.model_fields[name])
    return Row(path, kind_of, unit_of(kind, name), default_of(values, kind, name, path), meaning_of(kind, name))


def _has_alternatives(kind: Kind, name: str) -> bool:
    return len({held for _, held in sections_in(annotation_of(kind.model_fields[name]))}) > 1
