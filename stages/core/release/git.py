"""What git says of a work tree."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from stages.core.errors import ArtifactError


def git(root: Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run git and return what it printed, without the last line breaks.

    Raises
    ------
    ArtifactError
        If git is not installed, or fails.
    """
    return _run(root, *arguments, stdin=stdin).decode("utf-8", errors="replace").rstrip("\n")


def blob(root: Path, commit: str, path: str) -> bytes:
    """Return the content of a file as a commit has it.

    Raises
    ------
    ArtifactError
        If the commit has no such file.
    """
    return _run(root, "cat-file", "blob", f"{commit}:{path}")


def tag_message(root: Path, tag: str) -> str:
    """Return the message of an annotated tag.

    Raises
    ------
    ArtifactError
        If there is no such tag.
    """
    return git(root, "cat-file", "tag", f"refs/tags/{tag}").partition("\n\n")[2]


def commit_time(root: Path, commit: str) -> datetime:
    """Return when a commit was made, in UTC: the only time that every clone agrees on."""
    return datetime.fromtimestamp(int(git(root, "show", "--no-patch", "--format=%ct", commit)), UTC)


def _run(root: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise _failed("git is not installed", command, "git on PATH", "Install git") from None
    if done.returncode != 0:
        said = " | ".join(done.stderr.decode(errors="replace").split("\n")[:3]).strip(" |")
        raise _failed(f"git says {said!r}", command, "status 0", "Look whether this is a clone that has that commit")
    return done.stdout


def changes(root: Path) -> list[str]:
    """Return the files that differ from the commit that is checked out, or that git does not know."""
    return [line[3:] for line in git(root, "status", "--porcelain", "--untracked-files=all").splitlines()]


def _failed(found: str, command: list[str], expected: str, remedy: str) -> ArtifactError:
    return ArtifactError(found=found, where=" ".join(command), expected=expected, remedy=remedy)
