"""Scores and thresholds of one ONNX model on some windows, float or int8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from stages.core.graph.export import SCORE, SCORE_CODE
from stages.core.graph.ir import Tensor
from stages.core.graph.lower import lower
from stages.core.graph.runtime import run
from stages.core.nets.examples import Examples
from stages.core.thresholds import threshold_at_fpr


@dataclass(frozen=True)
class Scored:
    """What a model says of some windows.

    Attributes
    ----------
    logits : ndarray of float64, shape (windows, outputs)
        For an int8 model, what its codes stand for.
    codes : ndarray of int8, shape (windows, outputs), or None
        What the device returns; None for a float model.
    output : Tensor or None
        Scale and zero point of the codes.
    """

    logits: NDArray[np.float64]
    codes: NDArray[np.int8] | None
    output: Tensor | None


@dataclass(frozen=True)
class Threshold:
    """A window is of the output's class or a more severe one iff its score is at least this.

    Attributes
    ----------
    logit : float
    code : int or None
        The same for an int8 model, as an output code from -127 to 128; 128 flags nothing.
    """

    logit: float
    code: int | None


def score(model: bytes, examples: Examples) -> Scored:
    """Run a model of `stages.core.graph.export` over windows with the reference runtime."""
    loaded = onnx.load_from_string(model)
    results = run(model, examples.planes, [output.name for output in loaded.graph.output])
    logits = results[SCORE].astype(np.float64)
    if SCORE_CODE not in results:
        return Scored(logits, None, None)
    return Scored(logits, results[SCORE_CODE], lower(loaded).output)


def tune(scored: Scored, targets: NDArray[np.int8], max_fpr: float) -> list[Threshold]:
    """Set each output's threshold on the scores that ship: codes for an int8 model, logits for a float one.

    Parameters
    ----------
    scored : Scored
    targets : ndarray of int8, shape (windows, outputs)
    max_fpr : float
        Largest share, of the windows below an output's class, that may reach its threshold.
    """
    return [_tune_output(scored, output, below, max_fpr) for output, below in enumerate(targets.T == 0)]


def _tune_output(scored: Scored, output: int, below: NDArray[np.bool_], max_fpr: float) -> Threshold:
    if scored.codes is None or scored.output is None:
        return Threshold(threshold_at_fpr(scored.logits[below, output], max_fpr), None)
    code = threshold_at_fpr(scored.codes[below, output], max_fpr)
    # In float32, as DequantizeLinear computes the logits that this is compared with.
    logit = np.float32(code - scored.output.zero_point) * np.float32(scored.output.scale)
    return Threshold(float(logit), int(code))


def score_columns(scored: Mapping[str, Scored], outputs: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    """Lay scores out as columns of a table: ``<model>_<output>``, and ``.._code`` for an int8 model."""
    columns: dict[str, NDArray[np.generic]] = {}
    for name, each in scored.items():
        for k, output in enumerate(outputs):
            columns[f"{name}_{output}"] = each.logits[:, k]
            if each.codes is not None:
                columns[f"{name}_{output}_code"] = each.codes[:, k]
    return columns
