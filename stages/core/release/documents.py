"""What an engineer reads of a release, and what a tool reads: documents from templates, figures from artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import rfc8785

from stages.core.release.sbom import sbom
from stages.core.release.sources import Sources, as_text, short
from stages.core.release.tree_checks import artifact
from stages.core.templates import environment

PAGES = ("model_card.md", "release_record.md", "verification_plan.md")
#: Files that templates name, and the stages that make them.
_NAMED = {"gate": "quantize", "parity": "validate", "metrics": "validate", "intervals": "validate"}
#: What the rungs of the ladder are, in words.
_NUMBERS = {
    "ptq": "8-bit weights and activations, quantised after training",
    "qat": "8-bit weights and activations, trained to be quantised",
    "int16": "8-bit weights and 16-bit activations, quantised after training",
    "float": "32-bit floating point",
}
_PARTS = {"train": "training", "val": "validation, for thresholds and gate", "test": "test"}


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
    sources = Sources(root, manifest)
    context = {
        "release": facts,
        "is_signed": is_signed,
        "made": made.strftime("%Y-%m-%d %H:%M UTC"),
        "manifest": manifest,
        "contract": contract,
        "preprocess": manifest["contracts"]["preprocess"],
        "rules": contract["decision"]["rules"],
        "outputs": contract["labels"][1:],
        "ships": contract["precision"],
        "numbers": _NUMBERS,
        "cores": {name: _core(tools["flags"]) for name, tools in manifest["toolchain"]["firmware"].items()},
        "emulated": [name for name, board in manifest["results"]["device"].items() if board["instructions"]],
        "sources": sources,
        "files": {name: artifact(manifest, stage, f"{name}.json") for name, stage in _NAMED.items()},
        **_figures(sources, contract["labels"]),
    }
    templates = environment(__package__)
    templates.globals |= {"text": as_text, "short": short}
    pages = {name: templates.get_template(f"{name}.j2").render(context).encode() for name in PAGES}
    return {
        **pages,
        "preprocess.json": rfc8785.dumps(manifest["contracts"]["preprocess"]),
        "sbom.json": sbom(manifest, (root / "requirements.lock").read_text(encoding="utf-8"), made),
    }


def _core(flags: Sequence[str]) -> str:
    """Return the processor that a board's flags name, or that it is the host's."""
    return next((flag.removeprefix("-mcpu=") for flag in flags if flag.startswith("-mcpu=")), "host")


def _figures(sources: Sources, labels: Sequence[str]) -> dict[str, Any]:
    """Return what sentences and the comparison of models are made of, of the configuration, split and test part."""
    config, split = (partial(sources.value, *file) for file in (("configure", "config.yaml"), ("split", "split.json")))
    is_ordered = config("labels", "kind") == "ordered"
    windows = split("windows", "test")
    behind = {label: labels[k:] if is_ordered else [label] for k, label in enumerate(labels)}
    return {
        "is_simulated": config("capture", "source").startswith("synthetic"),
        "is_ordered": is_ordered,
        "parts": {part: {"name": name, "groups": len(split("groups", part))} for part, name in _PARTS.items()},
        "positive": {label: sum(windows[each] for each in behind[label]) for label in labels},
        "resamples": config("gate", "bootstrap", "resamples"),
        "level": config("gate", "bootstrap", "confidence"),
        "metrics": partial(sources.value, "validate", "metrics.json", "test"),
        "interval": partial(_interval, sources),
    }


def _interval(sources: Sources, *places: str) -> str:
    low, high = (sources.value("validate", "intervals.json", "scores", *places, end) for end in ("low", "high"))
    return "" if low is None or high is None else f" [{short(low)}, {short(high)}]"
