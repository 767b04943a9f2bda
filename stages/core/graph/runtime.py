"""ONNX Runtime, set up as the host reference: sessions whose int8 results are the integer formula's, exactly.

An int8 QDQ graph may be run in two ways. Unfused, each layer is computed in float between a DequantizeLinear and a
QuantizeLinear, and now and then an output falls on the other side of a rounding step. Fused, each layer is one integer
operator that requantises with a multiplier, as `ir` says. The fused way is the reference: the interpreter in
`reference` and the device equal it in every code of every tensor. Two settings make it so on x86-64:

- Graph optimisation EXTENDED, the level that fuses.
- ``session.qdqisint8allowed = 1``. By default activations are turned into uint8 there, which leaves every layer that
  touches an int8 graph input or output in float; and uint8 by int8 products saturate in pairs on CPUs without VNNI.
  Signed by signed products take a path that does not saturate on any of them. ``session.x64quantprecision``, the
  usual remedy for that saturation, converts to uint8 and does not load together with this setting.

A head that keeps its int32 accumulator is fused too, and its score is ``float32(acc) * multiplier``, exactly. For int16
activations there are no fused operators: such a graph runs in float, as a float network does, and there the interpreter
is the reference; `ort_gap` says how far away it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from stages.core.graph.ir import Graph
from stages.core.graph.onnx_view import INPUT, SCORE, SCORE_CODE
from stages.core.graph.reference import execute, logits, score_codes


def reference_session(model: bytes, *, fused: bool = True) -> ort.InferenceSession:
    """Open a single-threaded session for one window at a time.

    Parameters
    ----------
    model : bytes
        As `export_onnx` makes it.
    fused : bool
        False gives the other way of running it, to report how far it is from the reference.
    """
    options = ort.SessionOptions()
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_EXTENDED if fused else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(
    model: bytes, codes: NDArray[np.int8], outputs: Sequence[str], *, fused: bool = True
) -> dict[str, NDArray[Any]]:
    """Run a model over windows, one by one, and stack each output.

    Parameters
    ----------
    model : bytes
    codes : ndarray of int8, shape (N, channels, length)
        At least one window; may be memory-mapped.
    outputs : sequence of str
        Names of graph outputs.
    fused : bool
        See `reference_session`.

    Returns
    -------
    dict of str to ndarray, shape (N, ...)
    """
    session = reference_session(model, fused=fused)
    results = [session.run(list(outputs), {INPUT: np.ascontiguousarray(window[None])}) for window in codes]
    return {name: np.concatenate(column) for name, column in zip(outputs, zip(*results, strict=True), strict=True)}


@dataclass(frozen=True)
class OrtGap:
    """How far ONNX Runtime's scores are from the reference interpreter's.

    Attributes
    ----------
    unit : {"lsb", "relative"}
        Output codes for int8 and int16. For an int32 head and for float, the difference of scores as a part of the
        largest score's magnitude.
    largest : float
        The largest difference of any score, in that unit.
    share : float
        Windows of which a score differs at all, from 0 to 1.
    """

    unit: Literal["lsb", "relative"]
    largest: float
    share: float


def ort_gap(model: bytes, graph: Graph, codes: NDArray[np.int8]) -> OrtGap:
    """Compare ONNX Runtime with the reference interpreter on some windows.

    An int8 network and an int32 head must come out at 0; a float network within 1e-5.

    Parameters
    ----------
    model : bytes
    graph : Graph
        The same network, lowered.
    codes : ndarray of int8, shape (N, length, channels)
        At least one window.
    """
    tensors = execute(graph, codes)
    coded = graph.output.dtype in ("int8", "int16")
    found = run(model, codes.transpose(0, 2, 1), [SCORE_CODE if coded else SCORE])
    expected = score_codes(graph, tensors) if coded else logits(graph, tensors)
    difference = np.abs(next(iter(found.values())).astype(np.float64) - expected)
    unit = 1.0 if coded else max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))
    share = float(np.mean(difference.max(axis=1) > 0))
    return OrtGap("lsb" if coded else "relative", float(difference.max()) / unit, share)
