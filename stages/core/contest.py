"""Every model that is compared on a part of the split: the precisions, and the baselines they have to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.core.artifacts import read_json
from stages.core.bootstrap import Resampling
from stages.core.classes import Classification, classify, decide, rejection
from stages.core.evaluation import REFERENCE, Evaluation, evaluate
from stages.core.graph.onnx_view import read_model
from stages.core.nets.baselines import Logistic, baseline_scores
from stages.core.nets.examples import Examples
from stages.core.schema.labels import Kind, Labels
from stages.core.schema.threshold import Reject
from stages.core.scoring import Scored, score
from stages.core.thresholds import Rejection


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
    classes : tuple of str
        The outputs are named after those above the first.
    kind : {"ordered", "exclusive"}
        How they relate.
    reject : Reject or None
        When a decision is withheld.
    limits : mapping of str to float
        Of the confidence that a decision needs, by precision, as val gave them; empty where none is withheld.
    """

    models: Mapping[str, bytes]
    logistic: Sequence[Logistic]
    thresholds: Mapping[str, Sequence[float]]
    classes: tuple[str, ...]
    kind: Kind
    reject: Reject | None
    limits: Mapping[str, float]

    def judge(self, examples: Examples, resampling: Resampling | None = None) -> tuple[dict[str, Scored], Evaluation]:
        """Score every model on some windows.

        Parameters
        ----------
        examples : Examples
        resampling : Resampling, optional
            How intervals are made; None makes none.

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
        given = (scores, self.thresholds, examples.targets, self.classes[1:], rungs)
        return scored, evaluate(*given, examples.origins, resampling)

    def tell(self, scored: Mapping[str, Scored], examples: Examples) -> dict[str, Classification]:
        """Say how well each precision's decisions tell the classes."""
        return {
            name: classify(decide(each.logits, self.thresholds[name], self.kind), examples.labels, self.classes)
            for name, each in scored.items()
        }

    def withhold(self, scored: Mapping[str, Scored], examples: Examples) -> dict[str, Rejection]:
        """Say what withholding the unsure decisions leaves; nothing where none is withheld."""
        if self.reject is None:
            return {}
        decided = {name: (each.logits, self.thresholds[name], examples.labels) for name, each in scored.items()}
        return {name: rejection(*each, self.reject, self.kind, self.limits[name]) for name, each in decided.items()}


def read_contest(train: Path, quantize: Path, labels: Labels) -> Contest:
    """Collect precisions and baselines from the output folders of the stages that made them."""
    trained = read_json(train / "metrics.json")
    tuned = read_json(quantize / "thresholds.json")
    thresholds = {name: [each["logit"] for each in by_output] for name, by_output in tuned.items()}
    thresholds |= {name: [of["threshold"] for of in trained[name].values()] for name in ("energy", "logistic")}
    withheld = read_json(quantize / "reject.json")
    return Contest(
        {name: read_model(quantize / f"{name}.onnx") for name in tuned},
        [Logistic.from_json(each) for each in read_json(train / "baselines.json")["logistic"]],
        thresholds,
        labels.classes,
        labels.kind,
        None if withheld["reject"] is None else Reject.model_validate(withheld["reject"]),
        {name: each["limit"] for name, each in withheld["rungs"].items()},
    )
