"""The production image with every step of its runtime, window for window against the models of them."""

from __future__ import annotations

import numpy as np
import pytest

from stages.core.device.app import ALARM, ARENA_INTACT, stream
from stages.core.device.build import build_firmware
from stages.core.runtime.decision import UNCERTAIN, UNKNOWN, Codes, Decision, Rules
from stages.core.runtime.fault import FaultGate, Timing
from stages.core.runtime.limits import fit_limits, measure
from stages.core.runtime.ring import Ring
from tests.core.device.boards import BUILD, FIRMWARE, load_board, need_tools, write_generated
from tests.kernels import brute_force
from tests.kernels.random_networks import preprocess_contract, random_graph

WINDOW, CHANNELS, OUTPUTS = 128, 2, 2
RAILS = (-32768, 32767)


def recording(hop):
    """Two tones in noise that come and go, and three faults: a stuck axis, a rail and a spike."""
    rng = np.random.Generator(np.random.PCG64(41))
    t = np.arange(60 * hop)
    loud = np.where((t // (8 * hop)) % 2, 9000, 1500)[:, None]
    counts = np.clip(np.rint(loud * rng.normal(0, 1, (len(t), CHANNELS))), -32000, 32000).astype(np.int16)
    healthy = np.stack([counts[s : s + WINDOW] for s in range(0, len(counts) - WINDOW + 1, hop)])
    broken = counts.copy()
    broken[14 * hop : 14 * hop + 60, 1] = broken[14 * hop, 1]
    broken[33 * hop : 33 * hop + 20] = 32767
    broken[50 * hop, 0] = -32768
    return healthy, broken


def host(rules, limits, counts, hop, scores):
    """What the models make of a stream: per window the class, whether there is an alarm, and the codes."""
    ring, gate, decision = (
        Ring(WINDOW + hop, WINDOW, hop),
        FaultGate(limits, Timing(2**32 - 1, 0, 2**32 - 1)),
        Decision(rules),
    )
    expected = []
    for number, frame in enumerate(counts):
        ring.push(number, frame[None])
        while (taken := ring.take()) is not None:
            if gate.judge(taken.frames, taken.missed, 0):
                expected.append((decision.reject(), decision.state > 0, [0] * OUTPUTS))
            else:
                codes = scores(taken.frames)
                expected.append((decision.update(codes), decision.state > 0, codes))
    return expected, decision


@pytest.mark.parametrize(("pick", "layers"), [("severest", 0), ("highest", 0), ("severest", 2)])
def test_every_window_of_a_broken_stream_is_decided_as_the_models_do(tmp_path, pick, layers):
    need_tools("native")
    rng = np.random.Generator(np.random.PCG64(31))
    graph = random_graph(rng, WINDOW, CHANNELS, OUTPUTS, "int16")
    contract = preprocess_contract(rng, WINDOW, CHANNELS, dc="none" if layers else "window_mean")
    hop = contract["hop"] = 66 if layers else contract["hop"]  # the two layers have a position every six samples
    healthy, broken = recording(hop)

    def scores(window):
        return brute_force.score_codes(brute_force.tensors(graph, brute_force.preprocess(contract, window))[-1])

    of_healthy = np.array([scores(window) for window in healthy])
    low, high = (np.quantile(of_healthy, q, axis=0).astype(int).tolist() for q in (0.4, 0.6))
    codes = tuple(Codes(b, a - 1, b - 3, b + 3) for a, b in zip(low, high, strict=True))
    rules = Rules(codes, pick, True, 2 if pick == "highest" else 0, 2, 2, 3, 2, 3, 2)
    limits = fit_limits(measure(healthy, RAILS), RAILS, quantile=1.0, headroom=1.1)

    generated = write_generated(tmp_path / "generated", graph, contract, rules=rules, limits=limits, layers=layers)
    board = load_board("native")
    images = build_firmware(FIRMWARE, generated, "native", board, BUILD, tmp_path / "build", sanitize=True)
    expected, decision = host(rules, limits, broken, hop, scores)
    records = stream(images.app, "native", board, broken, len(expected), OUTPUTS, timeout_s=60)
    assert records["class"].tolist() == [class_ for class_, _, _ in expected]
    assert ((records["flags"] & ALARM) > 0).tolist() == [alarm for _, alarm, _ in expected]
    assert records["codes"].tolist() == [each for _, _, each in expected]
    assert (records["flags"] & ARENA_INTACT).all()
    assert (records["windows"][-1], records["anomalies"][-1]) == (decision.windows, decision.positive)
    # The course has some of everything.
    assert decision.events > 0
    assert {0, 1, UNKNOWN} <= set(records["class"].tolist()) <= {0, 1, 2, UNCERTAIN, UNKNOWN}
    assert decision.unknown >= 3
