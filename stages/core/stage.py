"""What every stage does around its work: arguments in, progress shown, failures said in one paragraph."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

from rich.console import Console
from rich.progress import Progress, track

from stages.core.errors import ArtifactError, TailgateError

T = TypeVar("T")


def run(main: Callable[[argparse.Namespace], str], *inputs: str) -> None:
    """Parse the paths that `dvc.yaml` passes, run the stage, and print its closing line.

    Parameters
    ----------
    main : callable
        Takes the parsed paths (``config``, one per input, ``out``) and returns the closing line.
    *inputs : str
        Names of the further paths, each passed as ``--<name> PATH``.
    """
    module = sys.modules[main.__module__]
    parser = argparse.ArgumentParser(description=module.__doc__)
    for name in ("config", *inputs, "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    exit_with(lambda: print(main(parser.parse_args())))


def exit_with(action: Callable[[], None]) -> None:
    """Run a command; on an error that the user can act on, print it as one paragraph and exit with its code."""
    try:
        action()
    except TailgateError as error:
        _fail(error)
    except OSError as error:
        if error.filename is None:
            raise
        _fail(_unusable(error))


def _fail(error: TailgateError) -> NoReturn:
    # A path longer than a line stays whole, to be copied.
    lines = textwrap.wrap(str(error), 110, initial_indent="error: ", break_long_words=False, break_on_hyphens=False)
    print("\n".join(lines), file=sys.stderr)
    sys.exit(error.exit_code)


def _unusable(error: OSError) -> ArtifactError:
    return ArtifactError(
        found=f"the system says {error.strerror!r}",
        where=str(error.filename),
        expected="what earlier stages made, readable, and room to write",
        remedy="Run `dvc repro`, which makes what is missing; look at permissions and free space",
    )


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterable[T]:
    """Show a bar over items on a terminal, and nothing in a log."""
    return track(items, what, total=total, console=Console(stderr=True), transient=True, disable=_in_a_log())


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[], None]]:
    """Give a function that moves a bar by one step, where the steps are not a loop of ours."""
    with Progress(console=Console(stderr=True), transient=True, disable=_in_a_log()) as bars:
        bar = bars.add_task(what, total=total)
        yield lambda: bars.advance(bar)


def _in_a_log() -> bool:
    return not sys.stderr.isatty()
