"""What an engineer reads of a release, and what a tool reads: documents from templates, figures from artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import rfc8785

from stages.core.release.sbom import sbom
from stages.core.release.sources import Sources, as_text
from stages.core.release.tree_checks import artifact
from stages.core.templates import environment

PAGES = ("model_card.md", "release_record.md", "verification_plan.md")
#: Files that templates name, and the stages that make them.
_NAMED = {"gate": "quantize", "parity": "validate"}


def documents(
    root: Path, manifest: Mapping[str, Any], facts: Mapping[str, Any], made: datetime, *, is_signed: bool
) -> dict[str, bytes]:
    """Return the documents of a release by file name.

    Parameters
    ----------
    root : Path
        The work tree with the artifacts.
    manifest : mapping
    facts : mapping
        What `release.json` says, of `stages.core.release.folder.describe`.
    made : datetime
        When the commit was made.
    is_signed : bool
    """
    contract = manifest["contracts"]["model"]
    context = {
        "release": facts,
        "is_signed": is_signed,
        "made": made.strftime("%Y-%m-%d %H:%M UTC"),
        "manifest": manifest,
        "contract": contract,
        "preprocess": manifest["contracts"]["preprocess"],
        "outputs": contract["labels"][1:],
        "ships": contract["precision"],
        "emulated": [name for name, board in manifest["results"]["device"].items() if board["instructions"]],
        "sources": Sources(root, manifest),
        **{name: artifact(manifest, stage, f"{name}.json") for name, stage in _NAMED.items()},
    }
    templates = environment(__package__)
    templates.globals["text"] = as_text
    pages = {name: templates.get_template(f"{name}.j2").render(context).encode() for name in PAGES}
    return {
        **pages,
        "preprocess.json": rfc8785.dumps(manifest["contracts"]["preprocess"]),
        "sbom.json": sbom(manifest, (root / "requirements.lock").read_text(encoding="utf-8"), made),
    }
