"""Make keys, sign a release into a folder that can be handed over, and verify such a folder."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from stages.core.artifacts import output_directory, read_json
from stages.core.errors import ArtifactError, AuditFailed, ConfigError
from stages.core.release.documents import documents
from stages.core.release.finding import Finding, in_words
from stages.core.release.folder import Binding, assemble, describe, read_folder, tag_text
from stages.core.release.folder_checks import check_folder
from stages.core.release.git import commit_time, git
from stages.core.release.registry import register
from stages.core.release.signing import SecretKey, generate, parse_secret, read_public, read_secret
from stages.core.release.tree import check_tree
from stages.core.release.tree_checks import lock_hash
from stages.core.stage import exit_with

#: The text of a key file, where there is no file: a build server's secret.
KEY_VARIABLE = "TAILGATE_SIGNING_KEY"


def keygen(arguments: argparse.Namespace) -> None:
    """Make a key, outside of the work tree."""
    if is_in_a_work_tree(arguments.out):
        raise ConfigError(
            found="it is in a work tree of git, from where it could be committed",
            where=str(arguments.out),
            expected="a place that no repository and no cache holds",
            remedy="Choose another, for example ~/.config/tailgate/key",
        )
    public = generate(arguments.out)
    print(f"publish: secret key {arguments.out} (keep it), public key {arguments.out}.pub (give it): {public.hex()}")


def is_in_a_work_tree(file: Path) -> bool:
    """Return whether git would see a file."""
    folder = next(parent for parent in file.resolve().parents if parent.exists())
    try:
        git(folder, "rev-parse", "--show-toplevel")
    except ArtifactError:
        return False
    return True


def sign(arguments: argparse.Namespace) -> None:
    """Sign what the stage `release` made, with the documents, into a folder named by the release's id."""
    root = arguments.root.resolve()
    key = None if arguments.unsigned else signing_key(arguments.key)
    commit = git(root, "rev-parse", "HEAD")
    manifest = (root / arguments.release / "manifest.json").read_bytes()
    content = read_json(root / arguments.release / "manifest.json")
    binding = Binding(commit, arguments.tag, _lock_hash(root, commit))
    facts = describe(manifest, content["release"], binding)
    bundle = (root / arguments.release / "bundle.bin").read_bytes()
    _refuse(check_tree(root, manifest, bundle, {**facts, "tag": None}), arguments.root)
    papers = documents(root, content, facts, commit_time(root, commit), is_signed=key is not None)
    files = assemble(manifest, facts, bundle, papers, key)
    if arguments.tag is not None:
        text = f"Release {content['release']['release_id']}\n\n{tag_text(files)}"
        git(root, "tag", "--annotate", "--cleanup=verbatim", "--file=-", arguments.tag, commit, stdin=text.encode())
    folder = arguments.out / content["release"]["release_id"]
    with output_directory(folder) as out:
        for name, content_of in files.items():
            (out / name).write_bytes(content_of)
    tags = {"manifest_sha256": facts["manifest_sha256"], "release_id": facts["release_id"]}
    register(content["task"], f"git:/{commit}", tags, files)
    by = "not signed" if key is None else f"signed by {key.public.hex()}"
    print(f"publish: {folder}, {len(files)} files, commit {commit[:12]}, {by}")


def signing_key(file: Path | None) -> SecretKey:
    """Read the key from a file, or from the environment."""
    if file is not None:
        return read_secret(file)
    text = os.environ.get(KEY_VARIABLE)
    if text is None:
        raise ConfigError(
            found="there is no key to sign with",
            where="the command line",
            expected=f"--key FILE, or the text of such a file in {KEY_VARIABLE}",
            remedy="Make one with `python -m stages.publish keygen`, or say --unsigned for a development release",
        )
    return parse_secret(text, KEY_VARIABLE)


def verify(arguments: argparse.Namespace) -> None:
    """Verify a folder, from nothing but itself and a public key."""
    files = read_folder(arguments.folder)
    _refuse(check_folder(files, read_public(arguments.key)), arguments.folder)
    print(f"publish: {arguments.folder}, {len(files)} files as they were signed by {arguments.key}")


def _refuse(findings: Sequence[Finding], where: Path) -> None:
    if findings:
        print(in_words(findings))
        raise AuditFailed(
            found=f"{len(findings)} finding(s), of {', '.join(dict.fromkeys(finding.file for finding in findings))}",
            where=str(where),
            expected="files as they were made and signed",
            remedy="Commit what is not, make it again with `dvc repro`, or fetch it again from where it was published",
        )


def _lock_hash(root: Path, commit: str) -> str:
    digest = lock_hash(root, commit)
    if digest is None:
        raise ConfigError(
            found="the commit that is checked out has no dvc.lock",
            where=str(root),
            expected="the lock that `dvc repro` wrote, committed with what it locks",
            remedy="Run `dvc repro`, then `git add dvc.lock` and commit",
        )
    return digest


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__)
    commands = options.add_subparsers(required=True, metavar="keygen|sign|verify")
    making = commands.add_parser("keygen", help=keygen.__doc__)
    making.set_defaults(run=keygen)
    making.add_argument("out", type=Path, help="file of the secret key, which must not exist")
    signing = commands.add_parser("sign", help=sign.__doc__)
    signing.set_defaults(run=sign)
    signing.add_argument("--root", type=Path, default=Path(), help="work tree (default: here)")
    signing.add_argument("--release", type=Path, default=Path("models/release"), help="(default: %(default)s)")
    signing.add_argument("--out", type=Path, default=Path("releases"), help="(default: %(default)s)")
    signing.add_argument("--key", type=Path, help=f"file of the secret key (default: the text in {KEY_VARIABLE})")
    signing.add_argument("--unsigned", action="store_true", help="make a development release")
    signing.add_argument("--tag", help="make this annotated git tag, which carries the signature")
    checking = commands.add_parser("verify", help=verify.__doc__)
    checking.set_defaults(run=verify)
    checking.add_argument("folder", type=Path)
    checking.add_argument("--key", type=Path, required=True, help="file of the public key")
    return options


def main_of(words: Sequence[object] | None = None) -> None:
    """Run the command that some words, or those of the command line, name."""
    given = parser().parse_args(None if words is None else [str(word) for word in words])
    given.run(given)


if __name__ == "__main__":
    exit_with(main_of)
