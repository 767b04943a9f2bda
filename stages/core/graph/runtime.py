"""ONNX Runtime, set up as the host reference: sessions whose int8 results are the integer formula's, exactly.

A QDQ graph may be run in two ways. Unfused, each layer is computed in float between a DequantizeLinear and a
QuantizeLinear, and now and then an output falls on the other side of a rounding step. Fused, each layer is one integer
operator that requantises with a multiplier, as `ir` says. The fused way is the reference: the interpreter in
`reference` and the device equal it in every code of every tensor. Two settings make it so on x86-64:

- Graph optimisation EXTENDED, the level that fuses.
- ``session.qdqisint8allowed = 1``. By default activations are turned into uint8 there, which leaves every layer that
  touches an int8 graph input or output in float; and uint8 by int8 products saturate in pairs on CPUs without VNNI.
  Signed by signed products take a path that does not saturate on any of them. ``session.x64quantprecision``, the
  usual remedy for that saturation, converts to uint8 and does not load together with this setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from stages.core.graph.export import INPUT


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
