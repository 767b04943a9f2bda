"""Why a quantised network lost its tail, layer by layer: noise, saturation, range use, and what each layer costs.

Every layer of a quantised graph is compared with the layer of the same name in the float graph. Where training went
on after the float network (QAT, pruning), the distance holds what training moved as well as what rounding lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.errors import ArtifactError, ConfigError
from stages.core.evenly import evenly_by_class
from stages.core.graph.ir import Clipping, Conv1d, Dense, Graph, Op, Tensor, Widen
from stages.core.graph.reference import execute
from stages.core.nets.examples import Examples
from stages.core.tail import auc, roc, tpr_at_fpr

Real = NDArray[np.float64]

#: Of the healthy windows, the share with the highest float scores that counts as the healthy side of the tail.
HEALTHY_TAIL = 0.05
#: A code's rank among all that occur, at which the range in use begins and ends.
_USED = (0.001, 0.999)


@dataclass(frozen=True)
class Noise:
    """What quantisation did to one layer's output.

    Attributes
    ----------
    layer : str
    sqnr_db : float or None
        Signal to quantisation noise of the output in the quantised network: noise of this layer and all before it.
        None: no noise at all.
    own_sqnr_db : float or None
        The same if the layer reads the float network's activation, rounded to its input codes: its own noise.
    weight_sqnr_db : float or None
        Of the weights alone. None: exact, or the layer has none.
    worst_channel : int or None
        The output channel whose weights kept the least, None where nothing was lost.
    worst_channel_sqnr_db : float or None
    saturated_healthy, saturated_anomalous : float
        Share of the output codes at an end of their range, an end that stands for zero (a ReLU's) not counted.
    range_use : float or None
        Share of the codes that lie between the 0.1 % and the 99.9 % quantile of those that occur. None where the
        output is not int8 or int16.
    distinct_codes : int or None
        How many codes occur.
    """

    layer: str
    sqnr_db: float | None
    own_sqnr_db: float | None
    weight_sqnr_db: float | None
    worst_channel: int | None
    worst_channel_sqnr_db: float | None
    saturated_healthy: float
    saturated_anomalous: float
    range_use: float | None
    distinct_codes: int | None


@dataclass(frozen=True)
class TailCost:
    """How far scores are from float where decisions are made; of several outputs, the worst.

    Attributes
    ----------
    tail_error : float
        Mean distance from the float score (logit) over the anomalous windows and the healthy tail, the 5 % of the
        healthy ones that score highest in float, after the median change of that healthy tail is taken off: a threshold
        that is tuned anew follows it.
    auc_drop, tpr_at_fpr_1_drop : float
        Float minus quantised; the second is NaN with fewer than 100 healthy windows.
    """

    tail_error: float
    auc_drop: float
    tpr_at_fpr_1_drop: float


@dataclass(frozen=True)
class Reason:
    """One layer's share in what was lost.

    Attributes
    ----------
    noise : Noise
    in_float : TailCost
        Of the network in which this layer alone, weights and output, is left in float.
    healed : float
        Share of the network's `tail_error` that is gone then; negative if the error grows.
    """

    noise: Noise
    in_float: TailCost
    healed: float


@dataclass(frozen=True)
class Diagnosis:
    """A quantised network, explained.

    Attributes
    ----------
    windows : int
    cost : TailCost
        Of the whole network as it is.
    reasons : tuple of Reason
        By layer, the one that heals most first.
    """

    windows: int
    cost: TailCost
    reasons: tuple[Reason, ...]


def diagnose(reference: Graph, graph: Graph, examples: Examples) -> Diagnosis:
    """Explain a quantised network by its layers.

    Parameters
    ----------
    reference : Graph
        The float network.
    graph : Graph
        The quantised network, of the same layers.
    examples : Examples
        Windows of every class; a few hundred tell (`sample`).

    Raises
    ------
    ArtifactError
        If the two networks do not have the same layers.
    """
    pairs = pair_layers(reference, graph)
    codes = np.ascontiguousarray(examples.codes)
    true = {name: values.astype(np.float64) for name, values in execute(reference, codes).items()}
    found = execute(graph, codes)
    real = {graph.input.name: codes * np.float64(graph.input.scale)}  # its zero point is 0
    real |= {op.output.name: to_real(op, found[op.output.name]) for op in graph.ops}
    scores = _scores(true[reference.output.name])
    cost = tail_cost(scores, _scores(real[graph.output.name]), examples.targets)
    reasons = []
    for exact, op in pairs:
        noise = _noise(exact, op, true, found[op.output.name], examples.labels > 0)
        left = tail_cost(scores, _scores(_with_float_layer(graph, exact, op, real)), examples.targets)
        healed = 1 - left.tail_error / cost.tail_error if cost.tail_error else 0.0
        reasons.append(Reason(noise, left, healed))
    return Diagnosis(len(codes), cost, tuple(sorted(reasons, key=lambda each: -each.healed)))


def sample(examples: Examples, windows: int) -> Examples:
    """Choose as many windows of each class, evenly spaced over those of the class, at most `windows` in all.

    Raises
    ------
    ConfigError
        If that is less than one window of each class.
    """
    classes = len(np.unique(examples.labels))
    if windows < classes:
        raise ConfigError(
            found=f"{windows} window(s) are asked for",
            where="debug",
            expected=f"at least one window of each of the {classes} classes",
            remedy="Give a few hundred",
        )
    chosen = evenly_by_class(examples.labels, windows)
    return Examples(examples.codes[chosen], examples.labels[chosen], examples.outputs, kind=examples.kind)


def pair_layers(reference: Graph, graph: Graph) -> list[tuple[Op, Op]]:
    """Return each layer of the float network with the quantised layer of its name, in order; `Widen` is none.

    Raises
    ------
    ArtifactError
        If names or shapes differ.
    """
    exact, quantised = ([op for op in each.ops if not isinstance(op, Widen)] for each in (reference, graph))
    if [_shape(op) for op in exact] != [_shape(op) for op in quantised]:
        raise ArtifactError(
            found=f"the quantised network has the layers {_layers(quantised)} and the float one {_layers(exact)}",
            where="debug",
            expected="the same layers of the same sizes in both",
            remedy="Compare a pruned network with its own float network, others with float.onnx of the same run",
        )
    return list(zip(exact, quantised, strict=True))


def _shape(op: Op) -> tuple[str, int, int]:
    return op.name, op.output.length, op.output.channels


def _layers(ops: Sequence[Op]) -> str:
    return ", ".join(f"{name} {length} x {channels}" for name, length, channels in map(_shape, ops))


def to_real(op: Op, values: NDArray[np.generic]) -> Real:
    """Return what an operation's output codes stand for, as `ir` defines it."""
    output = op.output
    if output.dtype == "int32" and isinstance(op, Dense):
        return np.asarray(values.astype(np.float32) * op.multiplier, dtype=np.float64)
    return (values.astype(np.float64) - output.zero_point) * output.scale


def sqnr_db(signal: NDArray[np.floating], noisy: NDArray[np.floating]) -> float | None:
    """Return ``10 log10(sum x^2 / sum (x - y)^2)`` in dB, at least -300; None if there is no noise.

    Parameters
    ----------
    signal, noisy : ndarray of one shape
    """
    noise = float(np.sum((signal.astype(np.float64) - noisy) ** 2))
    power = float(np.sum(signal.astype(np.float64) ** 2))
    return 10 * float(np.log10(max(power / noise, 1e-30))) if noise else None


def tail_cost(reference: Real, candidate: Real, targets: NDArray[np.int8]) -> TailCost:
    """Compare two sets of scores where decisions are made.

    Parameters
    ----------
    reference, candidate : ndarray of float64, shape (windows, outputs)
    targets : ndarray of int8, shape (windows, outputs)
    """
    columns = zip(reference.T, candidate.T, targets.T, strict=True)
    worst = np.max([_output_cost(*column) for column in columns], axis=0)
    return TailCost(*worst.tolist())


def _output_cost(reference: Real, candidate: Real, target: NDArray[np.int8]) -> tuple[float, float, float]:
    healthy_tail = (target == 0) & (reference >= np.quantile(reference[target == 0], 1 - HEALTHY_TAIL))
    change = candidate - reference
    change -= np.median(change[healthy_tail])
    return (
        float(np.abs(change[(target == 1) | healthy_tail]).mean()),
        float(auc(roc(reference, target)) - auc(roc(candidate, target))),
        float(tpr_at_fpr(reference, target, 0.01) - tpr_at_fpr(candidate, target, 0.01)),
    )


def _scores(values: Real) -> Real:
    return values.reshape(len(values), -1)  # [N, 1, outputs] -> [N, outputs]


def _with_float_layer(graph: Graph, exact: Op, op: Op, real: dict[str, Real]) -> Real:
    """Return the real scores if one layer reads real values and hands its own on without rounding them."""
    values = _run((exact,), real[op.inputs[0].name].astype(np.float32)).astype(np.float64)
    rest = graph.ops[graph.ops.index(op) + 1 :]
    # The formula of the next layer takes codes with a fraction just as well.
    return to_real(rest[-1], _run(rest, values / op.output.scale + op.output.zero_point)) if rest else values


def _run(ops: tuple[Op, ...], values: NDArray[Any]) -> NDArray[Any]:
    """Execute a chain of operations on the values of the tensor that the first one reads."""
    return execute(Graph(ops[0].inputs[0], ops[-1].output, ops), values)[ops[-1].output.name]


def _noise(exact: Op, op: Op, true: dict[str, Real], codes: NDArray[Any], anomalous: NDArray[np.bool_]) -> Noise:
    signal = true[exact.output.name]
    alone = to_real(op, _run((op,), _rounded(op.inputs[0], true[exact.inputs[0].name])))
    saturated = _saturated(op, codes)
    return Noise(
        op.name,
        sqnr_db(signal, to_real(op, codes)),
        sqnr_db(signal, alone),
        *_weight_noise(exact, op),
        float(saturated[~anomalous].mean()),
        float(saturated[anomalous].mean()),
        *_codes_in_use(op.output, codes),
    )


def _rounded(tensor: Tensor, real: Real) -> NDArray[Any]:
    """Return the codes of real values; of a float tensor, the values."""
    if tensor.dtype == "float32":
        return real.astype(np.float32)
    ends = np.iinfo(tensor.dtype)
    return np.clip(np.rint(real / tensor.scale) + tensor.zero_point, ends.min, ends.max).astype(tensor.dtype)


def _weight_noise(exact: Op, op: Op) -> tuple[float | None, int | None, float | None]:
    """Return the SQNR of the weights, the worst channel and its SQNR."""
    if not isinstance(exact, Conv1d | Dense) or not isinstance(op, Conv1d | Dense):
        return None, None, None
    weight = exact.weight.reshape(len(exact.weight), -1)
    kept = op.weight.reshape(weight.shape) * weight_scale(op)[:, np.newaxis]
    by_channel = {c: sqnr_db(*rows) for c, rows in enumerate(zip(weight, kept, strict=True))}
    lossy = {c: value for c, value in by_channel.items() if value is not None}
    worst = min(lossy, key=lossy.__getitem__) if lossy else None
    return sqnr_db(weight, kept), worst, None if worst is None else lossy[worst]


def weight_scale(op: Conv1d | Dense) -> Real:
    """Return ``s_w[c]``, solved from the multiplier ``s_x * s_w[c] / s_y``; 1 in a float network."""
    return op.multiplier.astype(np.float64) * op.output.scale / op.input.scale


def _saturated(op: Op, codes: NDArray[Any]) -> NDArray[np.bool_]:
    if op.output.dtype not in ("int8", "int16") or not isinstance(op, Clipping):
        return np.zeros(codes.shape, dtype=np.bool_)
    at_bottom = (codes == op.y_min) & (op.y_min != op.output.zero_point)
    return np.asarray((codes == op.y_max) | at_bottom)


def _codes_in_use(tensor: Tensor, codes: NDArray[Any]) -> tuple[float | None, int | None]:
    """Return the share of the codes in use, and how many occur."""
    if tensor.dtype not in ("int8", "int16"):
        return None, None
    first, last = np.quantile(codes, _USED, method="nearest").astype(np.int64)
    return float(last - first + 1) / 2 ** (8 * codes.itemsize), len(np.unique(codes))
