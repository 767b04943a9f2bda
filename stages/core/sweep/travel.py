"""What goes between machines that run jobs of one sweep: code and records through git, outputs through DVC's remote.

A record is a commit of its own at ``refs/sweep/<sweep>/<job>`` of the git remote, so it is there whole or not at all,
and jobs that end at the same time do not meet.
"""

from __future__ import annotations

from pathlib import Path

from stages.core.sweep.isolation import git

_REFS = "refs/sweep"


def send_code(root: Path, remote: str, commit: str) -> None:
    """Push the commit that all jobs run."""
    git(root, "push", "-q", remote, f"{commit}:{_REFS}/code/{commit}")


def take_code(root: Path, remote: str, commit: str) -> None:
    """Fetch the commit that all jobs run."""
    git(root, "fetch", "-q", remote, f"{_REFS}/code/{commit}")


def send_results(root: Path, remote: str, folder: Path, key: str) -> None:
    """Push the record of a job, what it printed, and its experiment if it left one.

    Parameters
    ----------
    root : Path
        The clone of this machine.
    remote : str
        Name of the git remote.
    folder : Path
        The folder of the sweep, of which the name counts.
    key : str
        Of the job.
    """
    listed = [
        f"100644 blob {git(root, 'hash-object', '-w', str(folder / name))}\t{name}"
        for name in (f"{key}.json", f"{key}.log")
    ]
    tree = git(root, "mktree", input="\n".join(listed) + "\n")
    commit = git(root, "commit-tree", tree, "-m", f"job {key} of a sweep")
    experiments = git(root, "for-each-ref", "--format=%(refname)", f"refs/exps/*/*/sweep-{key}").splitlines()
    git(root, "push", "-q", "-f", remote, f"{commit}:{_REFS}/{folder.name}/{key}", *experiments)


def take_results(root: Path, remote: str, folder: Path) -> None:
    """Fetch the records of a sweep that are not here yet, and their experiments."""
    place = f"{_REFS}/{folder.name}"
    git(root, "fetch", "-q", remote, f"+{place}/*:{place}/*", "+refs/exps/*:refs/exps/*")
    folder.mkdir(parents=True, exist_ok=True)
    for reference in git(root, "for-each-ref", "--format=%(refname)", place).splitlines():
        for name in git(root, "ls-tree", "--name-only", reference).splitlines():
            partial = folder / f"{name}.partial"
            partial.write_text(git(root, "show", f"{reference}:{name}") + "\n", encoding="utf-8")
            partial.replace(folder / name)
