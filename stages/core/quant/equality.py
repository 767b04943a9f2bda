"""Every step from the trained network to the integer one leaves the scores as they were: checked, not assumed.

Trained float = batch norm folded = exported float, to float32 rounding; then fake-quantised = converted = exported
integers, to one step of the score. Batch norm is folded into the weights and biases of the layer before it; a network
that loses its biases on the way still scores, and often still ranks.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.fx import GraphModule, Interpreter, Node
from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e
from torchao.quantization.pt2e.quantizer import Quantizer

from stages.core.errors import ParityBroken
from stages.core.graph.ir import Graph
from stages.core.graph.lower import read_graph
from stages.core.graph.onnx_view import SCORE
from stages.core.graph.runtime import run
from stages.core.nets.inference import dequantise, float_scores
from stages.core.quant.ptq import capture
from stages.core.quant.quantizer import ENDINGS, RELUS

#: Largest difference of float scores, as a share of their range; or, where float32 itself is coarser, in distances of
#: the trained network's scores from what they are in float64.
FLOAT_LIMIT, ROUNDING_LIMIT = 1e-5, 10.0
#: Largest difference of quantised scores in steps, and the share of scores that may exceed it.
STEP_LIMIT, STEP_SHARE = 1.0, 0.001

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Equality:
    """One step and the one before it, compared on some windows.

    Attributes
    ----------
    step, against : str
    max_difference : float
    unit : str
        Of the difference and the limit: the ``range`` of the scores, or ``LSB``, one step of the score.
    limit : float
    beyond : float
        Share of the scores that differ by more than the limit.
    allowed : float
        Largest such share.
    holds : bool
    """

    step: str
    against: str
    max_difference: float
    unit: str
    limit: float
    beyond: float
    allowed: float
    holds: bool


def check_float(
    trained: nn.Module,
    exported: bytes,
    codes: NDArray[np.int8],
    input_scale: float,
    *,
    equalised: nn.Module | None = None,
    folded: GraphModule | None = None,
) -> list[Equality]:
    """Check that equalising, folding and exporting left the float scores as they were.

    Parameters
    ----------
    trained : Module
        The float network, in evaluation mode.
    exported : bytes
        The float network as ONNX.
    codes : ndarray of int8, shape (N, channels, length)
    input_scale : float
    equalised : Module, optional
        The float network from which quantisation starts, if not the trained one itself.
    folded : GraphModule, optional
        The network without batch norm; by default, what quantisation makes of `equalised`.

    Raises
    ------
    ParityBroken
        Naming the step, and where it can be seen, the layer.
    """
    start = trained if equalised is None else equalised
    folded = fold(start, *codes.shape[1:]) if folded is None else folded
    steps: list[tuple[str, Scores]] = [("trained", float_scores(trained, codes, input_scale))]
    if equalised is not None:
        steps.append(("equalised", float_scores(equalised, codes, input_scale)))
    steps.append(("folded", float_scores(folded, codes, input_scale)))
    steps.append(("exported", run(exported, codes, [SCORE])[SCORE]))
    extent = float(np.ptp(steps[0][1])) or 1.0
    limit = max(FLOAT_LIMIT, ROUNDING_LIMIT * _rounding(trained, codes, input_scale, steps[0][1]) / extent)
    rows = [
        _compare(name, before, (found - expected) / extent, "range", limit, 0.0)
        for (before, expected), (name, found) in pairwise(steps)
    ]
    inputs = dequantise(codes[:8], input_scale)
    _refuse(rows, {"folded": (capture(start, *codes.shape[1:]), folded, inputs, limit)})
    return rows


def _rounding(trained: nn.Module, codes: NDArray[np.int8], input_scale: float, scores: Scores) -> float:
    """Return the largest distance of float32 scores from those of the same network in float64."""
    with torch.no_grad():
        exact = copy.deepcopy(trained).double()(dequantise(codes, input_scale).double()).numpy()
    return float(np.abs(scores - exact).max())


def check_quantised(
    converted: GraphModule,
    exported: bytes,
    codes: NDArray[np.int8],
    input_scale: float,
    *,
    fake_quantised: GraphModule | None = None,
) -> list[Equality]:
    """Check that converting and exporting left the quantised scores as they were.

    One LSB is a step of an int8 score's codes. A score of int16 or int32 has far finer steps, which the float sums of
    the torch network do not resolve; of it, one LSB is what a step would be if its range over these windows were given
    256 codes.

    Parameters
    ----------
    converted : GraphModule
        With quantise and dequantise operators.
    exported : bytes
        The same as ONNX.
    codes : ndarray of int8, shape (N, channels, length)
    input_scale : float
    fake_quantised : GraphModule, optional
        The network as it was trained, if it was.

    Raises
    ------
    ParityBroken
        As `check_float`.
    """
    steps: list[tuple[str, Scores]] = [("converted", float_scores(converted, codes, input_scale))]
    if fake_quantised is not None:
        steps.insert(0, ("fake-quantised", float_scores(fake_quantised, codes, input_scale)))
    steps.append(("exported", run(exported, codes, [SCORE])[SCORE]))
    step = score_step(read_graph(exported), steps[0][1])
    rows = [
        _compare(name, before, (found - expected) / step, "LSB", STEP_LIMIT, STEP_SHARE)
        for (before, expected), (name, found) in pairwise(steps)
    ]
    inputs = dequantise(codes[:8], input_scale)
    _refuse(rows, {"converted": (fake_quantised, converted, inputs, 1 / 256)} if fake_quantised is not None else {})
    return rows


def fold(model: nn.Module, channels: int, length: int) -> GraphModule:
    """Return the network with batch norm folded into the layers before it, exactly as quantisation begins."""
    return prepare_pt2e(capture(model, channels, length), _Nothing())


def score_step(graph: Graph, scores: Scores) -> NDArray[np.float32]:
    """Return the real value of one LSB of each output, as `check_quantised` counts it."""
    if graph.output.dtype == "int8":
        return np.full(scores.shape[1], graph.output.scale, dtype=np.float32)
    extent = np.ptp(scores, axis=0)
    return np.where(extent > 0, extent / np.float32(255), np.float32(1))


class _Nothing(Quantizer):
    """Quantises nothing: preparing a graph for it merely folds."""

    def annotate(self, model: GraphModule) -> GraphModule:
        return model

    def validate(self, model: GraphModule) -> None:
        pass


def _compare(step: str, against: str, difference: Any, unit: str, limit: float, allowed: float) -> Equality:
    distance = np.abs(np.nan_to_num(difference.astype(np.float64), nan=np.inf))
    beyond = float(np.mean(distance > limit * 1.01))  # what is one step apart is so to float32 rounding only
    return Equality(step, against, float(distance.max()), unit, limit, beyond, allowed, beyond <= allowed)


def _refuse(rows: Sequence[Equality], seen: dict[str, tuple[GraphModule, GraphModule, torch.Tensor, float]]) -> None:
    for row in rows:
        if not row.holds:
            layer = _first_apart(*seen[row.step]) if row.step in seen else ""
            raise ParityBroken(
                found=f"{100 * row.beyond:.3g} % of the scores differ by more than {row.limit:g} {row.unit} from the "
                f"{row.against} network's, the worst by {row.max_difference:.3g}" + layer,
                where=f"the {row.step} network",
                expected=f"at most {100 * row.allowed:g} %: this step must not change what the network computes",
                remedy="Check that weights and biases of that layer came through the step; if they did, the step's "
                "library has a fault, so pin the version that the lock file names",
            )


def _first_apart(before: GraphModule, after: GraphModule, inputs: torch.Tensor, limit: float) -> str:
    """Name the first layer whose values differ by more than a share of their range."""
    expected, found = _activations(before, inputs), _activations(after, inputs)
    for name, (layer, values) in expected.items():
        if name in found:
            extent = float(values.max() - values.min()) or 1.0
            if float((found[name][1] - values).abs().max()) > limit * extent:
                return f"; they part at layer {layer}"
    return ""


def _activations(graph: GraphModule, inputs: torch.Tensor) -> dict[str, tuple[str, torch.Tensor]]:
    """Return what each layer's last operator gives, with the layer's path in the network, by node."""
    seen: dict[str, tuple[str, torch.Tensor]] = {}

    class Recorder(Interpreter):
        def run_node(self, n: Node) -> Any:
            value = super().run_node(n)
            if n.target in (*RELUS, *ENDINGS):
                modules = [str(path) for path, _ in n.meta.get("nn_module_stack", {}).values() if path]
                seen[n.name] = (modules[-1] if modules else n.name, value)
            return value

    with torch.no_grad():
        Recorder(graph).run(inputs)
    return seen
