"""The pages, their blocks of code, and the commands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.pipeline.imports import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
#: What a span of code begins with if it is a command and not the name of one.
_COMMAND = re.compile(
    r"(python -m (?!tests)[\w.]+ \S|(python -m stages\.debug|git status)\b|(dvc|make|mlflow|pip install|pytest) \S)"
)


@dataclass(frozen=True)
class Fence:
    """A fenced block: its language, the file that it is the content of, if any, and its text."""

    language: str
    title: str | None
    text: str


def fences(page):
    """Return the blocks of a page."""
    found = re.findall(r"^```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [Fence(language, title or None, text) for language, title, text in found]


def lines_of(script):
    """Return the commands of a script, one a line, without remarks."""
    whole = re.sub(r"\s*\\\n\s*", " ", script)
    lines = (re.sub(r"(^|\s)#\s.*", "", line).strip() for line in whole.splitlines())
    return [line for line in lines if line]


def commands(page):
    """Return every command of a page: the lines of its scripts, and spans of code that are commands as a whole."""
    scripts = [line for fence in fences(page) if fence.language == "sh" for line in lines_of(fence.text)]
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    spans = [" ".join(span.replace("\\|", "|").split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]
    return [*scripts, *(span for span in spans if _COMMAND.match(span))]
