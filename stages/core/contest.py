"""Every model that is compared on a part of the split: the precisions, and the baselines they have to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.core.evaluation import REFERENCE, Evaluation, evaluate
from stages.core.nets.baselines import Logistic, baseline_scores
from stages.core.nets.examples import Examples
from stages.core.scoring import Scored, score


@dataclass(frozen=True)
class Contest:
    """The contestants.

    Attributes
    ----------
    models : mapping of str to bytes
        ONNX by precision; ``float`` and the rungs of the ladder.
    logistic : sequence of Logistic
        One per output.
    thresholds : mapping of str to sequence of float
        Of every model, one per output, as val gave them.
    outputs : tuple of str
        Names of the outputs.
    """

    models: Mapping[str, bytes]
    logistic: Sequence[Logistic]
    thresholds: Mapping[str, Sequence[float]]
    outputs: tuple[str, ...]

    def judge(self, examples: Examples) -> tuple[dict[str, Scored], Evaluation]:
        """Score every model on some windows.

        Returns
        -------
        scored : dict of str to Scored
            By precision.
        evaluation : Evaluation
            Of precisions and baselines.
        """
        scored = {name: score(model, examples) for name, model in self.models.items()}
        scores = {name: each.logits for name, each in scored.items()} | baseline_scores(examples.codes, self.logistic)
        rungs = [name for name in self.models if name != REFERENCE]
        return scored, evaluate(scores, self.thresholds, examples.targets, self.outputs, rungs)
