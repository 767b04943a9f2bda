"""Find the runs that made a file, by its hash or by the hash that it carries, and send records that wait."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from stages.core.errors import ArtifactError
from stages.core.stage import exit_with
from stages.core.tracking.delivery import deliver, try_to_deliver
from stages.core.tracking.lookup import Clue, Found, clues, search
from stages.core.tracking.store import address, reason


def find(what: str) -> None:
    """Look a file or a hash up, and print what the record knows."""
    wanted = clues(what)
    try_to_deliver()
    found = search(wanted)
    if not found:
        raise ArtifactError(
            found=f"no run on record made it ({', '.join(f'{each.what} {each.digits[:12]}' for each in wanted)})",
            where=what,
            expected=f"the output of a stage that was recorded at {address()}",
            remedy="Look whether it was altered, or set MLFLOW_TRACKING_URI to the record of where it was made",
        )
    show(wanted, found)


def show(wanted: Sequence[Clue], found: Sequence[Found]) -> None:
    """Print for each hash that was looked up a row per run."""
    console = Console()
    console.width = max(console.width, 160)
    for clue in wanted:
        console.print(f"{clue.what}: {clue.digits}", highlight=False, markup=False)
        table = Table("made", "stage", "task", "commit", "began (UTC)", "in", "status", "run")
        for column in table.columns:
            column.overflow = "fold"
        for each in found:
            if each.clue == clue:
                at = f"{each.start:%Y-%m-%d %H:%M:%S}"
                changed = "+" if (each.commit or "").endswith("+") else ""
                commit = f"{(each.commit or '')[:12]}{changed}"
                table.add_row(each.made, each.stage, each.task, commit, at, each.parent, each.status, each.run_id)
        console.print(table if table.rows else "no run on record made it")


def send() -> None:
    """Send the records that wait."""
    try:
        sent = deliver()
    except Exception as error:
        raise ArtifactError(
            found=f"it takes no record ({reason(error)})",
            where=address(),
            expected="the MLflow that keeps the record",
            remedy="Start the server, or set MLFLOW_TRACKING_URI to where the record is; the records stay on disk",
        ) from None
    print(f"find: {sent} record(s) sent to {address()}")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", help="file, or 8 to 64 hex digits of a SHA-256")
    parser.add_argument("--deliver", action="store_true", help="send the records that wait, from when MLflow was down")
    arguments = parser.parse_args()
    if arguments.deliver:
        send()
    if arguments.what is not None:
        find(arguments.what)
    elif not arguments.deliver:
        parser.error("name a file or a hash, or say --deliver")


if __name__ == "__main__":
    exit_with(main)
