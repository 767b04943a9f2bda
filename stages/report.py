"""Write the page of the last run: what the release's page shows, how long stages took, and what changed since."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from stages.core.artifacts import read_json, sha256_file
from stages.core.errors import ArtifactError
from stages.core.manifest import artifacts, paths_of, read_stages
from stages.core.report.overview.earlier import read_since
from stages.core.report.overview.facts import read_judged, read_overview
from stages.core.report.overview.history import History, read_runs
from stages.core.report.overview.page import render_overview, render_refusal
from stages.core.settings import read_config
from stages.core.stage import exit_with

_FOLDERS = ("capture", "split", "features", "train", "quantize", "convert", "build", "validate", "release")
#: Stages whose outputs a run that the gate refused has.
_UP_TO_THE_GATE = ("configure", "capture", "split", "features", "train", "quantize")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", metavar="REV", help="commit to compare with (default: the last that differs)")
    parser.add_argument("--out", type=Path, default=Path("models/report.html"), help="(default: %(default)s)")
    given = parser.parse_args()
    given.out.write_text(page(Path.cwd(), given.against), encoding="utf-8")
    print(f"report: {given.out}")


def page(root: Path, against: str | None) -> str:
    """Render the page of the work tree, whether the gate passed or refused what is in it.

    Raises
    ------
    ArtifactError
        If outputs are missing, or the release was not made of those that are there.
    """
    stages = read_stages(root / "dvc.yaml")
    config = read_config(root / "data/config.yaml")
    paths = argparse.Namespace(**{name: root / _folder(stages, name) for name in _FOLDERS})
    runs = read_runs(root / ".tracking/last")
    if read_json(paths.quantize / "gate.json")["selected"] is None:
        listed = artifacts(root, {name: stages[name] for name in _UP_TO_THE_GATE})
        history = History(runs, read_since(root, None, config, against))
        return render_refusal(read_judged(paths, config, stages, listed), history)
    manifest = read_json(paths.release / "manifest.json")
    check_release(root, manifest)
    history = History(runs, read_since(root, manifest, config, against))
    return render_overview(read_overview(paths, config, stages, manifest["artifacts"]), history)


def check_release(root: Path, manifest: dict[str, Any]) -> None:
    """Make sure that a release was made of the outputs that are there.

    Raises
    ------
    ArtifactError
        At the first file that is another.
    """
    for entry in manifest["artifacts"]:
        path = root / entry["path"]
        if not path.is_file() or sha256_file(path) != entry["sha256"]:
            raise ArtifactError(
                found=f"it is not the file that release {manifest['release']['release_id']} was made of",
                where=entry["path"],
                expected="outputs of one run of the pipeline",
                remedy="Run `dvc repro`",
            )


def _folder(stages: dict[str, Any], name: str) -> str:
    return next(out for out in paths_of(stages[name]["outs"]) if Path(out).name == name)


if __name__ == "__main__":
    exit_with(main)
