"""Lower the network that passed the gate to integers, plan its memory, and generate its C."""

from __future__ import annotations

import argparse
import hashlib
from typing import Any

import onnx

from stages.core.artifacts import output_directory, read_json, write_json
from stages.core.cgen.emit import emit
from stages.core.cgen.lifetimes import lifetimes
from stages.core.cgen.weights import pack_weights
from stages.core.errors import GateRefused
from stages.core.graph.ir import Graph, Tensor
from stages.core.graph.lower import accumulator_bounds, lower
from stages.core.graph.onnx_view import read_model
from stages.core.plan import Plan, picture, plan, prove
from stages.core.schema.labels import Labels
from stages.core.settings import Settings, load
from stages.core.stage import run
from stages.core.tracking import track

#: Changes when a device or a host that understood the old contracts would misread the new ones.
INTERFACE_VERSION = 2
_EXACT_IN_FLOAT32 = 2**24


class ConvertSettings(Settings):
    """The sections that this stage reads."""

    task: str
    labels: Labels


def main(paths: argparse.Namespace) -> str:
    """Run the stage."""
    settings = load(paths.config, ConvertSettings)
    preprocess = read_json(paths.features / "contract.json")
    selected = read_json(paths.quantize / "gate.json")["selected"]
    if selected is None:
        raise GateRefused(
            found="no precision was selected",
            where=str(paths.quantize / "gate.json"),
            expected="one rung within every limit",
            remedy="See its rows; change what quantize reads and run `dvc repro`",
        )
    thresholds = read_json(paths.quantize / "thresholds.json")[selected]
    threshold_codes = [threshold["code"] for threshold in thresholds]
    model = read_model(paths.quantize / f"{selected}.onnx")
    graph = lower(onnx.load_from_string(model))
    buffers = lifetimes(graph)
    arena = plan(buffers)
    prove(buffers, arena)
    weights, table = pack_weights(graph)
    contract = model_contract(graph, arena, preprocess["preprocess_id"], settings.labels)
    contract |= {
        "leaky": read_json(paths.split / "split.json")["leaky"],
        "interface_version": INTERFACE_VERSION,
        "model_version": hashlib.sha256(model).hexdigest(),
        "task": settings.task,
        "precision": selected,
        "decision": {
            "class": "the last class k + 1 with score_code[k] >= threshold_codes[k], or the first class",
            "threshold_codes": threshold_codes,
            "threshold_logits": [threshold["logit"] for threshold in thresholds],
        },
        "weights": table,
    }
    files = emit(graph, arena, preprocess, threshold_codes=threshold_codes, model_sha256=contract["model_version"])
    with (
        output_directory(paths.out) as out,
        output_directory(paths.generated) as generated,
        track("convert", {"task": settings.task, "precision": selected}) as record,
    ):
        (out / "model.onnx").write_bytes(model)
        (out / "weights.bin").write_bytes(weights)
        (out / "plan.txt").write_text(picture(buffers, arena), encoding="utf-8")
        write_json(out / "contract.json", contract)
        for name, text in files.items():
            (generated / name).write_text(text, encoding="utf-8")
        record.metrics({"arena_bytes": arena.arena_bytes, "weight_bytes": len(weights)})
        record.artifact(out / "contract.json")
        record.artifact(out / "model.onnx")
    return (
        f"convert: {selected}, {len(graph.ops)} operations, weights {len(weights)} bytes, arena {arena.arena_bytes} "
        f"bytes (lower bound {arena.lower_bound}), threshold codes {threshold_codes}"
    )


def model_contract(graph: Graph, arena: Plan, preprocess_id: str, labels: Labels) -> dict[str, Any]:
    """State what goes in, what comes out, and what is computed between."""
    bounds = accumulator_bounds(graph)
    return {
        "input": tensor_contract(graph.input, "preprocessed samples, interleaved by channel"),
        "output": tensor_contract(
            graph.output, "per class above the first: the logit of the window being of it or of a later one"
        ),
        "labels": list(labels.classes),
        "preprocess_id": preprocess_id,
        "arena_bytes": arena.arena_bytes,
        "arena_lower_bound_bytes": arena.lower_bound,
        "operators": [
            {
                "name": op.name,
                "type": type(op).__name__,
                "output": tensor_contract(op.output, "activation"),
                "accumulator_bound": bounds[op.name],
                "accumulator_exact_in_float32": bounds[op.name] < _EXACT_IN_FLOAT32,
            }
            for op in graph.ops
        ],
    }


def tensor_contract(tensor: Tensor, meaning: str) -> dict[str, Any]:
    """Describe a tensor as the device holds it."""
    return {
        "name": tensor.name,
        "shape": [tensor.length, tensor.channels],
        "dtype": "int8",
        "scale": float(tensor.scale),
        "zero_point": tensor.zero_point,
        "meaning": meaning,
    }


if __name__ == "__main__":
    run(main, "split", "features", "quantize", "generated")
