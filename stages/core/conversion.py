"""One precision of the network on its way to the device: integers or floats, memory plan, C, and its contract."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stages.core.cgen.emit import emit
from stages.core.cgen.identity import INTERFACE_VERSION, graph_hash
from stages.core.cgen.lifetimes import lifetimes
from stages.core.cgen.streaming import kept_layers
from stages.core.cgen.weights import pack_weights
from stages.core.graph.ir import Graph, Tensor
from stages.core.graph.lower import accumulator_bounds, read_graph
from stages.core.graph.reference import head_of
from stages.core.plan import Buffer, Plan, plan, prove
from stages.core.runtime.fault import Limits
from stages.core.runtime.rules import decision_rules
from stages.core.runtime.stream import Stream
from stages.core.schema.decision import Decision, Pick
from stages.core.schema.runtime import Runtime

_EXACT_IN_FLOAT32 = 2**24
#: What an output says, and how a window's class comes from all of them, by `Decision.pick`.
_OUTPUTS: dict[Pick, str] = {
    "severest": "per class above the first: the logit of the window being of it or of a later one",
    "highest": "per class above the first: the logit of the window being of it",
}
_CLASS: dict[Pick, str] = {
    "severest": "the last class k + 1 with score_code[k] >= threshold_codes[k], or the first class",
    "highest": "class k + 1 of the highest score_code[k], if that is >= threshold_codes[k], or the first class",
}
_SCORE_CODES = {
    "int8": "the output code; the logit is float32(code - zero_point) * multiplier",
    "int16": "the output code; the logit is float32(code) * multiplier",
    "int32": "the accumulator of the last layer; the logit of output k is float32(code) * multiplier[k]",
    "float32": "the bits of the float32 logit in ascending order: bits ^ ((bits >> 31) & 0x7fffffff)",
}


@dataclass(frozen=True)
class Conversion:
    """A network as `build` and a device take it.

    Attributes
    ----------
    graph : Graph
    buffers : list of Buffer
        The tensors as the plan knows them.
    arena : Plan
    contract : dict
        The model contract.
    weights : bytes
        Every constant, as the table in the contract says.
    files : dict of str to str
        The generated C by file name.
    """

    graph: Graph
    buffers: list[Buffer]
    arena: Plan
    contract: dict[str, Any]
    weights: bytes
    files: dict[str, str]


@dataclass(frozen=True)
class Around:
    """What the device does around the network.

    Attributes
    ----------
    decision : Decision
    runtime : Runtime
    limits : tuple of Limits
        Of the fault gate, per channel; none leaves it out.
    """

    decision: Decision
    runtime: Runtime
    limits: tuple[Limits, ...] = ()


def convert(
    model: bytes,
    precision: str,
    thresholds: Sequence[Mapping[str, Any]],
    preprocess: Mapping[str, Any],
    classes: Sequence[str],
    facts: Mapping[str, Any],
    *,
    around: Around,
    streaming_layers: int = 0,
) -> Conversion:
    """Lower a network, plan its memory, generate its C, and state its contract.

    Parameters
    ----------
    model : bytes
        ONNX.
    precision : str
        The rung's name.
    thresholds : sequence of mapping
        ``code`` and ``logit`` per output.
    preprocess : mapping
        The preprocess contract.
    classes : sequence of str
        Names, the normal one first.
    facts : mapping
        Further entries of the contract.
    around : Around
    streaming_layers : int, default 0
        Convolutions that keep their output from one window to the next.

    Raises
    ------
    OperatorError
        If the network does not lower.
    ArtifactError
        If the preprocess contract and the network do not fit together.
    ConfigError
        If the scores of this precision do not allow what the decision asks, or so many layers cannot keep their output.
    """
    graph = read_graph(model)
    kept = kept_layers(graph, preprocess, streaming_layers)
    buffers = lifetimes(graph, kept)
    arena = plan(buffers)
    prove(buffers, arena)
    weights, table = pack_weights(graph)
    codes, logits = ([threshold[key] for threshold in thresholds] for key in ("code", "logit"))
    rules = decision_rules(around.decision, head_of(graph), codes, logits)
    stream = Stream.configured(around.runtime, around.limits, preprocess["hop"])
    version = hashlib.sha256(model).hexdigest()
    contract = {
        **model_contract(graph, arena, classes, around.decision.pick),
        **facts,
        "preprocess_id": preprocess["preprocess_id"],
        "interface_version": INTERFACE_VERSION,
        "model_version": version,
        "graph_hash": graph_hash(graph, arena, kept),
        "precision": precision,
        "decision": {
            "class": _CLASS[around.decision.pick],
            "threshold_codes": codes,
            "threshold_logits": logits,
            "alarm": "a state other than 0 by the rules, as firmware/runtime/decision.h states them",
            "rules": asdict(rules),
        },
        "stream": stream.to_json(),
        "weights": table,
    }
    files = emit(graph, arena, preprocess, rules=rules, model_sha256=version, stream=stream, kept=kept)
    return Conversion(graph, buffers, arena, contract, weights, files)


def model_contract(graph: Graph, arena: Plan, classes: Sequence[str], pick: Pick) -> dict[str, Any]:
    """State what goes in, what comes out, and what is computed between."""
    bounds = accumulator_bounds(graph)
    return {
        "input": _tensor(graph.input, "preprocessed samples, interleaved by channel"),
        "output": _tensor(graph.output, _OUTPUTS[pick]),
        "score_code": score_code(graph),
        "labels": list(classes),
        "arena_bytes": arena.arena_bytes,
        "arena_lower_bound_bytes": arena.lower_bound,
        "operators": [
            {
                "name": op.name,
                "type": type(op).__name__,
                "output": _tensor(op.output, "activation"),
                "accumulator_bound": bounds[op.name],
                "accumulator_exact_in_float32": bounds[op.name] < _EXACT_IN_FLOAT32,
            }
            for op in graph.ops
        ],
    }


def score_code(graph: Graph) -> dict[str, Any]:
    """State what the int32 is that a device compares with a threshold and sends, and how to read it."""
    head = head_of(graph)
    return {
        "dtype": "int32",
        "meaning": _SCORE_CODES[head.dtype],
        "zero_point": head.zero_point,
        "multiplier": [float(value) for value in head.multiplier.reshape(-1)],
        "never": head.never,
    }


def _tensor(tensor: Tensor, meaning: str) -> dict[str, Any]:
    """Describe a tensor as the device holds it."""
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": float(tensor.scale),
        "zero_point": tensor.zero_point,
        "meaning": meaning,
    }
