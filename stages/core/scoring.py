"""Scores and thresholds of one ONNX model on some windows, in any precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.core.graph.ir import Graph
from stages.core.graph.lower import read_graph
from stages.core.graph.onnx_view import SCORE, SCORE_CODE
from stages.core.graph.reference import FLOAT_HEAD, Head, execute, head_of, score_codes
from stages.core.graph.runtime import run
from stages.core.nets.examples import Examples
from stages.core.thresholds import Choose

#: Windows that the reference interpreter runs at a time: few enough for the caches, many enough for its vectors.
_BLOCK = 64


@dataclass(frozen=True)
class Scored:
    """What a model says of some windows.

    Attributes
    ----------
    logits : ndarray of float64, shape (windows, outputs)
        What the codes stand for.
    codes : ndarray of int32, shape (windows, outputs)
        What the device returns, compares and sends: output codes, an accumulator, or the order key of a float32.
    head : Head
        How codes become logits.
    """

    logits: NDArray[np.float64]
    codes: NDArray[np.int32]
    head: Head = FLOAT_HEAD


@dataclass(frozen=True)
class Threshold:
    """An output says yes to a window iff its score is at least this.

    Attributes
    ----------
    logit : float
        What the code stands for.
    code : int
        In score codes; `Head.never` flags nothing.
    """

    logit: float
    code: int


def score(model: bytes, examples: Examples) -> Scored:
    """Run a model of `stages.core.graph.export` over windows with the reference of its precision.

    That is ONNX Runtime for int8 codes, and the interpreter of `stages.core.graph.reference` for all else.
    """
    graph = read_graph(model)
    if graph.output.dtype == "int8":
        results = run(model, examples.planes, [SCORE, SCORE_CODE])
        return Scored(results[SCORE].astype(np.float64), results[SCORE_CODE].astype(np.int32), head_of(graph))
    codes = codes_of(graph, examples.codes)
    return Scored(head_of(graph).real(codes), codes, head_of(graph))


def codes_of(graph: Graph, windows: NDArray[np.int8]) -> NDArray[np.int32]:
    """Return the score codes that the interpreter gives, shape (windows, outputs); windows as of `execute`."""
    starts = range(0, len(windows), _BLOCK)
    return np.concatenate([score_codes(graph, execute(graph, windows[at : at + _BLOCK])) for at in starts])


def tune(scored: Scored, targets: NDArray[np.int8], choose: Sequence[Choose]) -> list[Threshold]:
    """Set each output's threshold to a score code, the number that ships.

    Parameters
    ----------
    scored : Scored
    targets : ndarray of int8, shape (windows, outputs)
    choose : sequence of callable
        One per output. Each returns the lowest logit that counts; one between two codes is taken up to the next.
    """
    by_output = zip(choose, scored.logits.T, targets.T, strict=True)
    wanted = [objective(logits[target == 0], logits[target != 0]) for objective, logits, target in by_output]
    codes = scored.head.at_least(np.asarray(wanted, dtype=np.float64))
    pairs = zip(scored.head.real(codes).tolist(), codes.tolist(), strict=True)
    return [Threshold(logit, code) for logit, code in pairs]


def write_scores(path: Path, windows: pd.DataFrame, scored: Mapping[str, Scored], outputs: Sequence[str]) -> None:
    """Write scores beside the identity of their windows, as a Parquet file.

    Parameters
    ----------
    path : Path
    windows : DataFrame
        What identifies each window.
    scored : mapping of str to Scored
        By model.
    outputs : sequence of str
        Their names. Columns are ``<model>_<output>`` and, in score codes, ``<model>_<output>_code``.
    """
    columns: dict[str, NDArray[np.generic]] = {}
    for name, each in scored.items():
        for k, output in enumerate(outputs):
            columns[f"{name}_{output}"] = each.logits[:, k]
            columns[f"{name}_{output}_code"] = each.codes[:, k]
    windows.assign(**columns).to_parquet(path, index=False)
