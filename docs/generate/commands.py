"""The reference of every command and every exit code."""

from __future__ import annotations

import ast
import io
import os
import re
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from stages.core import errors
from stages.core.errors import TailgateError

ROOT = Path(__file__).parents[2]
_COMMANDS = """# Commands

What every command says of itself with `--help`. The stages of the DAG come first, in its order; `dvc repro` runs them
with the paths that `dvc.yaml` gives. What a command ends with is in [exit codes](exit_codes.md).
"""
_CODES = """# Exit codes

A command that fails prints one paragraph: where, what was found, what was expected, what to do. Its exit code says of
which kind that is, so that a script can tell a refusal from a mistake.

| code | type | means |
|---|---|---|
| 0 | | All is well. |
"""
#: argparse breaks lines where the terminal ends; without, every machine would write another page.
_WIDTH = "100"


def commands_page() -> str:
    """Run every command with `--help`, and write down what they say."""
    sections = []
    for name in names():
        for words in ([name], *([name, each] for each in subcommands(name))):
            title = f"{'##' if len(words) == 1 else '###'} {' '.join(words)}"
            sections.append(f"\n{title}\n\n```text\n{help_of(words)}```\n")
    return _COMMANDS + "".join(sections)


def names() -> list[str]:
    """Return the commands: the DAG's in its order, then the others."""
    dag = re.findall(r"python -m stages\.(\w+)", (ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    every = sorted(path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")
    return list(dict.fromkeys([*(name for name in dag if name in every), *every]))


def subcommands(name: str) -> list[str]:
    """Return a command's own commands, by its source."""
    return re.findall(r"\.add_parser\(\s*\"(\w+)\"", _source(name))


def _source(name: str) -> str:
    return (ROOT / "stages" / f"{name}.py").read_text(encoding="utf-8")


def help_of(words: list[str]) -> str:
    """Return what a command says to `--help`; run here, since each would import the same libraries anew."""
    said = io.StringIO()
    arguments = [f"python -m stages.{words[0]}", *words[1:], "--help"]
    options, width = patch.object(sys, "argv", arguments), patch.dict(os.environ, COLUMNS=_WIDTH)
    with options, width, _called(words[0]), redirect_stdout(said), suppress(SystemExit):
        runpy.run_module(f"stages.{words[0]}", run_name="__main__")
    return said.getvalue()


@contextmanager
def _called(name: str) -> Iterator[None]:
    """Stand in for the module that was called, from which a stage takes its description."""
    before = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__", ast.get_docstring(ast.parse(_source(name))))
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def exit_codes_page() -> str:
    """List the types of errors by their codes."""
    rows = sorted((kind.exit_code, kind.__name__, (kind.__doc__ or "").partition("\n")[0]) for kind in _errors())
    return _CODES + "".join(f"| {code} | `{name}` | {text} |\n" for code, name, text in rows)


def _errors() -> list[type[TailgateError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__base__ is TailgateError]
