"""What the site has besides the pages of docs/: those made from the code, and README.md."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.generate.commands import commands_page, exit_codes_page
from docs.generate.config_keys import capture_page, config_page
from docs.generate.modules import module_pages

ROOT = Path(__file__).parents[1]
_MADE = {
    "reference/config.md": config_page,
    "reference/capture.md": capture_page,
    "reference/commands.md": commands_page,
    "reference/exit_codes.md": exit_codes_page,
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of the modules, which are as many as there are packages."""
    assert config.nav is not None  # noqa: S101
    config.nav.append({"Python": [f"reference/python/{name}.md" for name in module_pages(ROOT)]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    made = {"readme.md": re.sub(r"\]\(docs/", "](", readme)}
    made |= {place: page() for place, page in _MADE.items()}
    made |= {f"reference/python/{name}.md": text for name, text in module_pages(ROOT).items()}
    for place, text in made.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to README.md to its page; another file of the repository has none, so only its name remains."""
    if page.file.generated_by is not None:
        return markdown
    return re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", markdown.replace("](../README.md", "](readme.md"))
