"""What an audit finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: Kinds, in the order in which they are looked for.
Kind = Literal[
    "missing",
    "empty",
    "truncated",
    "swapped",
    "altered",
    "added",
    "unsigned",
    "key",
    "replayed",
    "commit",
    "dirty",
    "lock",
    "dag",
    "contract",
    "golden",
    "dataset",
    "rebuild",
]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as the release says.

    Attributes
    ----------
    file : str
        Relative to the folder of the release, or to the work tree.
    kind : str
    what : str
        A sentence without its stop.
    """

    file: str
    kind: Kind
    what: str


def in_words(findings: Sequence[Finding]) -> str:
    """Return a line per finding."""
    width = max((len(finding.kind) for finding in findings), default=0)
    return "\n".join(f"{finding.kind:{width}}  {finding.file}: {finding.what}" for finding in findings)
