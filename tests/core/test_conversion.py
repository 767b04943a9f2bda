"""A conversion states of each precision what a device holds, and how to read what it says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.core.cgen.emit import FILES
from stages.core.cgen.identity import INTERFACE_VERSION
from stages.core.conversion import Around, Conversion, convert
from stages.core.errors import ConfigError
from stages.core.graph.onnx_view import SCORE
from stages.core.graph.reference import execute, score_codes
from stages.core.graph.runtime import run
from stages.core.schema.decision import Decision
from stages.core.schema.runtime import Runtime
from tests.core.graph.networks import exported, windows
from tests.kernels.random_networks import preprocess_contract

ROOT = Path(__file__).parents[2]
PRECISIONS = {"int8": "int8", "int32 head": "int32", "int16": "int16", "float": "float32"}
ACTIVATION_BYTES = {"int8": 1, "int32 head": 1, "int16": 2, "float": 4}


DECISION = Decision.model_validate(yaml.safe_load((ROOT / "conf/decision/default.yaml").read_text(encoding="utf-8")))
RUNTIME = Runtime.model_validate(yaml.safe_load((ROOT / "conf/runtime/default.yaml").read_text(encoding="utf-8")))


def converted(precision: str, decision: Decision = DECISION, layers: int = 0, dc: str = "window_mean") -> Conversion:
    preprocess = preprocess_contract(np.random.Generator(np.random.PCG64(1)), 128, 2, dc) | {"hop": 60}
    thresholds = [{"code": 10, "logit": 0.5}, {"code": 20, "logit": 0.75}]
    return convert(
        exported(precision),
        precision,
        thresholds,
        preprocess,
        ("a", "b", "c"),
        {"task": "test"},
        around=Around(decision, RUNTIME),
        streaming_layers=layers,
    )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_score_code_is_read_as_the_contract_says(precision):
    """By the contract's words alone: code, zero point and multiplier against the runtime's real score."""
    made = converted(precision)
    says = made.contract["score_code"]
    planes = windows(12, 2, 128)
    codes = score_codes(made.graph, execute(made.graph, np.ascontiguousarray(planes.transpose(0, 2, 1))))
    if precision == "float":
        bits = codes.astype(np.int64)
        real = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int32).view(np.float32)
    else:
        real = (codes - says["zero_point"]).astype(np.float32) * np.array(says["multiplier"], dtype=np.float32)
    unit = made.contract["output"]["scale"] if precision == "int16" else 0.0  # the runtime rounds int16 elsewhere
    np.testing.assert_allclose(real, run(exported(precision), planes, [SCORE])[SCORE], rtol=1e-5, atol=unit + 1e-6)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_contract_names_types_thresholds_and_versions(precision):
    contract = converted(precision).contract
    assert (contract["input"]["dtype"], contract["output"]["dtype"]) == ("int8", PRECISIONS[precision])
    itemsize = np.dtype(contract["operators"][0]["output"]["dtype"]).itemsize
    assert itemsize == ACTIVATION_BYTES[precision]
    assert contract["decision"]["threshold_codes"] == [10, 20]
    assert contract["decision"]["threshold_logits"] == [0.5, 0.75]
    assert contract["labels"] == ["a", "b", "c"]
    assert (contract["precision"], contract["task"]) == (precision, "test")
    assert contract["interface_version"] == INTERFACE_VERSION == 6
    assert contract["model_version"] == hashlib.sha256(exported(precision)).hexdigest()


def test_each_precision_has_its_c_and_its_price_in_bytes():
    made = {precision: converted(precision) for precision in PRECISIONS}
    for each in made.values():
        assert set(each.files) == set(FILES)
        assert each.contract["model_version"] in each.files["model.c"]
        assert each.arena.arena_bytes == each.contract["arena_bytes"] >= each.arena.lower_bound
    arena = {precision: each.arena.arena_bytes for precision, each in made.items()}
    assert arena["int8"] == arena["int32 head"]
    assert 1.9 < arena["int16"] / arena["int8"] < 2.1
    assert 3.8 < arena["float"] / arena["int8"] < 4.2
    weights = {precision: len(each.weights) for precision, each in made.items()}
    zero_points = 16 * len(made["int8"].graph.ops)
    assert weights["int16"] <= weights["int8"] <= weights["int16"] + zero_points
    assert weights["int8"] < weights["float"] / 2


def test_the_contract_says_how_a_window_gets_its_class():
    ordered = converted("int8").contract
    exclusive = converted("int8", DECISION.model_copy(update={"pick": "highest"})).contract
    assert "of it or of a later one" in ordered["output"]["meaning"]
    assert ordered["decision"]["class"].startswith("the last class k + 1 with")
    assert exclusive["output"]["meaning"].endswith("the logit of the window being of it")
    assert exclusive["decision"]["class"].startswith("class k + 1 of the highest score_code[k], if that is >=")
    assert exclusive["decision"]["rules"]["pick"] == "highest"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_streaming_changes_code_and_memory_and_nothing_that_is_computed(precision):
    plain, streaming = converted(precision, dc="none"), converted(precision, layers=1, dc="none")
    assert streaming.weights == plain.weights
    assert streaming.contract == plain.contract | {
        "arena_bytes": streaming.arena.arena_bytes,
        "arena_lower_bound_bytes": streaming.arena.lower_bound,
        "graph_hash": streaming.contract["graph_hash"],
    }
    assert streaming.contract["graph_hash"] != plain.contract["graph_hash"]
    assert streaming.arena.arena_bytes > plain.arena.arena_bytes
    assert "tg_take_over(" in streaming.files["model.c"]
    assert "tg_take_over(" not in plain.files["model.c"]


def test_streaming_is_refused_where_codes_depend_on_the_whole_window():
    with pytest.raises(ConfigError, match=r"convert\.streaming_layers: streaming_layers is 1 and codes depend on"):
        converted("int8", layers=1)
