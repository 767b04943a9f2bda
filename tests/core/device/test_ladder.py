"""Every precision of one network on an emulated board: proven against its reference, and priced."""

from __future__ import annotations

import dataclasses
import hashlib
from unittest import mock

import numpy as np
import onnx
import pytest

from stages.core.device import ladder
from stages.core.device.build import build_firmware
from stages.core.device.ladder import Bench, Rung, make_rung, prove_reference
from stages.core.device.size import check_production, measure
from stages.core.errors import ParityBroken
from stages.core.graph.lower import lower
from stages.core.graph.runtime import OrtGap
from stages.core.nets.examples import Examples
from stages.core.scoring import score
from tests.core.device.boards import BUILD, FIRMWARE, load_board, need_tools, write_generated
from tests.core.graph.networks import exported, windows
from tests.kernels import brute_force
from tests.kernels.random_networks import preprocess_contract

BOARD = "mps3_an547"
PRECISIONS = {"int8": "int8", "accumulator": "int32 head", "int16": "int16", "float": "float"}
CONTRACT = preprocess_contract(np.random.Generator(np.random.PCG64(1)), 128, 2)


def rung(name: str, n_windows: int = 8) -> Rung:
    model = exported(PRECISIONS[name])
    counts = windows(n_windows, 2, 128, seed=5).transpose(0, 2, 1).astype(np.int16) * 150
    codes = np.stack([brute_force.preprocess(CONTRACT, window) for window in counts])
    scored = score(model, Examples(codes, np.zeros(n_windows, np.int8), 2))
    all_of_them = (scored.codes, (0, 0), n_windows)
    return make_rung(name, model, counts, codes, *all_of_them, ships=name == "int8")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    need_tools(BOARD)
    folder = tmp_path_factory.mktemp("ladder")
    for name, precision in PRECISIONS.items():
        stamp = hashlib.sha256(exported(precision)).hexdigest()
        graph = lower(onnx.load_from_string(exported(precision)))
        write_generated(folder / name / "generated", graph, CONTRACT, (1, 2), stamp)
    others = [folder / name for name in PRECISIONS if name != "int8"]
    board = load_board(BOARD)
    images = build_firmware(
        FIRMWARE, folder / "int8" / "generated", BOARD, board, BUILD, folder / "build", rungs=others
    )
    made = {"int8": images, **images.rungs}
    (folder / "images" / BOARD / "rungs").mkdir(parents=True)
    for name, of in made.items():
        check_production(of.app, of.app_map, BOARD)
        of.harness.rename(folder / "images" / BOARD / ("harness.elf" if name == "int8" else f"rungs/{name}.elf"))
    sizes = {name: {BOARD: measure(of.app, of.app_map)} for name, of in made.items()}
    return Bench({BOARD: board}, folder / "images", sizes, repeats=2, timeout_s=60)


@pytest.fixture(scope="module")
def climb(bench):
    return bench.climb([rung(name) for name in PRECISIONS])


def test_every_precision_agrees_on_the_board(climb):
    on_board = [each for each in climb.agreements if each.name.startswith(BOARD)]
    assert len(on_board) == 3 * len(PRECISIONS)
    assert {each.name.partition(":")[0] for each in on_board} == {
        BOARD,
        *(f"{BOARD}, {name}" for name in PRECISIONS if name != "int8"),
    }
    demanded = [each for each in on_board if each.allowed is not None]
    assert len(demanded) == 3 * len(PRECISIONS) - 1
    assert all(each.first is None and (each.max_difference or 0) <= each.allowed for each in demanded)


def test_every_precision_is_held_against_the_runtime(climb):
    rows = {each.name: each for each in climb.agreements if not each.name.startswith(BOARD)}
    assert list(rows) == [
        "numpy integers: score code",
        "ONNX Runtime, accumulator: score",
        "ONNX Runtime, int16: score",
        "ONNX Runtime, float: score",
    ]
    assert rows["numpy integers: score code"].max_difference == 0
    assert (rows["ONNX Runtime, accumulator: score"].max_difference, rows["ONNX Runtime, int16: score"].unit) == (
        0,
        "LSB",
    )
    assert rows["ONNX Runtime, float: score"].max_difference < 1e-5


def test_prices_are_of_the_app_and_grow_with_the_width(climb, bench):
    prices = {name: climb.prices[name]["boards"][BOARD] for name in PRECISIONS}
    assert [climb.prices[name]["ships"] for name in PRECISIONS] == [True, False, False, False]
    assert climb.prices["int16"]["activations"] == climb.prices["int16"]["score"] == "int16"
    assert (climb.prices["accumulator"]["activations"], climb.prices["accumulator"]["score"]) == ("int8", "int32")
    for name, price in prices.items():
        assert price["flash_bytes"] == bench.sizes[name][BOARD]["total"]["flash_bytes"]
        assert price["instructions"]["model"] > price["instructions"]["preprocess"] > 0
        assert 0 < price["stack_high_water_bytes"] < load_board(BOARD).budget.stack_bytes
        assert price["over_budget"] == []
        parts = bench.sizes[name][BOARD]["components"]
        assert price["arena_bytes"] <= parts["arena"]["ram_bytes"] < price["arena_bytes"] + 64
        assert parts["model"]["flash_bytes"] > 0 < parts["kernels"]["flash_bytes"]
    assert prices["int8"]["arena_bytes"] < prices["int16"]["arena_bytes"] < prices["float"]["arena_bytes"]
    assert prices["int8"]["ram_bytes"] < prices["int16"]["ram_bytes"] < prices["float"]["ram_bytes"]
    # Per layer int8 weights, int32 biases and float multipliers, against float32 weights and biases.
    layers = [op for op in rung("int8").natively.graph.ops if hasattr(op, "weight")]
    constants = {"int8": sum(op.weight.size + 8 * len(op.bias) for op in layers)}
    constants["float"] = sum(4 * (op.weight.size + len(op.bias)) for op in layers)
    for name, expected in constants.items():
        assert expected <= climb.prices[name]["weight_bytes"] < expected + 16 * 3 * len(layers)


def test_another_precision_says_what_it_would_be_over(bench):
    board = bench.boards[BOARD]
    tight = board.model_copy(update={"budget": board.budget.model_copy(update={"flash_bytes": 1000})})
    narrow = dataclasses.replace(bench, boards={BOARD: tight})
    other = rung("int16", 4)
    measured = narrow.prove(other)[1]
    (over,) = narrow.price(other, measured)["boards"][BOARD]["over_budget"]
    assert over == f"flash_bytes {measured[BOARD]['flash_bytes']} (limit 1000)"


def test_a_precision_with_another_image_breaks_parity_under_its_name(bench):
    wrong = rung("int16", 4)
    scores = wrong.emulated.scores + np.int32(1)
    wrong = dataclasses.replace(wrong, emulated=dataclasses.replace(wrong.emulated, scores=scores))
    with pytest.raises(ParityBroken, match=rf"{BOARD}, int16: score code: 4 of 4 windows differ by up to 1 LSB"):
        bench.prove(wrong)


def test_an_accumulator_that_the_runtime_does_not_share_is_refused():
    with (
        mock.patch.object(ladder, "ort_gap", lambda *_: OrtGap("relative", 1e-7, 0.25)),
        pytest.raises(
            ParityBroken, match=r"ONNX Runtime, accumulator: scores of 2 of 8 windows differ by up to 1.0e-07"
        ),
    ):
        prove_reference(rung("accumulator"))


def test_all_windows_are_for_the_precision_that_ships_on_the_fastest_board():
    model = exported("float")
    codes = windows(20, 2, 128, seed=6).transpose(0, 2, 1)
    scored = score(model, Examples(codes, np.zeros(20, np.int8), 2))
    counts = codes.astype(np.int16)
    given = ("float", model, counts, codes, scored.codes, (0, 0), 8)
    ships, priced = (make_rung(*given, ships=ships) for ships in (True, False))
    assert [len(part.scores) for part in (ships.natively, ships.emulated, priced.natively, priced.emulated)] == [
        20,
        8,
        8,
        8,
    ]
    last = ships.natively.evenly(3)
    np.testing.assert_array_equal(last.scores, scored.codes[[0, 9, 19]])
    assert len(ships.emulated.evenly(30).scores) == 8
