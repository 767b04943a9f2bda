"""Costs by shape against the integer network itself, and by hand."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from stages.core.cgen.lifetimes import lifetimes
from stages.core.graph.export import export_onnx
from stages.core.graph.ir import Conv1d, Dense
from stages.core.graph.lower import lower
from stages.core.nets.costs import Costs, costs, worthwhile
from stages.core.nets.models import build_model
from stages.core.plan import plan
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from stages.core.schema.model import DsCnn, Layer, Mlp
from stages.core.seeds import seed_torch

CNN = DsCnn(
    kind="ds_cnn",
    stem=Layer(channels=6, kernel=4, stride=2),
    blocks=(Layer(channels=8, kernel=3, stride=2), Layer(channels=10, kernel=3, stride=1)),
)
HUNDRED = Costs(weight_bytes=100, macs=100, arena_bytes=100)


@pytest.mark.parametrize(
    ("section", "channels", "length", "outputs"),
    [(CNN, 2, 40, 3), (Mlp(kind="mlp", hidden=(5, 9)), 12, 1, 1), (Mlp(kind="mlp", hidden=(9, 3)), 12, 4, 2)],
)
def test_costs_are_those_of_the_lowered_network(section, channels, length, outputs):
    seed_torch(1)
    model = build_model(section, channels, outputs).eval()
    codes = np.random.default_rng(0).integers(-128, 128, (8, channels, length)).astype(np.int8)
    exported = export_onnx(ptq(model, codes, QuantOptions(2.0**-6)), channels, length, 2.0**-6)
    graph = lower(onnx.load_from_string(exported))
    layers = [op for op in graph.ops if isinstance(op, Conv1d | Dense)]
    apart = [replace(buffer, replaces=None) for buffer in lifetimes(graph)]
    assert costs(model, length) == Costs(
        weight_bytes=sum(op.weight.nbytes + op.bias.nbytes + op.multiplier.nbytes for op in layers),
        macs=sum(op.output.length * op.weight.size for op in layers),
        arena_bytes=plan(apart, alignment=1).lower_bound,
    )


def test_macs_of_a_dense_network_are_those_counted_by_hand():
    assert costs(build_model(Mlp(kind="mlp", hidden=(8, 4)), 12, 1), 1).macs == 12 * 8 + 8 * 4 + 4


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (Costs(96, 96, 96), False),
        (Costs(100, 95, 100), True),
        (Costs(95, 100, 120), True),
        (Costs(100, 100, 95), True),
    ],
)
def test_a_network_is_worthwhile_if_it_saves_a_twentieth_of_anything(after, expected):
    assert worthwhile(HUNDRED, after) is expected
