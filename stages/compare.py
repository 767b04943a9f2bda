"""Compare two releases: what is different, or whether the later one may follow the earlier one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from stages.core.artifacts import json_ready, read_json, write_json
from stages.core.errors import GateRefused
from stages.core.release.comparison import Change, Flip, changes, flips, follow
from stages.core.release.sources import as_text
from stages.core.release.tree_checks import artifact
from stages.core.schema.release import Release
from stages.core.settings import check, read_config
from stages.core.stage import exit_with

LIMITS = Path("conf/release/default.yaml")
#: Windows whose decision flips that are listed one by one.
_LISTED = 20


def diff(arguments: argparse.Namespace) -> None:
    """Say what is different between two releases."""
    before, after = (read_manifest(path) for path in (arguments.before, arguments.after))
    found = changes(before, after)
    print(table(found))
    result: dict[str, Any] = {"changes": [asdict(change) for change in found]}
    if arguments.trees is not None:
        scores = tuple(
            pd.read_parquet(tree / artifact(manifest, "validate", "scores.parquet"))
            for tree, manifest in zip(arguments.trees, (before, after), strict=True)
        )
        common, flipped = flips(before, after, (scores[0], scores[1]))
        print(flip_table(common, flipped))
        result |= {"windows": common, "flips": [asdict(flip) for flip in flipped]}
    if arguments.json is not None:
        write_json(arguments.json, json_ready(result))


def gate(arguments: argparse.Namespace) -> None:
    """Refuse a release that is worse than the one before, or changes a contract without saying so."""
    before, after = (read_manifest(path) for path in (arguments.against, arguments.release))
    settings = check(read_config(arguments.limits), Release, str(arguments.limits))
    rows = follow(before, after, settings.regression)
    for row in rows:
        verdict = "holds" if row.holds else "BROKEN"
        print(f"{verdict:8}{as_text(row.value):>12}  at most {as_text(row.maximum):8}{row.rule}")
    if arguments.json is not None:
        write_json(arguments.json, json_ready([{**asdict(row), "holds": row.holds} for row in rows]))
    broken = [row.rule for row in rows if not row.holds]
    if broken:
        raise GateRefused(
            found=f"it breaks {len(broken)} rule(s): {'; '.join(broken)}",
            where=str(arguments.release),
            expected=f"a release that may follow {arguments.against}, by {arguments.limits}",
            remedy="Look at `python -m stages.compare diff` of the two; raise a limit or a version only on purpose",
        )


def read_manifest(path: Path) -> Any:
    """Read a manifest, or that of a release's folder."""
    return read_json(path / "manifest.json" if path.is_dir() else path)


def table(found: Sequence[Change]) -> str:
    """Lay changes out by heading."""
    lines = []
    for heading in dict.fromkeys(change.heading for change in found):
        of_heading = [change for change in found if change.heading == heading]
        lines.append(f"{heading}: {len(of_heading)} different")
        lines += [f"  {each.place}: {as_text(each.before)} -> {as_text(each.after)}" for each in of_heading]
    return "\n".join(lines) or "nothing is different"


def flip_table(common: int, found: Sequence[Flip]) -> str:
    """Lay out the windows that are decided differently, those of the largest change first."""
    lines = [f"decisions: {len(found)} flip, of {common} windows that both were tested on"]
    for flip in found[:_LISTED]:
        verdict = "yes" if flip.is_positive else "no"
        window = f"{flip.session_id} from sample {flip.start}"
        margins = f"{flip.before:+.3g} -> {flip.after:+.3g} logits above the threshold"
        lines.append(f"  {window}: {flip.output} is now {verdict}, {margins}")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__)
    commands = options.add_subparsers(required=True, metavar="diff|gate")
    comparing = commands.add_parser("diff", help=diff.__doc__)
    comparing.set_defaults(run=diff)
    for name in ("before", "after"):
        comparing.add_argument(name, type=Path, help="folder of a release, or manifest")
    comparing.add_argument("--trees", type=Path, nargs=2, help="work trees of both, to compare window by window")
    judging = commands.add_parser("gate", help=gate.__doc__)
    judging.set_defaults(run=gate)
    judging.add_argument("release", type=Path, help="folder of a release, or manifest")
    judging.add_argument("--against", type=Path, required=True, help="the release before")
    judging.add_argument("--limits", type=Path, default=LIMITS, help="(default: %(default)s)")
    for command in (comparing, judging):
        command.add_argument("--json", type=Path, help="file to write the same to")
    return options


def main_of(words: Sequence[object] | None = None) -> None:
    """Run the command that some words, or those of the command line, name."""
    given = parser().parse_args(None if words is None else [str(word) for word in words])
    given.run(given)


if __name__ == "__main__":
    exit_with(main_of)
