"""What every stage does around its work: arguments in, one clear paragraph and an exit code on failure."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from stages.core.errors import TailgateError


def run(main: Callable[[argparse.Namespace], str], *inputs: str) -> None:
    """Parse the paths that `dvc.yaml` passes, run the stage, and print its closing line.

    Parameters
    ----------
    main : callable
        Takes the parsed paths (``config``, one per input, ``out``) and returns the closing line.
    *inputs : str
        Names of the earlier stages whose output folders are read, each passed as ``--<name> PATH``.
    """
    module = sys.modules[main.__module__]
    parser = argparse.ArgumentParser(description=module.__doc__)
    for name in ("config", *inputs, "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    exit_with(lambda: print(main(parser.parse_args())))


def exit_with(action: Callable[[], None]) -> None:
    """Run a command; on a `TailgateError`, print it as one paragraph and exit with its code."""
    try:
        action()
    except TailgateError as error:
        print(textwrap.fill(f"error: {error}", width=110, break_on_hyphens=False), file=sys.stderr)
        sys.exit(error.exit_code)
