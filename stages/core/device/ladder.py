"""Every precision of the network on every board: that it agrees with its reference, and what it costs there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.cgen.weights import pack_weights
from stages.core.device.chain import Device, Expected, measure, over_budget, prove, prove_formula
from stages.core.device.harness import Samples
from stages.core.errors import ParityBroken
from stages.core.graph.lower import read_graph
from stages.core.graph.runtime import ort_gap
from stages.core.parity import Agreement, choose_windows
from stages.core.schema.build import NativeBoard, QemuBoard

#: Runs of each window by a precision that does not ship: the fewest that show whether it repeats itself.
RUNG_REPEATS = 2
_PRICE = ("flash_bytes", "ram_bytes", "arena_bytes", "stack_high_water_bytes")


@dataclass(frozen=True)
class Rung:
    """A precision of the network, and the windows that prove it.

    Attributes
    ----------
    name : str
    model : bytes
        ONNX.
    ships : bool
    natively, emulated : Expected
        The windows for the native build, and those for each emulated board.
    weight_bytes : int
        Of all constants.
    """

    name: str
    model: bytes
    ships: bool
    natively: Expected
    emulated: Expected
    weight_bytes: int


def make_rung(
    name: str,
    model: bytes,
    samples: Samples,
    codes: NDArray[np.int8],
    scores: NDArray[np.int32],
    threshold_codes: Sequence[int],
    n_windows: int,
    *,
    ships: bool,
) -> Rung:
    """Choose the windows that prove a precision: natively all of them if it ships, on emulated boards some.

    Parameters
    ----------
    name : str
    model : bytes
        ONNX.
    samples : ndarray of int16 or int32, shape (windows, length, channels)
    codes : ndarray of int8, shape (windows, length, channels)
        What preprocessing makes of them.
    scores : ndarray of int32, shape (windows, outputs)
        Score codes of the reference.
    threshold_codes : sequence of int
        One per output.
    n_windows : int
        For an emulated board.
    ships : bool
    """
    graph = read_graph(model)
    expected = Expected(graph, samples, np.asarray(codes), scores)
    chosen = expected.rows(choose_windows(codes, scores, threshold_codes, n_windows))
    return Rung(name, model, ships, expected if ships else chosen, chosen, len(pack_weights(graph)[0]))


@dataclass(frozen=True)
class Climb:
    """What came of the rungs.

    Attributes
    ----------
    agreements : list of Agreement
    measured : dict
        By rung and board, what `measure` says.
    prices : dict
        By rung, what `Bench.price` says.
    """

    agreements: list[Agreement]
    measured: dict[str, dict[str, Any]]
    prices: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Bench:
    """The boards.

    Attributes
    ----------
    boards : mapping of str to NativeBoard or QemuBoard
    images : Path
        The folder that `build` wrote.
    sizes : mapping
        Of the app in each precision, by board: what `build` measured.
    repeats : int
        Runs of each window by the precision that ships.
    timeout_s : float
        Of real time, for one run.
    """

    boards: Mapping[str, NativeBoard | QemuBoard]
    images: Path
    sizes: Mapping[str, Mapping[str, Any]]
    repeats: int
    timeout_s: float

    def prove(self, rung: Rung) -> tuple[list[Agreement], dict[str, Any]]:
        """Prove a rung on every board, native first: it is the fastest to answer, and the easiest to search.

        Returns
        -------
        agreements : list of Agreement
        boards : dict
            `measure` of each board.

        Raises
        ------
        ParityBroken
            If an execution leaves the reference.
        """
        agreements, measured = [prove_reference(rung)], {}
        for name, board in sorted(self.boards.items(), key=lambda item: (item[1].kind != "native", item[0])):
            label = name if rung.ships else f"{name}, {rung.name}"
            device = Device(label, board, image(self.images, name, rung), self.timeout_s)
            part = rung.natively if board.kind == "native" else rung.emulated
            proven, result = prove(device, part, self.repeats if rung.ships else RUNG_REPEATS)
            agreements += proven
            measured[name] = measure(device, result, part.graph, self.sizes[rung.name][name])
        return agreements, measured

    def climb(self, rungs: Iterable[Rung]) -> Climb:
        """Prove every rung, and say what it costs; raises what `prove` does."""
        agreements: list[Agreement] = []
        measured, prices = {}, {}
        for rung in rungs:
            proven, measured[rung.name] = self.prove(rung)
            agreements += proven
            prices[rung.name] = self.price(rung, measured[rung.name])
        return Climb(agreements, measured, prices)

    def price(self, rung: Rung, measured: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Say what a rung costs on each board, and which figures a board's budget would not allow."""
        return {
            "ships": rung.ships,
            "weight_bytes": rung.weight_bytes,
            "activations": rung.natively.graph.ops[0].output.dtype,
            "score": rung.natively.graph.output.dtype,
            "boards": {
                name: {
                    **{key: used[key] for key in _PRICE},
                    "instructions": used["instructions"]
                    and {part: used["instructions"][part] for part in ("preprocess", "model")},
                    "over_budget": over_budget(self.boards[name], used),
                }
                for name, used in measured.items()
            },
        }


def image(images: Path, board: str, rung: Rung) -> Path:
    """Return the harness image of a rung."""
    return images / board / ("harness.elf" if rung.ships else f"rungs/{rung.name}.elf")


def prove_reference(rung: Rung) -> Agreement:
    """Hold the formula against ONNX Runtime: the same codes of an int8 score, the same number of an int32 one.

    A network of int16 activations or of float32 runs there in another way than the formula says: how far away that
    comes out is reported, on the windows of the emulated boards.

    Raises
    ------
    ParityBroken
        If a score that must be equal is not.
    """
    suffix = "" if rung.ships else f", {rung.name}"
    expected = rung.natively
    if expected.graph.output.dtype == "int8":
        return prove_formula(expected, f"numpy integers{suffix}")
    gap = ort_gap(rung.model, rung.emulated.graph, rung.emulated.codes)
    exact = expected.graph.output.dtype == "int32" and expected.graph.ops[-1].inputs[0].dtype == "int8"
    windows = len(rung.emulated.codes)
    if exact and gap.largest:
        raise ParityBroken(
            found=f"scores of {round(gap.share * windows)} of {windows} windows differ by up to {gap.largest:.1e} of "
            "the largest score",
            where=f"ONNX Runtime{suffix}",
            expected="float32(accumulator) * multiplier, exactly",
            remedy="Check that the pinned onnxruntime is installed, and see docs/numerics.md for the settings it needs",
        )
    return Agreement(
        name=f"ONNX Runtime{suffix}: score",
        windows=windows,
        different=round(gap.share * windows),
        unit="LSB" if gap.unit == "lsb" else "relative",
        max_difference=gap.largest,
        allowed=0 if exact else None,
        first=None,
    )
