"""The production image with every step of its runtime, window for window against the models of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from stages.core.device.app import ALARM, ARENA_INTACT, stream
from stages.core.device.build import build_firmware, tick_hz
from stages.core.device.chain import Device
from stages.core.device.following import follow
from stages.core.device.injection import Place, inject
from stages.core.device.replay import RING_COUNTERS, Course, Stretch, replay
from stages.core.errors import ParityBroken
from stages.core.runtime.app import App
from stages.core.runtime.decision import UNCERTAIN, UNKNOWN, Codes, Rules
from stages.core.runtime.limits import fit_limits, measure
from stages.core.runtime.stream import Stream
from stages.core.schema.runtime import Policy
from tests.core.device.boards import BUILD, EMULATED, FIRMWARE, load_board, need_tools, write_generated
from tests.kernels import brute_force
from tests.kernels.random_networks import preprocess_contract, random_graph

WINDOW, CHANNELS, OUTPUTS = 128, 2, 2
RATE_HZ, BLOCK = 100.0, 8
RAILS = [(-32768, 32767)] * CHANNELS


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


@dataclass(frozen=True)
class Product:
    """A network with its runtime: its C, a stream for it, and the model of it at a clock's ticks per frame."""

    generated: Path
    counts: NDArray[np.int16]
    hop: int
    model: Callable[[float], App]

    @cache  # noqa: B019  as long as the tests of this module
    def build(self, name):
        need_tools(name)
        board, scratch = load_board(name), self.generated.parent / name
        sanitize = board.kind == "native"
        return build_firmware(FIRMWARE, self.generated, name, board, BUILD, scratch, sanitize=sanitize)

    def follow(self, name, change=lambda course: course):
        """Replay the stream on a board, changed by a fault, and return what its model decided and what came back."""
        board = load_board(name)
        device = Device(name, board, self.build(name).replay, 120)
        course = change(Course.of([Stretch(self.counts)], BLOCK, RATE_HZ, tick_hz(board)))
        replayed = replay(device, course, OUTPUTS)
        return follow(self.model(tick_hz(board) / RATE_HZ), course, replayed, name), replayed

    def __hash__(self):
        return hash(self.generated)


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """Random networks between a fault gate and a decision that use all they have."""
    known = {}

    @cache
    def make(pick="severest", late="drop_oldest", layers=0):
        rng = np.random.Generator(np.random.PCG64(31))
        graph = random_graph(rng, WINDOW, CHANNELS, OUTPUTS, "int16")
        contract = preprocess_contract(rng, WINDOW, CHANNELS, dc="none" if layers else "window_mean")
        contract["sample_rate_hz"] = RATE_HZ
        hop = contract["hop"] = 66 if layers else contract["hop"]  # the two layers have a position every six samples
        healthy, broken = recording(hop)

        def score_one(window):
            key = contract["dc"], window.tobytes()
            if key not in known:
                codes = brute_force.preprocess(contract, window)
                known[key] = brute_force.score_codes(brute_force.tensors(graph, codes)[-1])
            return known[key]

        def score(windows):
            return np.array([score_one(window) for window in windows])

        low, high = (np.quantile(score(healthy), q, axis=0).astype(int).tolist() for q in (0.4, 0.6))
        codes = tuple(Codes(b, a - 1, b - 3, b + 3) for a, b in zip(low, high, strict=True))
        limits = fit_limits(measure(healthy, RAILS), RAILS, WINDOW, quantile=1.0, headroom=1.1)
        folder = tmp_path_factory.mktemp("product")
        rules = Rules(codes, pick, True, 2 if pick == "highest" else 0, 2, 2, 3, 2, 3, 2)
        stream = Stream(BLOCK, late, 16, limits, (max(hop - 2 * BLOCK, 0), hop + 2 * BLOCK))
        made = folder / "generated"
        generated = write_generated(made, graph, contract, rules=rules, stream=stream, layers=layers)
        return Product(generated, broken, hop, lambda ticks: App(stream, rules, WINDOW, hop, ticks, score))

    return make


@pytest.mark.parametrize(("pick", "layers"), [("severest", 0), ("highest", 0), ("severest", 2)])
def test_every_window_of_a_broken_byte_stream_is_decided_as_the_models_do(product, pick, layers):
    product = product(pick, layers=layers)
    model = product.model(1.0)
    taken = []
    for number, block in enumerate(product.counts[: len(product.counts) // BLOCK * BLOCK].reshape(-1, BLOCK, CHANNELS)):
        model.ring.push(number, block)
        while (window := model.ring.take()) is not None:
            taken.append(window)
    expected = model.decide(taken, [product.hop] * len(taken))
    images = product.build("native")
    records = stream(images.app, "native", load_board("native"), product.counts, len(expected), OUTPUTS, timeout_s=60)
    assert records["class"].tolist() == [each.class_ for each in expected]
    assert records["state"].tolist() == [each.state for each in expected]
    assert records["causes"].tolist() == [each.causes for each in expected]
    assert records["codes"].tolist() == [list(each.codes) for each in expected]
    assert (records["flags"] & ARENA_INTACT).all()
    assert ((records["flags"] & ALARM) > 0).tolist() == [each.state > 0 for each in expected]
    assert (records["windows"][-1], records["positive"][-1]) == (model.decision.windows, model.decision.positive)
    # The course has some of everything.
    assert model.decision.events > 0
    assert {0, 1, UNKNOWN} <= set(records["class"].tolist()) <= {0, 1, 2, UNCERTAIN, UNKNOWN}
    assert model.decision.unknown >= 3


def torn(course):
    """Lose some blocks, and let others wait for their successors."""
    rng = np.random.Generator(np.random.PCG64(7))
    kept = np.sort(rng.choice(len(course.numbers), len(course.numbers) * 9 // 10, replace=False))
    late = np.where(rng.random(len(kept)) < 0.05, 40, 0)
    quanta = np.maximum(course.quanta[kept] + late - np.roll(late, 1), 1)
    return replace(course, frames=course.frames[kept], numbers=course.numbers[kept], quanta=quanta)


@pytest.mark.parametrize("board", ["native", *EMULATED])
def test_every_window_of_a_stream_in_time_is_decided_as_the_models_do(product, board):
    product = product()
    decided, replayed = product.follow(board)
    assert len(decided) == (len(product.counts) // BLOCK * BLOCK - WINDOW) // product.hop + 1
    assert all(replayed.counters[f"ring.{name}"] == 0 for name in RING_COUNTERS)
    assert replayed.counters["fault.timing"] == 0
    assert replayed.counters["fault.unknown"] >= 3
    decided, replayed = product.follow(board, torn)
    assert replayed.counters["ring.lost"] > 0
    assert replayed.counters["fault.timing"] > 0


@pytest.mark.parametrize(("board", "late"), list(zip(EMULATED, get_args(Policy), strict=True)))
def test_a_product_that_cannot_keep_up_loses_windows_and_counts_them(product, board, late):
    product = product(late=late)
    _, alone = product.follow(board)
    place = Place(RAILS, product.hop, max(sum(look.ticks) for look in alone.looks))
    decided, replayed = product.follow(board, lambda course: inject("slow", course, place, 1))
    assert 5 < len(decided) < sum(look.record is not None for look in alone.looks)
    assert replayed.counters[f"ring.{'dropped' if late == 'drop_oldest' else 'skipped'}"] > 0
    lost = sum(replayed.counters[f"ring.{kind}"] for kind in ("lost", "cut", "dropped", "skipped"))
    assert lost == decided[-1].passed_over == sum(each.missed for each in decided)


@pytest.mark.parametrize("field", ["class", "state", "causes", "codes", "missed", "passed_over_frames", "positive"])
def test_one_wrong_field_of_one_window_is_found_and_named(product, field):
    product = product()
    _, replayed = product.follow("native")
    course = Course.of([Stretch(product.counts)], BLOCK, RATE_HZ, tick_hz(load_board("native")))
    looks = [replace(look, record=look.record and look.record.copy()) for look in replayed.looks]
    seventh = [look for look in looks if look.record is not None][7]
    seventh.record[field] += 1
    model = product.model(tick_hz(load_board("native")) / RATE_HZ)
    with pytest.raises(ParityBroken, match=f"window 7, from frame {7 * product.hop}: {field} is "):
        follow(model, course, replace(replayed, looks=looks), "native")


def test_one_wrong_counter_or_line_of_the_log_is_found_and_named(product):
    product = product()
    _, replayed = product.follow("native")
    board = load_board("native")
    course = Course.of([Stretch(product.counts)], BLOCK, RATE_HZ, tick_hz(board))
    counters = replayed.counters | {"fault.stuck": replayed.counters["fault.stuck"] + 1}
    log = bytearray(replayed.log)
    log[-12] ^= 1  # the first score of the record that lies last
    for name, wrong in (("fault.stuck", replace(replayed, counters=counters)), ("score", replace(replayed, log=log))):
        with pytest.raises(ParityBroken, match=f"{name} is "):
            follow(product.model(tick_hz(board) / RATE_HZ), course, wrong, "native")
