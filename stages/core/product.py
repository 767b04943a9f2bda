"""What ships, as the host sees it: contracts, network, and the model of the device that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.core.dsp.contract import Preprocess, preprocess
from stages.core.graph.ir import Graph
from stages.core.graph.lower import read_graph
from stages.core.graph.reference import head_of
from stages.core.runtime.app import App, Decided
from stages.core.runtime.decision import Rules
from stages.core.runtime.stream import Stream
from stages.core.scoring import codes_of


@dataclass(frozen=True)
class Product:
    """A network between its preprocessing and its runtime.

    Attributes
    ----------
    graph : Graph
    preprocess : Preprocess
    rules : Rules
    stream : Stream
    classes : tuple of str
    thresholds : tuple of float
        Logits, one per output.
    """

    graph: Graph
    preprocess: Preprocess
    rules: Rules
    stream: Stream
    classes: tuple[str, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def of(cls, model: bytes, contract: Mapping[str, Any], preprocess: Mapping[str, Any]) -> Product:
        """Rebuild it from ONNX, the model contract and the preprocess contract."""
        return cls(
            graph=read_graph(model),
            preprocess=Preprocess.from_json(dict(preprocess)),
            rules=Rules.from_json(contract["decision"]["rules"]),
            stream=Stream.from_json(contract["stream"]),
            classes=tuple(contract["labels"]),
            thresholds=tuple(contract["decision"]["threshold_logits"]),
        )

    @property
    def outputs(self) -> int:
        """Of the network."""
        return len(self.rules.codes)

    def app(self, tick_hz: int) -> App:
        """Return the model of the device, at its start, with a clock of this rate."""
        shape = self.preprocess
        return App(self.stream, self.rules, shape.window, shape.hop, tick_hz / shape.sample_rate_hz, self.score)

    def score(self, windows: NDArray[np.signedinteger]) -> NDArray[np.int32]:
        """Return the score codes of windows of counts, shape (windows, window, channels)."""
        return codes_of(self.graph, preprocess(self.preprocess, windows))

    def logits(self, decided: list[Decided]) -> NDArray[np.float64]:
        """Return what the score codes of windows stand for, NaN for unknown ones, shape (windows, outputs)."""
        codes = np.array([window.codes for window in decided], np.int32).reshape(-1, self.outputs)
        logits = head_of(self.graph).real(codes)
        return np.where([[bool(window.causes)] for window in decided], np.nan, logits)
