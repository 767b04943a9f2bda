"""What tells the classes apart besides the signal: a model would learn it instead of the machine.

References
----------
.. [1] W. Bergsma, "A bias-correction for Cramer's V and Tschuprow's T", Journal of the Korean Statistical
       Society 42 (2013), 323-328.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.metrics import roc_auc_score

from stages.core.errors import RecordingError
from stages.core.schema.quality import Artefacts


@dataclass(frozen=True)
class Graded:
    """What the search for artefacts needs of a session.

    Attributes
    ----------
    label : str
        The most severe class of its spans.
    flags : dict of str to float
    facts : dict of str to str
    """

    label: str
    flags: dict[str, float]
    facts: dict[str, str]


@dataclass(frozen=True)
class Artefact:
    """How well one flag or fact tells the classes apart.

    Attributes
    ----------
    name : str
    measure : str
        ``auc`` of a flag (of the two classes that it separates best) or ``association`` of a fact.
    value, limit : float
    by_class : str
        The medians or values per class, to be read.
    found : bool
        Above the limit and, for a flag, of material difference.
    allowed : bool
    """

    name: str
    measure: str
    value: float
    limit: float
    by_class: str
    found: bool
    allowed: bool


def find_artefacts(sessions: Sequence[Graded], classes: tuple[str, ...], config: Artefacts) -> list[Artefact]:
    """Measure every flag and every fact against the classes.

    Parameters
    ----------
    sessions : sequence of Graded
        Those that are used.
    classes : tuple of str
    config : Artefacts

    Returns
    -------
    list of Artefact
        Flags, then facts; empty if there are sessions of one class only.
    """
    sessions = [session for session in sessions if session.label in classes]
    present = [label for label in classes if any(session.label == label for session in sessions)]
    if len(present) < 2:
        return []
    flags = [_flag(sessions, present, name, config) for name in type(config.material).model_fields]
    labels = [session.label for session in sessions]
    facts = []
    for name in sessions[0].facts:
        values = [session.facts[name] for session in sessions]
        value, limit = association(values, labels), config.max_association
        by_class = values_by_class(values, labels)
        facts.append(Artefact(name, "association", value, limit, by_class, value > limit, name in config.allow))
    return [*flags, *facts]


def _flag(sessions: Sequence[Graded], classes: list[str], name: str, config: Artefacts) -> Artefact:
    """Take the two classes that the flag ranks best, of those whose medians differ if any do."""
    of = {label: [session.flags[name] for session in sessions if session.label == label] for label in classes}
    medians = {label: float(np.median(values)) for label, values in of.items()}
    pairs = []
    for one, other in combinations(classes, 2):
        material = abs(medians[one] - medians[other]) > getattr(config.material, name)
        ranked = roc_auc_score([0] * len(of[one]) + [1] * len(of[other]), of[one] + of[other])
        pairs.append((material, max(float(ranked), 1 - float(ranked))))
    material, auc = max(pairs)
    by_class = ", ".join(f"{label} {median:.4g}" for label, median in medians.items())
    found = material and auc > config.max_auc
    return Artefact(name, "auc", auc, config.max_auc, f"median of {by_class}", found, name in config.allow)


def association(values: Sequence[str], labels: Sequence[str]) -> float:
    """Measure how far two categories go together: Cramer's V with bias correction ([1]_, eq. 7).

    The correction matters where values are many and sessions few: a serial number of its own for each session
    says nothing of the class.

    Parameters
    ----------
    values, labels : sequence of str
        One each per session.

    Returns
    -------
    float
        0 (none, or too few sessions to say) .. 1 (each value has one class).
    """
    rows, columns = sorted(set(values)), sorted(set(labels))
    n = len(values)
    if len(rows) < 2 or len(columns) < 2:
        return 0.0
    table = np.zeros((len(rows), len(columns)))
    for (value, label), count in Counter(zip(values, labels, strict=True)).items():
        table[rows.index(value), columns.index(label)] = count
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi2 = float(((table - expected) ** 2 / expected).sum()) / n
    r, k = table.shape
    corrected = max(0.0, phi2 - (r - 1) * (k - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return min(1.0, float(np.sqrt(corrected / smaller))) if smaller > 0 else 0.0


def values_by_class(values: Iterable[str], labels: Iterable[str]) -> str:
    """Say how often each value has each class: ``"12000 (48 anomalous), 48000 (10 healthy)"``."""
    counts = Counter(zip(values, labels, strict=True))
    said = []
    for value in sorted({value for value, _ in counts}):
        of = ", ".join(f"{count} {label}" for (other, label), count in sorted(counts.items()) if other == value)
        said.append(f"{value or 'none'} ({of})")
    return ", ".join(said[:8]) + (f" and {len(said) - 8} more" if len(said) > 8 else "")


def require_none(artefacts: Sequence[Artefact]) -> None:
    """Stop at artefacts that are not allowed by name.

    Raises
    ------
    RecordingError
        Names each with its values per class.
    """
    bad = [artefact for artefact in artefacts if artefact.found and not artefact.allowed]
    if bad:
        raise RecordingError(
            found="; ".join(f"{of.name} tells the class ({of.measure} {of.value:.3g}: {of.by_class})" for of in bad),
            where="the recordings",
            expected="flags and facts that do not tell the class, within the limits of capture.artefacts",
            remedy="A model would learn this instead of the machine: record or export all classes alike, or, if it "
            f"cannot reach the model, set capture.artefacts.allow: [{', '.join(of.name for of in bad)}]",
        )


def require_one_signal(sessions: Sequence[Graded]) -> None:
    """Stop if the sessions do not mean the same by a sample.

    Raises
    ------
    RecordingError
        Names the fact, its values per class, and whether it tells the class.
    """
    labels = [session.label for session in sessions]
    for name in ("sample_rate_hz", "channels", "unit", "counts_per_unit"):
        values = [session.facts[name] for session in sessions]
        if len(set(values)) > 1:
            separates = len(set(labels)) > 1 and len(set(zip(values, labels, strict=True))) == len(set(values))
            raise RecordingError(
                found=f"{name} differs between recordings: {values_by_class(values, labels)}"
                + ("; it goes with the class: a model could read it instead of the signal" if separates else ""),
                where="the recordings",
                expected="one sample rate, channel order, unit and gain in a data set",
                remedy="Resample or convert the recordings at the source, or leave one kind out",
            )
