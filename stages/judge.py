"""Judge the scores of any two models of the same examples: the candidate has to keep the tail of the reference."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import yaml

from stages.core.artifacts import json_ready, write_json
from stages.core.bootstrap import Interval, Resampling, draw, intervals
from stages.core.errors import ConfigError, GateRefused
from stages.core.gate import broken, judge, passes, span, table
from stages.core.schema.gate import Gate
from stages.core.schema.threshold import Objective
from stages.core.scores_file import Layout, Pairs, read_pairs
from stages.core.settings import Settings, check
from stages.core.stage import exit_with
from stages.core.tail import Real, Value, compare, compare_weighted, describe, describe_weighted
from stages.core.thresholds import chooser

Metrics = dict[str, float]
GATE = Path("conf/gate/default.yaml")
_SEED = 1


class JudgeSettings(Settings):
    """What is judged by."""

    gate: Gate
    objective: Objective


def main(arguments: argparse.Namespace) -> None:
    """Run the command."""
    given = {"gate": read_gate(arguments.gate), "objective": objective_of(arguments)}
    settings = check(given, JudgeSettings, f"{arguments.gate} and the command line")
    header = None if arguments.header is None else tuple(arguments.header)
    layout = Layout(header, arguments.anomalous, arguments.unit)
    pairs = read_pairs(arguments.reference, arguments.candidate, layout)
    choose = chooser(settings.objective, arguments.hop_s)
    kept, own = (
        choose(side[pairs.labels == 0], side[pairs.labels == 1]) for side in (pairs.reference, pairs.candidate)
    )
    sides = {
        "reference": describe(pairs.reference, pairs.labels, kept, arguments.hop_s),
        "candidate": describe(pairs.candidate, pairs.labels, own, arguments.hop_s),
    }
    cost = compare(pairs.reference, pairs.candidate, pairs.labels, kept, own, arguments.hop_s)
    bounds = bootstrap(pairs, (kept, own), settings.gate, arguments.hop_s)
    rows = judge({"anomalous": cost}, settings.gate, {"anomalous": bounds})
    print(text(pairs, sides, cost, bounds))
    print("\n" + table({"candidate": rows}))
    if arguments.json is not None:
        verdict = {**sides, "cost": cost, "intervals": bounds, "gate": rows, "passed": passes(rows)}
        write_json(arguments.json, json_ready(verdict))
    if not passes(rows):
        raise GateRefused(
            found=f"the candidate does not keep the reference's tail: it fails {broken(rows)}",
            where=", ".join(map(str, arguments.candidate)),
            expected=f"every limit of {arguments.gate}",
            remedy="Look at what moved: the threshold, the healthy scores, or the anomalous ones alone",
        )


def read_gate(path: Path) -> Any:
    """Read the limits, from a file as those of conf/gate."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            found=f"it cannot be read ({' '.join(str(error).split())})",
            where=str(path),
            expected=f"limits by metric, as in {GATE}",
            remedy="Name such a file with --gate",
        ) from None


def objective_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Say the threshold's objective as the configuration would."""
    if arguments.min_recall is not None:
        return {"objective": "recall_at_least", "min_recall": arguments.min_recall}
    per_hour = arguments.false_alarms_per_hour
    if per_hour is not None:
        if not arguments.hop_s > 0:
            raise ConfigError(
                found=f"--false-alarms-per-hour {per_hour:g} without the time between decisions",
                where="the command line",
                expected="--hop-s, in seconds",
                remedy="Add it, or set the threshold by --max-fpr",
            )
        return {"objective": "false_alarms_per_hour", "max_false_alarms_per_hour": per_hour}
    return {"objective": "fpr", "max_fpr": arguments.max_fpr}


def bootstrap(pairs: Pairs, thresholds: tuple[float, float], gate: Gate, hop_s: float) -> dict[str, Interval]:
    """Resample units for the intervals of the costs; without units, nothing says what is independent."""
    if pairs.units is None:
        return {}
    resampling = Resampling(gate.bootstrap.resamples, gate.bootstrap.confidence, _SEED)
    sides = (pairs.reference, pairs.candidate)

    def costs(weights: Real) -> dict[str, Value]:
        described = [describe_weighted(sides[k], pairs.labels, thresholds[k], hop_s, weights) for k in (0, 1)]
        return compare_weighted(*sides, pairs.labels, (described[0], described[1]), weights)

    return intervals(costs, draw(pairs.units, pairs.labels, resampling), resampling)


def text(pairs: Pairs, sides: dict[str, Metrics], cost: Metrics, bounds: dict[str, Interval]) -> str:
    """Lay out both sides, and what the step from one to the other cost."""
    units = "no units named, so no intervals" if pairs.units is None else f"{len(set(pairs.units.tolist()))} units"
    lines = [f"judge: {len(pairs.labels)} examples, {int(pairs.labels.sum())} of them anomalous, {units}", ""]
    lines.append(f"{'':28}{'reference':>12}{'candidate':>12}")
    for name, value in sides["reference"].items():
        lines.append(f"{name:28}{value:12.4g}{sides['candidate'][name]:12.4g}")
    lines += ["", f"{'':28}{'cost':>12}  interval"]
    for name in (name for name in cost if name not in sides["candidate"]):
        lines.append(f"{name:28}{cost[name]:12.4g}  {span(bounds.get(name))}".rstrip())
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the options."""
    options = argparse.ArgumentParser(description=__doc__)
    for side in ("reference", "candidate"):
        options.add_argument(
            f"--{side}", type=Path, nargs="+", required=True, help="CSV files: name, score, label, unit"
        )
    options.add_argument("--header", nargs="+", help="column names of files without a header line")
    options.add_argument("--anomalous", help="regular expression that names of anomalous examples match")
    options.add_argument("--unit", help="regular expression whose match in a name is its unit")
    objective = options.add_mutually_exclusive_group()
    objective.add_argument("--max-fpr", type=float, default=0.05, help="sets both thresholds (default: %(default)s)")
    objective.add_argument("--false-alarms-per-hour", type=float, help="sets both thresholds; needs --hop-s")
    objective.add_argument("--min-recall", type=float, help="sets both thresholds")
    options.add_argument("--hop-s", type=float, default=math.nan, help="seconds between two decisions")
    options.add_argument("--gate", type=Path, default=GATE, help="limits (default: %(default)s)")
    options.add_argument("--json", type=Path, help="file to write the same figures to")
    return options


if __name__ == "__main__":
    exit_with(lambda: main(parser().parse_args()))
