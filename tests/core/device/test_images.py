"""Images: sizes add up, foreign code in the app is refused, and whatever fails says what and where."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from stages.core.cgen.weights import pack_weights
from stages.core.device.build import build_firmware
from stages.core.device.harness import encode_run, execute
from stages.core.device.size import COMPONENTS, check_production, measure
from stages.core.errors import ConfigError, ToolchainError
from tests.core.device.boards import BUILD, EMULATED, FIRMWARE, load_board, need_tools, write_generated
from tests.kernels.random_networks import preprocess_contract, random_graph


@pytest.fixture(scope="module")
def network():
    rng = np.random.Generator(np.random.PCG64(41))
    return random_graph(rng, 128, 1), preprocess_contract(rng, 128, 1)


@pytest.fixture
def build(network, tmp_path):
    """Build a board from a firmware copy that the test may spoil, given as {file: (old, new)}."""

    def run(name, **spoil):
        need_tools(name)
        source = tmp_path / "firmware"
        shutil.copytree(FIRMWARE, source, ignore=shutil.ignore_patterns("generated"))
        generated = write_generated(source / "generated", *network)
        for file, (old, new) in spoil.items():
            path = source / file
            text = path.read_text(encoding="utf-8")
            assert old in text
            path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return build_firmware(source, generated, name, load_board(name), BUILD, tmp_path / "build")

    return run


@pytest.mark.parametrize("name", EMULATED)
def test_components_add_up_and_the_arena_is_the_plan(name, build, network):
    images = build(name)
    report = measure(images.app, images.app_map)
    parts = report["components"]
    assert set(parts) == set(COMPONENTS)
    for key in ("flash_bytes", "ram_bytes"):
        assert sum(part[key] for part in parts.values()) == report["total"][key]
        assert 0 <= parts["padding"][key] < 64
    graph, contract = network
    weights = len(pack_weights(graph)[0])
    version = 16 + 32  # a mark, and the hash behind it
    assert weights + version < parts["model"]["flash_bytes"] < weights + version + 300
    assert parts["stack"]["ram_bytes"] == load_board(name).budget.stack_bytes
    held = contract["window"] + contract["hop"] + 1  # frames, one a block, each with its time of arrival
    ring_and_window = 2 * len(contract["channels"]) * (held + contract["window"]) + 4 * held
    assert ring_and_window <= parts["app"]["ram_bytes"] < ring_and_window + 512  # a block, states, log
    assert parts["kernels"]["flash_bytes"] > 0 == parts["kernels"]["ram_bytes"]
    check_production(images.app, images.app_map, name)


@pytest.mark.parametrize("name", EMULATED)
def test_an_app_with_more_of_libc_is_refused(name, build):
    images = build(name, **{"app/main.c": ("return 0;", "return (int)__builtin_strlen((char *)record);")})
    with pytest.raises(ToolchainError, match=rf"board {name}, app.elf: it links \S*strlen\S* from libc"):
        check_production(images.app, images.app_map, name)


@pytest.mark.parametrize("name", EMULATED)
def test_an_app_with_a_semihosting_trap_is_refused(name, build):
    images = build(name, **{"app/main.c": ("return 0;", '__asm volatile("bkpt 0xab"); return 0;')})
    with pytest.raises(ToolchainError, match="semihosting trap"):
        check_production(images.app, images.app_map, name)


def test_a_compile_error_is_reported_with_its_line(build):
    with pytest.raises(ToolchainError, match=r"board native: ninja ended with status 1: .*error: .*wibble"):
        build("native", **{"runtime/ring.c": ("ring->gaps++;", "wibble;")})


def test_an_overflowing_preprocess_constant_does_not_compile(build):
    with pytest.raises(ToolchainError, match=r"static assertion failed: .*the product fits int32"):
        build("native", **{"generated/preprocess.c": ("LL * ", "LL * 99999 * ")})


@pytest.mark.parametrize("name", EMULATED)
def test_a_crash_on_the_board_is_reported(name, build, tmp_path):
    crash = ("tg_level levels[", '__asm volatile("udf #0"); tg_level levels[')
    images = build(name, **{"generated/preprocess.c": crash})
    request = encode_run(np.zeros((1, 128, 1), np.int16))
    with pytest.raises(ToolchainError, match=rf"board {name}: qemu-system-arm ended with status 70"):
        execute(images.harness, name, load_board(name), request, tmp_path, timeout_s=20)


def test_a_stack_overflow_is_a_crash_and_not_overwritten_data(build, tmp_path):
    name = "mps3_an547"  # QEMU's mps2-an386 ignores writes below RAM, so there an overflow is silent but harms no data.
    overflow = ("tg_level levels[", "volatile char deep[6000]; deep[0] = deep[5999] = 0; tg_level levels[")
    images = build(name, **{"generated/preprocess.c": overflow})
    request = encode_run(np.zeros((1, 128, 1), np.int16))
    with pytest.raises(ToolchainError, match=r"status|did not finish"):
        execute(images.harness, name, load_board(name), request, tmp_path, timeout_s=5)


def test_a_board_without_a_port_is_refused(build, tmp_path):
    board = load_board("native")
    with pytest.raises(ConfigError, match=r"board.toaster: .*no port.* one of mps2_an386, mps3_an547, native"):
        build_firmware(FIRMWARE, tmp_path, "toaster", board, BUILD, tmp_path / "build")


@pytest.mark.parametrize(
    ("name", "package"), [("native", "apt-get install gcc`"), ("mps3_an547", "apt-get install gcc-arm-none-eabi`")]
)
def test_a_missing_compiler_is_named_with_its_package(name, package, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolchainError, match=rf"board {name}: .* is not installed.*{package}"):
        build_firmware(FIRMWARE, tmp_path, name, load_board(name), BUILD, tmp_path / "build")
