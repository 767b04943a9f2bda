"""Follows a page as a reader would: writes its files, runs its scripts, and compares what is printed with the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import fences
from tests.pipeline.workspace import Workspace

_WHO = {f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Tour:
    """A fresh clone, in a home of its own."""

    def __init__(self, folder, overrides=None, task="vibration", base=None):
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.workspace = Workspace(folder / "tailgate", overrides or {}, task, base or {})
        self.path = self.workspace.path

    def sh(self, script):
        """Run a script until something fails; return its exit code and what it printed."""
        environment = {
            **os.environ,
            **_WHO,
            "HOME": str(self.home),
            "GIT_EDITOR": "sh -c 'echo A change > \"$1\"' --",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "120",
            "MLFLOW_TRACKING_URI": "",  # the tests keep no record unless they say so
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def follow(self, page):
        """Do what a page says."""
        printed = ""
        for fence in fences(page):
            if fence.title is not None:
                (self.path / fence.title).write_text(fence.text)
            elif fence.language == "sh":
                code, printed = self.sh(fence.text)
                assert code == 0, f"{fence.text}\n{printed}"
            elif fence.language == "text":
                assert missing(fence.text, printed) == [], printed


def missing(shown, printed):
    """Return the lines that are shown and were not printed; an ellipsis stands for anything."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    wanted = [" ".join(line.split()) for line in shown.splitlines() if line.strip()]
    patterns = {line: re.compile(".*".join(map(re.escape, line.split("…")))) for line in wanted}
    return [line for line in wanted if not any(patterns[line].fullmatch(each) for each in lines)]
