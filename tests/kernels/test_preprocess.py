"""The generated preprocessing against its numpy definition: random contracts of every kind, native and on both boards.

Each contract has a code from every kind of scaler. On native one example is one program, in a sanitized build, and a
counterexample shrinks. On a board one example is one image with a program of every kind, too slow to build to shrink.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from stages.core.cgen.emit import emit
from stages.core.cgen.lifetimes import lifetimes
from stages.core.device.harness import qemu_command
from stages.core.device.tools import call
from stages.core.dsp.contract import Affine, Code, Preprocess, Raw, Table, preprocess, values
from stages.core.dsp.extractors import Bands, Stats
from stages.core.dsp.histogram import Histogram
from stages.core.dsp.scalers import Column, fit_codes
from stages.core.errors import RecordingError
from stages.core.graph.ir import GlobalAveragePool, Graph, Tensor
from stages.core.plan import plan
from stages.core.runtime.decision import Rules
from stages.core.schema.features import Extractor, Scaler
from tests.core.device.boards import EMULATED, FIRMWARE, load_board, need_tools
from tests.core.dsp.contracts import CHANNELS, RATE_HZ, SCALERS

HERE = Path(__file__).parent
FULL_SCALE = 32768
Rng = np.random.Generator


PROFILE = settings(
    derandomize=True,
    deadline=None,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Kind:
    """What a contract is, apart from its numbers; frame is that of bands."""

    extractor: str
    dc: str
    normalised: bool
    frame: int = 0
    sample_type: str = "int16"


OPTIONS = [("none", False), ("none", True), ("window_mean", False), ("window_mean", True)]
FRAMES = [16, 32, 64, 128, 256, 512, 1024]
KINDS = [
    *(Kind(extractor, *option) for extractor in ("raw", "stats") for option in OPTIONS),
    *(Kind("bands", *option, frame) for frame, option in zip(FRAMES, itertools.cycle(OPTIONS), strict=False)),
    Kind("raw", "none", False, sample_type="int32"),
]


class Case:
    """A contract, whose codes are named ``<scaler>:<column>``, and windows to run it on."""

    def __init__(self, contract: Preprocess, windows: np.ndarray) -> None:
        self.contract, self.windows = contract, windows

    def __repr__(self) -> str:
        return f"{replace(self.contract, codes=())} on {len(self.windows)} windows"


@st.composite
def cases(draw: st.DrawFn, kind: Kind) -> Case:
    """The first choice everywhere, which is what is tried first, is a case with several channels and frames."""
    lengths = st.sampled_from([max(64, 2 * kind.frame), max(256, 4 * kind.frame), max(16, kind.frame)])
    if kind.dc == "none":
        lengths = st.one_of(lengths, st.integers(max(kind.frame, 1 if kind.extractor == "raw" else 2), 1100))
    window = draw(lengths)
    contract = Preprocess(
        sample_rate_hz=RATE_HZ,
        channels=CHANNELS[: draw(st.sampled_from([2, 3, 1]))],
        window=window,
        hop=window,
        dc=kind.dc,
        epsilon=draw(st.sampled_from([1, 20, 32767])) if kind.normalised else None,
        extractor=draw(extractors(kind, window)),
        sample_type=kind.sample_type,
    )
    rng = np.random.Generator(np.random.PCG64(draw(st.integers(0, 99))))
    ordinary = noise(rng, (12, window, len(contract.channels)), np.dtype(kind.sample_type))
    scalers = [draw(scaler) for scaler in SCALERS.values()]
    contract = replace(contract, codes=programs(contract, scalers, ordinary, rng))
    far = extremes(contract, rng) if kind.sample_type == "int16" else wide_extremes(contract)
    return Case(contract, np.concatenate([far, ordinary]))


def extractors(kind: Kind, window: int) -> st.SearchStrategy[Raw | Bands | Stats]:
    hop = st.integers(max(1, window // 8), window)
    if kind.extractor == "raw":
        return st.just(Raw())
    if kind.extractor == "stats":
        return st.builds(Stats, st.one_of(st.just(max(2, window // 3)), st.integers(2, window)), hop)
    edges = st.lists(st.integers(0, kind.frame // 2 + 1), min_size=2, max_size=6, unique=True)
    return st.builds(Bands, st.just(kind.frame), hop, st.sampled_from(["hann", "rect"]), edges.map(sorted).map(tuple))


def noise(rng: Rng, shape: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    """Windows of every loudness, some with an offset."""
    range_ = np.iinfo(dtype)
    loudness = 2.0 ** rng.uniform(0, range_.bits - 1, (shape[0], 1, shape[2]))
    offset = rng.choice([0, 5, 2000, -9000], (shape[0], 1, shape[2]))
    return np.clip(np.rint(rng.normal(0, loudness, shape) + offset), range_.min, range_.max).astype(dtype)


def extremes(contract: Preprocess, rng: Rng) -> np.ndarray:
    """Constants and square waves at both ends of the range, an impulse, and ramps through int16 values.

    Without normalisation raw windows take every int16 value in every channel.
    """
    length, channels = contract.window, len(contract.channels)
    t = np.arange(length)[np.newaxis, :, np.newaxis]
    ends = np.stack([np.full_like(t, v)[0] for v in (-32768, 32767, 0, -1)])
    square = [np.where((t[0] // width) % 2, 32767, -32768) for width in (1, 7, max(length // 2, 1))]
    impulse = np.where(t[0] == rng.integers(length), -32768, 0)
    ramps = np.resize(np.arange(-32768, 32768), (-(-65536 // length), length, 1))
    if contract.epsilon is not None or not isinstance(contract.extractor, Raw):
        ramps = ramps[np.unique(np.linspace(0, len(ramps) - 1, 5).astype(int))]
    shapes = np.concatenate([ends, np.stack([*square, impulse]), ramps])
    return np.repeat(shapes, channels, axis=2).astype(np.int16)


def wide_extremes(contract: Preprocess) -> np.ndarray:
    """Both ends of int32, zero, and each value at which a code begins with both its neighbours, in every channel."""
    edges = np.concatenate([code.program.edges() for code in contract.codes])
    told = np.concatenate([[-(2**31), 2**31 - 1, 0, -1], *(edges + step for step in (-1, 0, 1))])
    row = np.unique(np.clip(told, -(2**31), 2**31 - 1)).astype(np.int32)
    shape = (-(-len(row) // contract.window), contract.window, 1)
    return np.repeat(np.resize(row, shape), len(contract.channels), axis=2)


def programs(contract: Preprocess, scalers: list[Any], windows: np.ndarray, rng: Rng) -> tuple[Code, ...]:
    """A code of every scaler, and two programs that no scaler would make, each on one of the columns."""
    features = values(contract, windows)
    made = []
    for scaler in scalers:
        source = int(rng.integers(len(contract.columns)))
        fits = fit(scaler, contract, features[:, :, source], rng)
        made += [(scaler.kind, source, code.program) for code in fits]
    for program in (any_affine(contract.value_limit, rng), any_table(contract.value_limit, rng)):
        made.append(("any", int(rng.integers(len(contract.columns))), program))
    return tuple(Code(f"{kind}:{contract.columns[source]}", source, program) for kind, source, program in made)


def fit(scaler: Any, contract: Preprocess, column: np.ndarray, rng: Rng) -> tuple[Code, ...]:
    """Fit to what the column really holds, or, where that does not vary enough, to values that do."""
    try:
        return fit_codes(scaler, [_column(contract, column[::2], column[1::2])])
    except RecordingError:
        healthy = np.arange(-500, 500) * rng.integers(1, 60)
        return fit_codes(scaler, [_column(contract, healthy, 2 * healthy)])


def _column(contract: Preprocess, healthy: np.ndarray, events: np.ndarray) -> Column:
    return Column("column", Histogram.of(healthy), Histogram.of(events), contract.value_limit, FULL_SCALE)


def any_affine(limit: int, rng: Rng) -> Affine:
    """Any program that fits int32, often with the largest product."""
    bits, largest_shift = (31, 30) if limit < 2**17 else (63, 46)
    offset, shift = int(rng.integers(-limit, limit)), int(rng.integers(1, largest_shift + 1))
    largest = min((2**bits - 1 - 2 ** (shift - 1)) // (limit + abs(offset)), 2**13 - 1)
    return Affine(offset, largest if rng.random() < 0.5 else int(rng.integers(1, largest + 1)), shift)


def any_table(limit: int, rng: Rng) -> Table:
    """Breakpoints anywhere, many of them equal where the range they come from is small."""
    bound = rng.choice([3, 1000, 2**17 if limit < 2**17 else 2**31 - 1])
    return Table(tuple(sorted(rng.integers(-bound, bound, 255, endpoint=True).tolist())))


class Device:
    """A board with an image of `n_cases` programs, configured once and rebuilt for every example."""

    def __init__(self, name: str, folder: Path, n_cases: int) -> None:
        self.name, self.folder, self.board = name, folder, load_board(name)
        for i in range(n_cases):
            (folder / "cases" / str(i)).mkdir(parents=True)
            (folder / "cases" / str(i) / "preprocess.c").touch()
        options = {
            "TG_BOARD": name,
            "TG_FORWARD_ONLY": "ON",
            "CMAKE_PROJECT_tailgate_firmware_INCLUDE": HERE / "preprocess_runner.cmake",
            "TG_RUNNER_SOURCE": HERE / "preprocess_runner.c",
            "TG_CASES": folder / "cases",
            "TG_LAST_CASE": n_cases - 1,
            "TG_OPTIMIZE": "-O3" if name in EMULATED else "-O1",
            "TG_SANITIZE": "OFF" if name in EMULATED else "ON",
        }
        if name in EMULATED:
            options["CMAKE_TOOLCHAIN_FILE"] = FIRMWARE / "cmake" / "arm-none-eabi.cmake"
        defines = [f"-D{key}={value}" for key, value in options.items()]
        call(["cmake", "-G", "Ninja", "-S", FIRMWARE, "-B", folder / "build", *defines], name)

    def run(self, examples: list[Case]) -> list[np.ndarray]:
        """Build the programs into one image, run it once, and return each one's codes."""
        for i, case in enumerate(examples):
            for name, text in generated(case.contract).items():
                (self.folder / "cases" / str(i) / name).write_text(text, encoding="utf-8")
        (self.folder / "cases" / "cases.h").write_text(table([case.contract for case in examples]), encoding="utf-8")
        call(["ninja", "-C", self.folder / "build", "-j", "1", "preprocess_runner"], self.name)
        return self._exchange(examples)

    def _exchange(self, examples: list[Case]) -> list[np.ndarray]:
        requests = [np.uint32(len(case.windows)).tobytes() + case.windows.tobytes() for case in examples]
        (self.folder / "request.bin").write_bytes(b"".join(requests))
        command: list[str | Path] = [self.folder / "build" / "preprocess_runner.elf"]
        if self.board.kind == "qemu":
            command = [*qemu_command(self.board, command[0]), "-semihosting", "-serial", "null"]
        call(command, self.name, cwd=self.folder, timeout_s=120)
        answer = np.fromfile(self.folder / "response.bin", np.int8)
        shapes = [(len(case.windows), *case.contract.shape) for case in examples]
        ends = np.cumsum([np.prod(shape) for shape in shapes])
        assert len(answer) == ends[-1], "the device gave another number of codes than its contracts have"
        return [part.reshape(shape) for part, shape in zip(np.split(answer, ends[:-1]), shapes, strict=True)]


def generated(contract: Preprocess) -> dict[str, str]:
    """The program's C, with the smallest network that reads its codes."""
    codes = Tensor("codes", *contract.shape, 1.0, 0)
    means = Tensor("means", 1, len(contract.codes), 1.0, 0)
    graph = Graph(codes, means, (GlobalAveragePool("pool", codes, means, np.float32(1 / codes.length), -128, 127),))
    rules = Rules.plain([0] * len(contract.codes))
    files = emit(graph, plan(lifetimes(graph)), contract.to_json(), rules=rules, model_sha256="0" * 64)
    return {name: files[name] for name in ("contract.h", "preprocess.h", "preprocess.c")}


def table(contracts: list[Preprocess]) -> str:
    """cases.h."""
    lines = []
    for i, contract in enumerate(contracts):
        n_samples, n_codes = contract.window * len(contract.channels), int(np.prod(contract.shape))
        sample = f"{contract.sample_type}_t"
        lines += [f"void tg_preprocess_{i}(const {sample} *samples, int8_t *codes);"]
        lines += [f"static void run_{i}(const void *samples, int8_t *codes) {{ tg_preprocess_{i}(samples, codes); }}"]
        lines += [f"static {sample} samples_{i}[{n_samples}];", f"static int8_t codes_{i}[{n_codes}];"]
    rows = [
        f"{{ run_{i}, samples_{i}, sizeof samples_{i}, codes_{i}, sizeof codes_{i} }}," for i in range(len(contracts))
    ]
    return "\n".join([*lines, "static const preprocess_case cases[] = {", *rows, "};", ""])


def check(device: Device, examples: list[Case]) -> None:
    """Require equal codes, and that the example tests what it should."""
    for case, codes in zip(examples, device.run(examples), strict=True):
        contract = case.contract
        assert {code.name.split(":")[0] for code in contract.codes} == {*kinds_in(Scaler), "any"}
        assert {code.program.kind for code in contract.codes} == {"affine", "table"}
        range_ = np.iinfo(contract.sample_type)
        assert case.windows.dtype == range_.dtype
        assert (case.windows.min(), case.windows.max()) == (range_.min, range_.max)
        assert len(np.unique(codes)) > 20
        different = np.flatnonzero(np.any(codes != preprocess(contract, case.windows), axis=(0, 1)))
        assert not different.size, f"{replace(contract, codes=())}: {[contract.codes[i] for i in different]}"


def kinds_in(union: Any) -> set[str]:
    """Kinds that the configuration knows."""
    return set(TypeAdapter(union).json_schema()["discriminator"]["mapping"])


def kind_of(contract: Preprocess) -> Kind:
    spec = contract.extractor
    frame = spec.frame if isinstance(spec, Bands) else 0
    return Kind(spec.kind, contract.dc, contract.epsilon is not None, frame, contract.sample_type)


def test_kinds_are_every_combination_that_the_configuration_knows_and_every_size_of_fft():
    assert {(k.extractor, k.dc, k.normalised) for k in KINDS} == set(
        itertools.product(kinds_in(Extractor), ("none", "window_mean"), (False, True))
    )
    assert {k.frame for k in KINDS if k.extractor == "bands"} == {2**k for k in range(4, 11)}


@pytest.fixture(scope="module")
def native(tmp_path_factory) -> Device:
    need_tools("native")
    return Device("native", tmp_path_factory.mktemp("native"), 1)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_generated_c_equals_numpy_natively(native, kind):
    seen = []

    @settings(PROFILE, max_examples=3)
    @given(cases(kind))
    def property_holds(case):
        check(native, [case])
        seen.append(kind_of(case.contract))

    property_holds()
    assert set(seen) == {kind}


@pytest.fixture(scope="module", params=EMULATED)
def emulated(request, tmp_path_factory) -> Device:
    need_tools(request.param)
    return Device(request.param, tmp_path_factory.mktemp(request.param), len(KINDS))


def test_generated_c_equals_numpy_on_an_emulated_board(emulated):
    seen = []

    @settings(PROFILE, max_examples=3, phases=[Phase.generate])
    @given(st.tuples(*map(cases, KINDS)))
    def property_holds(examples):
        check(emulated, list(examples))
        seen.append([kind_of(case.contract) for case in examples])

    property_holds()
    assert seen
    assert all(kinds == KINDS for kinds in seen)
