"""Whether ONNX, C, contracts and bundle say the same, and the self-test still comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rfc8785

from stages.core.artifacts import read_json
from stages.core.bundle.format import Bundle, Identity
from stages.core.bundle.sections import pack_calibration, pack_config, unpack_golden
from stages.core.cgen.emit import emit
from stages.core.cgen.identity import graph_hash
from stages.core.cgen.lifetimes import lifetimes
from stages.core.cgen.streaming import kept_layers
from stages.core.cgen.weights import pack_weights
from stages.core.dsp.contract import Preprocess, preprocess
from stages.core.graph.ir import Graph
from stages.core.graph.lower import read_graph
from stages.core.graph.reference import execute, score_codes
from stages.core.plan import plan
from stages.core.release.finding import Finding
from stages.core.release.tree_checks import artifact
from stages.core.runtime.decision import Rules
from stages.core.runtime.stream import Stream

Contracts = dict[str, dict[str, Any]]


def check_content(root: Path, manifest: Mapping[str, Any], bundle: Bundle, config: Mapping[str, Any]) -> list[Finding]:
    """Derive everything that the network determines from the ONNX file again, and compare.

    Parameters
    ----------
    root : Path
    manifest : mapping
    bundle : Bundle
    config : mapping
        `data/config.yaml`.

    Returns
    -------
    list of Finding
        Of the kinds ``contract`` and ``golden``.
    """
    onnx = artifact(manifest, "convert", "model.onnx")
    model = (root / onnx).read_bytes()
    # As the stages have them: canonical JSON does not keep the .0 of a number, which the generated C has.
    contracts = {name: read_json(root / path) for name, path in _paths(manifest).items()}
    if contracts["model"]["model_version"] != hashlib.sha256(model).hexdigest():
        return [Finding(onnx, "contract", "it is not the file whose hash is the contract's model version")]
    graph = read_graph(model)
    findings = _check_contracts(manifest, contracts)
    findings += _check_code(root, manifest, contracts, graph, config["convert"]["streaming_layers"])
    findings += _check_bundle(bundle, manifest, contracts, graph)
    return findings + check_golden(bundle, graph, contracts["preprocess"])


def _paths(manifest: Mapping[str, Any]) -> dict[str, str]:
    stages = {"model": "convert", "preprocess": "features"}
    return {name: artifact(manifest, stage, "contract.json") for name, stage in stages.items()}


def _check_contracts(manifest: Mapping[str, Any], contracts: Contracts) -> list[Finding]:
    findings = [
        Finding(path, "contract", "it is not the one that the manifest has")
        for name, path in _paths(manifest).items()
        if contracts[name] != manifest["contracts"][name]
    ]
    own = contracts["preprocess"]
    identity = Preprocess.from_json(own).to_json()["preprocess_id"]
    if not identity == own["preprocess_id"] == contracts["model"]["preprocess_id"]:
        findings.append(Finding(_paths(manifest)["preprocess"], "contract", f"its preprocess id should be {identity}"))
    return findings


def _check_code(
    root: Path, manifest: Mapping[str, Any], contracts: Contracts, graph: Graph, streaming_layers: int
) -> list[Finding]:
    contract, preprocessing = contracts["model"], contracts["preprocess"]
    kept = kept_layers(graph, preprocessing, streaming_layers)
    arena = plan(lifetimes(graph, kept))
    findings = []
    if graph_hash(graph, arena, kept) != contract["graph_hash"]:
        findings.append(Finding(_paths(manifest)["model"], "contract", "its graph hash is not that of the network"))
    code = emit(
        graph,
        arena,
        preprocessing,
        rules=Rules.from_json(contract["decision"]["rules"]),
        model_sha256=contract["model_version"],
        stream=Stream.from_json(contract["stream"]),
        kept=kept,
    )
    for name, text in code.items():
        path = artifact(manifest, "convert", name)
        if (root / path).read_text(encoding="utf-8") != text:
            findings.append(Finding(path, "contract", "it is not the C of the network and the contracts"))
    return findings


def _check_bundle(bundle: Bundle, manifest: Mapping[str, Any], contracts: Contracts, graph: Graph) -> list[Finding]:
    contract, preprocessing = contracts["model"], contracts["preprocess"]
    expected = {
        "weights": pack_weights(graph)[0],
        "contract": rfc8785.dumps(contract),
        "preprocess": rfc8785.dumps(preprocessing),
        "config": pack_config(contract),
        "calibration": pack_calibration(contract, len(preprocessing["channels"])),
    }
    wrong = [f"section {name}" for name, content in expected.items() if bundle.sections[name] != content]
    fields = ("interface_version", "arena_bytes", "model_version", "preprocess_id", "graph_hash")
    wrong += [f"field {name}" for name in fields if getattr(bundle.identity, name) != contract[name]]
    wrong += [] if _version(bundle.identity) == manifest["release"]["version"] else ["field release"]
    return [Finding("bundle.bin", "contract", f"its {what} is not what the contracts say") for what in wrong]


def _version(identity: Identity) -> str:
    return ".".join(map(str, identity.release))


def check_golden(bundle: Bundle, graph: Graph, contract: dict[str, Any]) -> list[Finding]:
    """Run the self-test's windows through preprocessing and network, and compare the score codes."""
    samples, expected = unpack_golden(bundle.sections["golden"])
    codes = preprocess(Preprocess.from_json(contract), samples)
    scores = score_codes(graph, execute(graph, codes))
    differ = np.flatnonzero((scores != expected).any(axis=1))
    if not len(differ):
        return []
    first = int(differ[0])
    what = f"{len(differ)} of {len(scores)} golden windows differ, window {first} first: "
    what += f"{scores[first].tolist()} instead of {expected[first].tolist()}"
    return [Finding("bundle.bin", "golden", what)]
