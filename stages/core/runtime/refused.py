"""What the fault gate would refuse of windows that are known to be sound, and how much of that may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import GateRefused
from stages.core.runtime.fault import Cause, Limits, causes_of

_BATCH = 1024


@dataclass(frozen=True)
class Refused:
    """Windows of one class.

    Attributes
    ----------
    windows, refused : int
        All of them, and those that the gate refuses.
    causes : dict of str to int
        Refused windows by cause; a window may have several.
    """

    windows: int
    refused: int
    causes: dict[str, int]

    @property
    def share(self) -> float:
        """Of all windows; 0 if there are none."""
        return self.refused / self.windows if self.windows else 0.0


def refused(
    limits: Sequence[Limits], counts: NDArray[np.integer], labels: NDArray[np.integer], classes: Sequence[str]
) -> dict[str, Refused]:
    """Return what the gate refuses of each class, for what a window's counts are and not for when it comes.

    Parameters
    ----------
    limits : sequence of Limits
        Per channel; none where there is no gate.
    counts : ndarray of int, shape (windows, window, channels)
    labels : ndarray of int, shape (windows,)
        Numbers of classes.
    classes : sequence of str

    Returns
    -------
    dict of str to Refused
        By class, in their order; empty without a gate.
    """
    if not limits:
        return {}
    batches = (causes_of(limits, counts[begin : begin + _BATCH]) for begin in range(0, len(counts), _BATCH))
    causes = np.concatenate([*batches, np.zeros(0, dtype=np.int64)])
    return {name: _count(causes[labels == number]) for number, name in enumerate(classes)}


def _count(causes: NDArray[np.int64]) -> Refused:
    by_cause = {str(cause.name).lower(): int(np.count_nonzero(causes & cause)) for cause in Cause}
    return Refused(len(causes), int(np.count_nonzero(causes)), {name: n for name, n in by_cause.items() if n})


def limit_refused(of_classes: Mapping[str, Refused], max_share: float) -> None:
    """Refuse a fault gate that withholds too much of any class above the first from the network.

    Parameters
    ----------
    of_classes : mapping of str to Refused
        By class, the first of which is never an alarm; empty without a gate.
    max_share : float
        Of the windows of a class.

    Raises
    ------
    GateRefused
        Naming each such class, its share and the causes.
    """
    names = list(of_classes)
    too_many = [name for name in names[1:] if of_classes[name].share > max_share]
    if too_many:
        raise GateRefused(
            found=f"the fault gate refuses {'; '.join(_told(name, of_classes[name]) for name in too_many)}",
            where="the test split, by `stream.limits` of models/convert/contract.json",
            expected=f"at most {max_share:g} of the windows of any class above {names[0]!r} (`validate.max_refused`), "
            "since the network never sees the others",
            remedy="Put recordings like them into the training split, widen the limits by "
            "`runtime.fault_gate.headroom`, or leave the gate out by `runtime.fault_gate: null`",
        )


def _told(name: str, of: Refused) -> str:
    causes = ", ".join(f"{cause} {windows}" for cause, windows in of.causes.items())
    return f"{of.refused} of {of.windows} windows of {name!r}, a share of {of.share:.3g} ({causes})"
