"""What the overview says, of files that stages wrote; nothing is measured again."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from stages.core.artifacts import read_json
from stages.core.manifest import paths_of

#: Parts of a board's budget, and where `device.json` says what is used of it.
_BUDGET = {
    "flash_bytes": ("flash", ("flash_bytes",)),
    "ram_bytes": ("RAM with stack", ("ram_bytes",)),
    "arena_bytes": ("arena", ("arena_high_water_bytes",)),
    "stack_bytes": ("deepest stack", ("stream", "stack_used_bytes")),
    "instructions_per_window": ("window, instructions", ("stream", "most_instructions_per_window")),
    "load": ("window, share of a hop", ("stream", "load")),
}

#: Metrics of the gate that are this where nothing is lost; others are 0.
_KEPT = {"compression": 1.0, "separation_retention": 1.0, "event_recall": 1.0}

#: What a window takes, in order.
_STEPS = ("take", "gate", "preprocess", "model", "decide")


@dataclass(frozen=True)
class Use:
    """How much of one limit of a board is used.

    Attributes
    ----------
    what : str
    used, limit : float
        Bytes, instructions, or parts of 1.
    """

    what: str
    used: float
    limit: float

    @property
    def share(self) -> float:
        """Part of the limit, 1 being all of it."""
        return self.used / self.limit

    @property
    def is_part(self) -> bool:
        """Whether the figures are parts of 1."""
        return self.limit <= 1


@dataclass(frozen=True)
class Node:
    """A stage of the DAG.

    Attributes
    ----------
    name : str
    reads : tuple of int
        Places of the stages whose outputs it depends on.
    files, n_bytes : int
        What it wrote.
    """

    name: str
    reads: tuple[int, ...]
    files: int
    n_bytes: int


@dataclass(frozen=True)
class Judged:
    """What is known once the gate has judged; `dict` fields are the JSON of the file of that name."""

    task: str
    version: str
    leaky: bool
    simulated: bool
    classes: Sequence[str]
    ordered: bool
    dataset: dict[str, Any]
    split: dict[str, Any]
    proof: dict[str, Any]
    scaling: dict[str, Any]
    history: list[dict[str, float]]
    gate: dict[str, Any]
    thresholds: dict[str, Any]
    layers: dict[str, Any]
    val: pd.DataFrame
    pictures: dict[str, bytes]
    nodes: list[Node]

    @property
    def outputs(self) -> Sequence[str]:
        """The classes that the network has an output for."""
        return self.classes[1:]

    @property
    def rungs(self) -> list[str]:
        """The precisions that were judged, in the order of the ladder."""
        return [rung for rung in self.gate["ladder"] if rung in self.gate["rungs"]]

    @property
    def refused(self) -> dict[str, list[dict[str, Any]]]:
        """Limits that were broken, of precisions that come before the one that ships; of all if none does."""
        ladder, ships = self.gate["ladder"], self.gate["selected"]
        before = ladder[: ladder.index(ships)] if ships in ladder else ladder
        judged = {rung: self.gate["rungs"].get(rung, []) for rung in before}
        return {rung: [row for row in rows if not row["passed"]] for rung, rows in judged.items()}


@dataclass(frozen=True)
class Overview(Judged):
    """Everything that the page and the screen of a release are made of."""

    contract: dict[str, Any]
    size: dict[str, Any]
    metrics: dict[str, Any]
    intervals: dict[str, Any]
    parity: list[dict[str, Any]]
    device: dict[str, Any]
    price: dict[str, Any]
    replay: dict[str, Any]
    boards: dict[str, Any]
    scores: pd.DataFrame
    curves: pd.DataFrame

    @property
    def ships(self) -> str:
        """The precision that ships."""
        return str(self.gate["selected"])

    def uses(self, board: str) -> list[Use]:
        """Return what the release uses of each limit of an emulated board."""
        limits = self.boards[board]["budget"]
        found = ((key, what, _at(self.device[board], places)) for key, (what, places) in _BUDGET.items())
        return [Use(what, used, limits[key]) for key, what, used in found if used is not None]

    def instructions(self, board: str) -> list[tuple[str, int]]:
        """Return the most instructions of each step of a window, and of each layer, in the order of execution."""
        row = self.device[board]
        layers = [operator["name"] for operator in self.contract["operators"]]
        steps, operations = row["stream"]["most_instructions"], row["instructions"]["operations"]
        found = [(name, steps[name]) for name in sorted(steps, key=_place_in(_STEPS))]
        return found + [(f"model: {name}", operations[name]) for name in sorted(operations, key=_place_in(layers))]

    @property
    def budgeted(self) -> list[str]:
        """The boards that have limits."""
        return [name for name in self.device if "budget" in self.boards[name]]

    @property
    def agreements(self) -> list[dict[str, Any]]:
        """The comparisons of what ships; those of other precisions are named ``execution, precision: ...``."""
        return [row for row in self.parity if "," not in row["name"].split(":")[0]]


def tightest(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the row that uses most of what its limit allows to be lost; None without limits on a loss."""
    shares = [(share, -k) for k, row in enumerate(rows) if (share := _share(row)) is not None]
    return rows[-max(shares)[1]] if shares else None


def _share(row: Mapping[str, Any]) -> float | None:
    """Return what part of the allowed loss is used; None of a figure that is not a loss, such as an AUC."""
    nothing_lost = _KEPT.get(row["metric"], 0.0)
    if row["value"] is None or (row["maximum"] is None and row["metric"] not in _KEPT):
        return None
    ends = (row["minimum"], row["maximum"])
    lost = row["value"] - nothing_lost
    return max((lost / (end - nothing_lost) for end in ends if end not in {None, nothing_lost}), default=None)


def read_judged(paths: Namespace, config: Mapping[str, Any], stages: Mapping[str, Any], listed: Any) -> Judged:
    """Read what stages up to the gate wrote.

    Parameters
    ----------
    paths : Namespace
        Folders of stages by name.
    config : mapping
        `data/config.yaml`.
    stages : mapping
        Of `dvc.yaml`.
    listed : sequence of dict
        The artifacts of the manifest.
    """
    return Judged(**_judged(paths, config, stages, listed))


def read_overview(paths: Namespace, config: Mapping[str, Any], stages: Mapping[str, Any], listed: Any) -> Overview:
    """Read what all stages before the release wrote; parameters as of `read_judged`."""
    return Overview(
        **_judged(paths, config, stages, listed),
        contract=read_json(paths.convert / "contract.json"),
        size=read_json(paths.build / "size.json"),
        **{name: read_json(paths.validate / f"{name}.json") for name in _VALIDATED},
        boards=config["board"],
        scores=pd.read_parquet(paths.validate / "scores.parquet"),
        curves=pd.read_csv(paths.validate / "roc.csv"),
    )


def _judged(paths: Namespace, config: Mapping[str, Any], stages: Mapping[str, Any], listed: Any) -> dict[str, Any]:
    split, source = read_json(paths.split / "split.json"), str(config["capture"]["source"])
    return {
        "task": config["task"],
        "version": config["release"]["version"],
        "leaky": split["leaky"],
        "simulated": source.startswith("synthetic"),
        "classes": config["labels"]["classes"],
        "ordered": config["labels"]["kind"] == "ordered",
        "dataset": read_json(paths.capture / "dataset.json"),
        "split": split,
        "proof": read_json(paths.split / "proof.json"),
        "scaling": read_json(paths.features / "report.json"),
        "history": read_json(paths.train / "history.json"),
        **{name: read_json(paths.quantize / f"{name}.json") for name in ("gate", "thresholds", "layers")},
        "val": pd.read_parquet(paths.quantize / "scores.parquet"),
        "pictures": {path.stem: path.read_bytes() for path in _pictures(paths) if path.is_file()},
        "nodes": nodes(stages, listed),
    }


_VALIDATED = ("metrics", "intervals", "parity", "device", "price", "replay")


def _pictures(paths: Namespace) -> list[Path]:
    capture = [paths.capture / "signals.png", paths.capture / "flags.png"]
    return [*capture, paths.features / "scaling.png", paths.convert / "plan.png", paths.validate / "timeline.png"]


def nodes(stages: Mapping[str, Any], listed: Sequence[Mapping[str, Any]]) -> list[Node]:
    """Return the stages of a DAG in order, with what each reads of the others.

    Parameters
    ----------
    stages : mapping
        Of `dvc.yaml`.
    listed : sequence of dict
        Artifacts with ``stage`` and ``bytes``.
    """
    makers = {out: k for k, stage in enumerate(stages.values()) for out in paths_of(stage.get("outs", []))}
    found = []
    for name, stage in stages.items():
        inputs = paths_of(stage.get("deps", [])) + [
            entry for entry in stage.get("params", []) if isinstance(entry, str)
        ]
        inputs += [path for entry in stage.get("params", []) if isinstance(entry, dict) for path in entry]
        sizes = [entry["bytes"] for entry in listed if entry["stage"] == name]
        reads = tuple(sorted({makers[path] for path in inputs if path in makers}))
        found.append(Node(name, reads, len(sizes), sum(sizes)))
    return found


def _place_in(order: Sequence[str]) -> Callable[[str], tuple[int, str]]:
    return lambda name: (order.index(name) if name in order else len(order), name)


def _at(value: Any, places: Sequence[str]) -> Any:
    for place in places:
        value = (value or {}).get(place)
    return value
