"""Scores that somebody else's models gave to named examples, as CSV files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.errors import RecordingError

_ANOMALOUS = {"1": 1, "anomalous": 1, "anomaly": 1, "true": 1, "0": 0, "healthy": 0, "normal": 0, "false": 0}


@dataclass(frozen=True)
class Layout:
    """How the files are to be read.

    Attributes
    ----------
    header : tuple of str or None
        Column names of files without a header line.
    anomalous : str or None
        Regular expression; an example is anomalous iff its name has a match. None takes the column ``label``.
    unit : str or None
        Regular expression; examples whose names share its match are of one unit. None takes the column ``unit``,
        if there is one.
    """

    header: tuple[str, ...] | None
    anomalous: str | None
    unit: str | None


@dataclass(frozen=True)
class Pairs:
    """The same examples, scored by two models.

    Attributes
    ----------
    reference, candidate : ndarray of float64, shape (examples,)
    labels : ndarray of int8, shape (examples,)
        1 for anomalous.
    units : ndarray of str, shape (examples,), or None
    """

    reference: NDArray[np.float64]
    candidate: NDArray[np.float64]
    labels: NDArray[np.int8]
    units: NDArray[np.str_] | None


def read_pairs(reference: Sequence[Path], candidate: Sequence[Path], layout: Layout) -> Pairs:
    """Read both sides, each of one file or several, and join them by name.

    Labels and units are the reference's; the candidate's files need only names and scores.

    Raises
    ------
    RecordingError
        If a file cannot be read, a column is missing, a name is double or on one side only, a score is no finite
        number, a label is not known, or there is only one class.
    """
    ours, theirs = (pd.concat([_read(path, layout) for path in side]) for side in (reference, candidate))
    for side, table in ((reference, ours), (candidate, theirs)):
        double = table["name"][table["name"].duplicated()]
        _refuse_if(len(double), f"{len(double)} names come twice, the first is {_first(double)}", _where(side))
    joined = ours.merge(theirs, on="name", how="outer", suffixes=("", "_candidate"), indicator=True)
    for side, kind in ((candidate, "left_only"), (reference, "right_only")):
        absent = joined["name"][joined["_merge"] == kind]
        _refuse_if(len(absent), f"it lacks {len(absent)} names that the other has, as {_first(absent)}", _where(side))
    labels = _labels(joined, layout, _where(reference))
    kinds = set(labels.tolist())
    _refuse_if(len(kinds) < 2, f"all {len(labels)} examples are of one class", _where(reference))
    return Pairs(
        reference=joined["score"].to_numpy(dtype=np.float64),
        candidate=joined["score_candidate"].to_numpy(dtype=np.float64),
        labels=labels,
        units=_units(joined, layout, _where(reference)),
    )


def _read(path: Path, layout: Layout) -> pd.DataFrame:
    names = None if layout.header is None else list(layout.header)
    try:
        table = pd.read_csv(path, names=names, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (OSError, ValueError) as error:
        raise _error(f"it cannot be read as CSV ({' '.join(str(error).split())})", str(path)) from None
    absent = [name for name in ("name", "score") if name not in table]
    _refuse_if(len(absent), f"it has no column {' and no column '.join(absent)}, but {list(table)}", str(path))
    scores = pd.to_numeric(table["score"], errors="coerce").astype(np.float64)
    bad = table[~np.isfinite(scores)]
    _refuse_if(
        len(bad),
        f"{len(bad)} scores are no finite number, the first is {_first(bad['score'])} of {_first(bad['name'])}",
        str(path),
    )
    return table.assign(score=scores)


def _labels(table: pd.DataFrame, layout: Layout, where: str) -> NDArray[np.int8]:
    if layout.anomalous is not None:
        return _matching(table["name"], layout.anomalous).notna().to_numpy().astype(np.int8)
    _refuse_if("label" not in table, "it has no column label, and no rule says which names are anomalous", where)
    labels = table["label"].str.strip().str.lower().map(_ANOMALOUS)
    unknown = table["label"][labels.isna()]
    _refuse_if(len(unknown), f"{len(unknown)} labels are not known, the first is {_first(unknown)}", where)
    return labels.to_numpy(dtype=np.int8)


def _units(table: pd.DataFrame, layout: Layout, where: str) -> NDArray[np.str_] | None:
    if layout.unit is None:
        return table["unit"].to_numpy(dtype=np.str_) if "unit" in table else None
    units = _matching(table["name"], layout.unit)
    outside = table["name"][units.isna()]
    _refuse_if(len(outside), f"{len(outside)} names have no unit by {layout.unit!r}, as {_first(outside)}", where)
    return units.to_numpy(dtype=np.str_)


def _matching(names: pd.Series, rule: str) -> pd.Series:
    """Return the match of a rule in each name, None where there is none."""
    try:
        pattern = re.compile(rule)
    except re.error as error:
        raise _error(f"it is no regular expression ({error})", repr(rule)) from None
    found = [pattern.search(name) for name in names]
    return pd.Series([match and match.group() for match in found], index=names.index, dtype=object)


def _first(values: pd.Series) -> str:
    return repr(values.iloc[0]) if len(values) else ""


def _where(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths))


def _refuse_if(wrong: bool | int, found: str, where: str) -> None:
    if wrong:
        raise _error(found, where)


def _error(found: str, where: str) -> RecordingError:
    return RecordingError(
        found=found,
        where=where,
        expected="CSV files with the columns name, score, label (1 or 0) and, if wanted, unit, the same names on both "
        "sides, each once",
        remedy="Correct the files, or say how to read them with --header, --anomalous and --unit",
    )
