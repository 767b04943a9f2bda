"""What is different between two releases, and whether the later one may follow the earlier one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from stages.core.schema.release import Regression

Manifest = Mapping[str, Any]

#: What a host or a device that was made for the earlier contracts relies on: part of which contract, and place in it.
_INTERFACE = (
    ("preprocess", "channels"),
    ("preprocess", "sample_rate_hz"),
    ("preprocess", "window"),
    ("preprocess", "hop"),
    ("model", "labels"),
    ("model", "input/shape"),
    ("model", "output/shape"),
    ("model", "output/meaning"),
    ("model", "score_code/dtype"),
    ("model", "score_code/meaning"),
    ("model", "decision/class"),
)
#: Parts of the contracts whose keys follow from the network, and not from what a contract is.
_FREE = {"operators", "weights", "codes", "extractor", "limits", "normalise", "sample_type"}
#: Where stages write: what changed there is said under the other headings.
_MADE = ("data/", "models/")


@dataclass(frozen=True)
class Change:
    """One thing that is different.

    Attributes
    ----------
    heading : str
        ``release``, ``data``, ``config``, ``code``, ``contracts``, ``scores``, ``size`` or ``instructions``.
    place : str
    before, after : Any
        None where there is no such place.
    """

    heading: str
    place: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Flip:
    """A window that the two releases decide differently.

    Attributes
    ----------
    session_id : str
    start : int
        Its first sample.
    output : str
    is_positive : bool
        Whether the later release says yes.
    before, after : float
        Logits above the threshold.
    """

    session_id: str
    start: int
    output: str
    is_positive: bool
    before: float
    after: float


@dataclass(frozen=True)
class Limit:
    """A rule for a release that follows another, and whether it is kept; NaN where there is nothing to compare.

    Attributes
    ----------
    rule : str
    value, maximum : float
    """

    rule: str
    value: float
    maximum: float

    @property
    def holds(self) -> bool:
        """Whether the value is known and no more than the maximum."""
        return self.value <= self.maximum


def changes(before: Manifest, after: Manifest) -> list[Change]:
    """Return everything that is different between two manifests, heading by heading."""
    old, new = _headings(before), _headings(after)
    return [
        Change(heading, place, old[heading].get(place), new[heading].get(place))
        for heading in old
        for place in {**old[heading], **new[heading]}
        if old[heading].get(place) != new[heading].get(place)
    ]


def _headings(manifest: Manifest) -> dict[str, dict[str, Any]]:
    results, ships = manifest["results"], manifest["contracts"]["model"]["precision"]
    made_from = manifest["provenance"]["release"]
    boards = results["device"].items()
    counted = {name: {**board, "operations": None} for name, board in _instructions(boards).items()}
    return {
        "release": leaves({"task": manifest["task"], "leaky": manifest["leaky"], **manifest["release"]}),
        "data": {"dataset_id": manifest["dataset_id"]},
        "config": dict(made_from["config"]),
        "code": {path: value for path, value in made_from["deps"].items() if not path.startswith(_MADE)},
        "contracts": leaves(manifest["contracts"]),
        "scores": leaves(results["metrics"]["test"][ships]),
        "size": leaves({name: size["total"] for name, size in results["size"].items()}),
        "instructions": leaves(counted),
    }


def _instructions(boards: Any) -> dict[str, dict[str, Any]]:
    """Return what each emulated board counted; the worst window is that of a stream, if one was run."""
    found = {}
    for name, board in boards:
        if counted := board["instructions"]:
            alone = counted["model"] + counted["preprocess"]
            most = (board.get("stream") or {}).get("most_instructions_per_window", alone)
            found[name] = {**counted, "worst window": most}
    return found


def leaves(value: Any, place: str = "") -> dict[str, Any]:
    """Return the numbers, texts and flags of nested mappings and lists by their place, ``a/b/0``."""
    if isinstance(value, Mapping | list):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        found: dict[str, Any] = {}
        for key, item in items:
            found |= leaves(item, f"{place}/{key}" if place else str(key))
        return found
    return {place: value}


def flips(before: Manifest, after: Manifest, scores: tuple[pd.DataFrame, pd.DataFrame]) -> tuple[int, list[Flip]]:
    """Find the windows that both releases were tested on and decide differently.

    Parameters
    ----------
    before, after : mapping
        Manifests.
    scores : tuple of DataFrame
        `scores.parquet` of both.

    Returns
    -------
    common : int
        Windows that both have.
    flips : list of Flip
        Those of the largest change first.
    """
    both = scores[0].merge(scores[1], on=["session_id", "start"], suffixes=("_before", "_after"))
    found = []
    for k, output in enumerate(after["contracts"]["model"]["labels"][1:]):
        old, new = (
            _above(both, manifest["contracts"]["model"], k, output, side)
            for manifest, side in ((before, "before"), (after, "after"))
        )
        for row in both[(old >= 0) != (new >= 0)].index:
            window = (str(both["session_id"][row]), int(both["start"][row]))
            found.append(Flip(*window, output, bool(new[row] >= 0), float(old[row]), float(new[row])))
    return len(both), sorted(found, key=lambda flip: (-abs(flip.after - flip.before), flip.session_id, flip.start))


def _above(both: pd.DataFrame, contract: Mapping[str, Any], k: int, output: str, side: str) -> pd.Series:
    """Return logits above the threshold."""
    name = f"{contract['precision']}_{output}"
    column = f"{name}_{side}" if f"{name}_{side}" in both else name
    return both[column] - contract["decision"]["threshold_logits"][k]


def follow(before: Manifest, after: Manifest, limits: Regression) -> list[Limit]:
    """Judge a release as the successor of another: versions, costs, and scores.

    Parameters
    ----------
    before, after : mapping
        Manifests.
    limits : Regression
    """
    rows = [Limit("version is not above the one before", float(_version(after) <= _version(before)), 0.0)]
    versions = [each["contracts"]["model"]["interface_version"] for each in (before, after)]
    if versions[0] == versions[1]:
        changed = len(_format(before) ^ _format(after))
        rows.append(Limit("keys of the contracts that changed at the same interface version", float(changed), 0.0))
    if versions[0] == versions[1] and _version(before)[0] == _version(after)[0]:
        places = [place for part, place in _INTERFACE if _at(before, part, place) != _at(after, part, place)]
        what = f"contract changed at the same interface and major version{': ' + ', '.join(places) if places else ''}"
        rows.append(Limit(what, float(len(places)), 0.0))
    return rows + _scores(before, after, limits) + _growth(before, after, limits)


def _version(manifest: Manifest) -> tuple[int, ...]:
    return tuple(int(part) for part in manifest["release"]["version"].split("."))


def _at(manifest: Manifest, part: str, place: str) -> Any:
    value = manifest["contracts"][part]
    for key in place.split("/"):
        value = value[key]
    return value


def _format(manifest: Manifest) -> set[str]:
    places = leaves(manifest["contracts"])
    kept = (place for place in places if not _FREE & set(place.split("/")))
    return {"/".join(part for part in place.split("/") if not part.isdigit()) for place in kept}


def _scores(before: Manifest, after: Manifest, limits: Regression) -> list[Limit]:
    rules = (
        ("auc", -1, limits.auc_drop_max),
        ("tpr_at_threshold", -1, limits.tpr_at_threshold_drop_max),
        ("fpr_at_threshold", 1, limits.fpr_at_threshold_rise_max),
    )
    old, new = (each["results"]["metrics"]["test"][each["contracts"]["model"]["precision"]] for each in (before, after))
    rows = []
    for output in new:
        for name, sign, maximum in rules:
            pair = [side.get(output, {}).get(name) for side in (old, new)]
            change = math.nan if None in pair else sign * (pair[1] - pair[0])
            rows.append(Limit(f"{output}: {name} {'rise' if sign > 0 else 'drop'}", change, maximum))
    return rows


def _growth(before: Manifest, after: Manifest, limits: Regression) -> list[Limit]:
    rows = []
    old, new = (_costs(each) for each in (before, after))
    for place in new:
        if place in old:
            growth = (new[place] - old[place]) / old[place]
            rows.append(Limit(f"{place}: growth", growth, getattr(limits, f"{place.split()[-1]}_growth_max")))
    return rows


def _costs(manifest: Manifest) -> dict[str, float]:
    results = manifest["results"]
    sizes = {name: size["total"] for name, size in results["size"].items() if results["device"][name]["instructions"]}
    costs = {f"{name} {kind}": size[f"{kind}_bytes"] for name, size in sizes.items() for kind in ("flash", "ram")}
    counted = _instructions(results["device"].items())
    return costs | {f"{name} instructions": each["worst window"] for name, each in counted.items()}
