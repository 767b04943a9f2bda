"""Instructions of the kernels: those of the peers' network and of one over images, and what counts as a regression."""

from __future__ import annotations

import json

import pytest

from tests.bench.kernels import BARS, REFERENCE, faults, image, measure, peers, per_mac
from tests.core.device.boards import EMULATED, need_tools


@pytest.mark.parametrize("board", EMULATED)
def test_the_networks_take_no_more_instructions_than_they_did(board):
    need_tools(board)
    layers = measure(board, {"peers": peers(), "image": image()})
    assert sum(layer.macs for layer in layers["peers"]) == 219_264
    figures = {name: per_mac(of_network) for name, of_network in layers.items()}
    assert not list(faults(board, figures, json.loads(REFERENCE.read_text())))


def test_every_bar_has_a_stored_figure_below_it():
    stored = json.loads(REFERENCE.read_text())
    for board, bars in BARS.items():
        assert all(0 < stored[board][name] <= bar for name, bar in bars.items())


def test_three_per_cent_more_than_stored_and_a_figure_above_its_bar_are_faults():
    stored = {"mps3_an547": {"peers": 0.3}}
    assert not list(faults("mps3_an547", {"peers": 0.308}, stored))
    assert list(faults("mps3_an547", {"peers": 0.31}, stored)) == [
        "mps3_an547: peers takes 0.31 instructions per MAC, it was 0.3"
    ]
    assert list(faults("mps3_an547", {"peers": 0.37}, {})) == [
        "mps3_an547: peers takes 0.37 instructions per MAC, more than 0.36"
    ]
