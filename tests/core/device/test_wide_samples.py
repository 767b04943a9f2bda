"""Counts of 32 bits: the harness and the app take them whole, and refuse narrower ones."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.device import harness
from stages.core.device.app import stream
from stages.core.device.build import build_firmware
from stages.core.errors import ArtifactError
from tests.core.device.boards import BUILD, EMULATED, FIRMWARE, load_board, need_tools, write_generated
from tests.kernels import brute_force
from tests.kernels.random_networks import preprocess_contract, random_graph

WINDOW = 128
#: One code of the network per 2**16 counts: 16 bits would see none of it.
PROGRAM = {"kind": "affine", "offset": 1_000_000, "multiplier": 4096, "shift": 28}


@pytest.fixture(scope="module", params=["native", *EMULATED])
def board(request, tmp_path_factory):
    name = request.param
    need_tools(name)
    rng = np.random.Generator(np.random.PCG64(71))
    graph = random_graph(rng, WINDOW, 1, precision="float32")
    contract = preprocess_contract(rng, WINDOW, 1, dc="none") | {"sample_type": "int32"}
    contract["codes"][0]["program"] = PROGRAM
    folder = tmp_path_factory.mktemp(name)
    generated = write_generated(folder / "generated", graph, contract, (0,))
    return name, build_firmware(FIRMWARE, generated, name, load_board(name), BUILD, folder / "build"), graph


@pytest.fixture(scope="module")
def windows():
    rng = np.random.Generator(np.random.PCG64(72))
    counts = rng.integers(-(2**23), 2**23, (4, WINDOW, 1)).astype(np.int32)
    counts[0] = rng.choice([-(2**31), 2**31 - 1], counts[0].shape)
    return counts


def run(board, samples, folder):
    name, images, _ = board
    request = harness.encode_run(samples)
    response = harness.execute(images.harness, name, load_board(name), request, folder, timeout_s=60)
    return harness.decode_run(response, len(samples))


def by_hand(window):
    """The affine program in Python's integers."""
    offset, multiplier, shift = PROGRAM["offset"], PROGRAM["multiplier"], PROGRAM["shift"]
    codes = [((int(x) - offset) * multiplier + (1 << (shift - 1))) >> shift for x in window.ravel()]
    return np.clip(codes, -128, 127).astype(np.int8).reshape(window.shape)


def test_the_harness_computes_from_whole_counts(board, windows, tmp_path):
    result = run(board, windows, tmp_path)
    for row, window in enumerate(windows):
        codes = by_hand(window)
        assert len(np.unique(codes)) > 1
        assert result.codes_hash[row] == harness.fnv1a(codes.tobytes())
        assert result.scores[row].tolist() == brute_force.score_codes(brute_force.tensors(board[2], codes)[-1])


def test_the_app_reads_them_from_its_stream(board, windows, tmp_path):
    name, images, _ = board
    recording = windows.reshape(-1, 1)
    cut = np.stack([recording[start : start + WINDOW] for start in range(0, len(recording) - WINDOW + 1, WINDOW // 2)])
    records = stream(images.app, name, load_board(name), recording, len(cut), 1, timeout_s=60)
    assert records["codes"].tolist() == run(board, cut, tmp_path).scores.tolist()
    assert len(np.unique(records["codes"])) > 1


def test_narrower_counts_are_refused(board, windows, tmp_path):
    with pytest.raises(ArtifactError, match="sample width is not the firmware's"):
        run(board, windows.astype(np.int16), tmp_path)
