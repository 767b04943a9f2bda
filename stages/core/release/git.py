"""What git says of a work tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

from stages.core.errors import ArtifactError


def git(root: Path, *arguments: str) -> str:
    """Run git and return what it printed, without the last line break.

    Raises
    ------
    ArtifactError
        If git is not installed, or fails.
    """
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    except FileNotFoundError:
        raise _failed("git is not installed", command, "git on PATH", "Install git") from None
    if done.returncode != 0:
        said = " | ".join(done.stderr.split("\n")[:3]).strip(" |")
        raise _failed(f"git says {said!r}", command, "status 0", "Look whether this is a clone that has that commit")
    return done.stdout.rstrip("\n")


def changes(root: Path) -> list[str]:
    """Return the files that differ from the commit that is checked out, or that git does not know."""
    return [line[3:] for line in git(root, "status", "--porcelain", "--untracked-files=all").splitlines()]


def _failed(found: str, command: list[str], expected: str, remedy: str) -> ArtifactError:
    return ArtifactError(found=found, where=" ".join(command), expected=expected, remedy=remedy)
