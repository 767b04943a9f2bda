"""Audit a release: signature, hashes, commit, DAG, contracts, self-test; with --rebuild, make it again and compare."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stages.core.artifacts import write_json
from stages.core.errors import AuditFailed
from stages.core.release.finding import Finding, in_words
from stages.core.release.folder import BUNDLE, MANIFEST
from stages.core.release.git import git
from stages.core.release.rebuild import rebuild
from stages.core.release.signing import read_public
from stages.core.release.target import Target, find
from stages.core.release.tree import check_tree
from stages.core.stage import exit_with


def main(arguments: argparse.Namespace) -> None:
    """Run the command."""
    root = arguments.root.resolve()
    key = None if arguments.key is None else read_public(arguments.key)
    target = find(arguments.target, root, key)
    # What is in files that are not the ones that were signed is not worth comparing with anything.
    findings = target.findings or check_tree(root, target.files[MANIFEST], target.files[BUNDLE], target.facts)
    if arguments.rebuild and not findings:
        commit = (target.facts or {}).get("commit") or git(root, "rev-parse", "HEAD")
        findings = rebuild(root, commit, target.files[MANIFEST], {**os.environ, **dict(arguments.env)}, arguments.keep)
    if arguments.json is not None:
        write_json(arguments.json, report(target, findings, arguments))
    if findings:
        print(in_words(findings))
        raise AuditFailed(
            found=f"{len(findings)} finding(s), the first in {findings[0].file}: {findings[0].what}",
            where=target.name,
            expected="a release that is what was signed, of the commit that is checked out",
            remedy="Do not use it before every finding is explained; see docs/audit.md for what each kind means",
        )
    print(closing(target, key, arguments))


def report(target: Target, findings: list[Finding], arguments: argparse.Namespace) -> dict[str, Any]:
    """Say as JSON what was audited and found."""
    return {
        "target": target.name,
        "release": target.facts and target.facts["release_id"],
        "key_given": arguments.key is not None,
        "rebuilt": arguments.rebuild,
        "findings": [asdict(finding) for finding in findings],
        "passed": not findings,
    }


def closing(target: Target, key: bytes | None, arguments: argparse.Namespace) -> str:
    """Say what was established, and what was not."""
    artifacts = len(json.loads(target.files[MANIFEST])["artifacts"])
    signed = (target.facts or {}).get("signed", False)
    trust = "signature verified" if key else "signed, by whom was not asked (--key)" if signed else "not signed"
    made = ", made again byte for byte" if arguments.rebuild else ""
    return f"audit: {target.name}: no findings; {artifacts} artifacts as listed, {trust}{made}"


def setting(text: str) -> tuple[str, str]:
    """Take NAME=VALUE."""
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("target", help="folder of a release, manifest, or git tag")
    options.add_argument("--root", type=Path, default=Path(), help="work tree with the artifacts (default: here)")
    options.add_argument("--key", type=Path, help="file of the public key to trust")
    options.add_argument("--json", type=Path, help="file to write the findings to")
    options.add_argument("--rebuild", action="store_true", help="run the pipeline again and compare every byte")
    options.add_argument(
        "--env", type=setting, action="append", default=[], metavar="NAME=VALUE", help="rebuild with this variable"
    )
    options.add_argument("--keep", type=Path, help="folder to rebuild in, which stays (default: one that does not)")
    return options


if __name__ == "__main__":
    exit_with(lambda: main(parser().parse_args()))
