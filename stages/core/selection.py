"""Which precision ships: every rung at thresholds of its own on val, held against float, judged by the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.core.bootstrap import Resampling
from stages.core.classes import rejection
from stages.core.evaluation import Evaluation, evaluate
from stages.core.gate import Row, judge, passes
from stages.core.nets.examples import Examples
from stages.core.schema.gate import Gate
from stages.core.schema.labels import Labels
from stages.core.schema.threshold import Threshold as Objectives
from stages.core.scoring import Scored, Threshold, tune
from stages.core.thresholds import Rejection, choosers


@dataclass(frozen=True)
class Selection:
    """What val says of the rungs.

    Attributes
    ----------
    thresholds : dict of str to list of Threshold
        Of every precision, one per output.
    rejections : dict of str to Rejection
        From how sure a decision must be to be made; empty where none is withheld.
    evaluation : Evaluation
    verdicts : dict of str to list of Row
        In the order of the ladder.
    """

    thresholds: dict[str, list[Threshold]]
    rejections: dict[str, Rejection]
    evaluation: Evaluation
    verdicts: dict[str, list[Row]]

    @property
    def selected(self) -> str | None:
        """The first rung that passes the gate."""
        return next((name for name, rows in self.verdicts.items() if passes(rows)), None)


def select(
    scored: Mapping[str, Scored],
    val: Examples,
    rungs: Sequence[str],
    labels: Labels,
    objectives: Objectives,
    gate: Gate,
    seed: int,
) -> Selection:
    """Set thresholds on val, compare with float, and judge.

    Parameters
    ----------
    scored : mapping of str to Scored
        Of val; ``float`` and every rung that could be made.
    val : Examples
    rungs : sequence of str
        The ladder, as far as it could be made.
    labels : Labels
    objectives : schema.threshold.Threshold
    gate : Gate
    seed : int
        Of the resampling.
    """
    outputs = labels.classes[1:]
    choose = choosers(objectives, outputs, val.hop_s)
    thresholds = {name: tune(each, val.targets, choose) for name, each in scored.items()}
    logits = {name: each.logits for name, each in scored.items()}
    at = {name: [threshold.logit for threshold in each] for name, each in thresholds.items()}
    resampling = Resampling(gate.bootstrap.resamples, gate.bootstrap.confidence, seed)
    evaluation = evaluate(logits, at, val.targets, outputs, rungs, val.origins, resampling)
    costs, spans = evaluation.costs, evaluation.cost_intervals
    verdicts = {name: judge(costs[name], gate, spans.get(name)) for name in rungs}
    reject = objectives.reject
    sure = {} if reject is None else {n: rejection(logits[n], at[n], val.labels, reject, labels.kind) for n in scored}
    return Selection(thresholds, sure, evaluation, verdicts)
