"""Random preprocess contracts: every program of every scaler, every extractor, dc and normalisation."""

from __future__ import annotations

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st

from stages.core.dsp.contract import Code, Preprocess, Raw
from stages.core.dsp.extractors import Bands, Stats
from stages.core.dsp.histogram import Histogram
from stages.core.dsp.scalers import Column, fit_codes
from stages.core.errors import RecordingError
from stages.core.schema.features import (
    LogScaler,
    MinmaxScaler,
    PercentileScaler,
    QuantileScaler,
    RobustScaler,
    TwoStageScaler,
    ZscoreScaler,
)

CHANNELS = ("x", "y", "z")
RATE_HZ = 1000.0

FINE = st.one_of(
    st.builds(RobustScaler, kind=st.just("robust"), span_iqr=st.floats(0.1, 100)),
    st.builds(PercentileScaler, kind=st.just("percentile"), low=st.floats(0, 0.4), high=st.floats(0.6, 1)),
)
SCALERS = {
    "minmax": st.builds(MinmaxScaler, kind=st.just("minmax")),
    "zscore": st.builds(ZscoreScaler, kind=st.just("zscore"), span_sigma=st.floats(0.1, 100)),
    "robust": st.builds(RobustScaler, kind=st.just("robust"), span_iqr=st.floats(0.1, 100)),
    "percentile": st.builds(
        PercentileScaler, kind=st.just("percentile"), low=st.floats(0, 0.4), high=st.floats(0.6, 1)
    ),
    "log": st.builds(LogScaler, kind=st.just("log"), knee_iqr=st.floats(0.01, 100)),
    "quantile": st.builds(QuantileScaler, kind=st.just("quantile")),
    "two_stage": st.builds(TwoStageScaler, kind=st.just("two_stage"), fine=FINE),
}


@st.composite
def signals(draw, limit):
    """Values that statistics are fitted on: any location and spread up to the limit, some with ties or a spike."""
    rng = np.random.Generator(np.random.PCG64(draw(st.integers(0, 2**32 - 1))))
    spread = 2.0 ** draw(st.floats(1, 16))
    values = draw(st.integers(-limit, limit)) + rng.normal(0, spread, 500)
    if draw(st.booleans()):
        values[: draw(st.integers(1, 400))] = values[-1]
    values[0] += draw(st.sampled_from([0.0, 10 * spread, -1000 * spread]))
    return np.clip(np.rint(values), -limit, limit).astype(np.int32)


@st.composite
def extractors(draw, window, kinds=("raw", "bands", "stats")):
    kind = draw(st.sampled_from([k for k in kinds if k != "bands" or window >= 16]))
    if kind == "raw":
        return Raw()
    if kind == "stats":
        frame = draw(st.integers(2, window))
        return Stats(frame, draw(st.integers(1, window)))
    frame = 2 ** draw(st.integers(4, min(10, window.bit_length() - 1)))
    edges = draw(st.lists(st.integers(0, frame // 2 + 1), min_size=2, max_size=6, unique=True))
    return Bands(frame, draw(st.integers(1, window)), draw(st.sampled_from(["hann", "rect"])), tuple(sorted(edges)))


@st.composite
def contracts(draw, kinds=("raw", "bands", "stats"), scalers=tuple(SCALERS)):
    """Return a contract and the kind of scaler that made its codes."""
    dc = draw(st.sampled_from(["none", "window_mean"]))
    powers = st.sampled_from([2**k for k in range(4, 9)])
    window = draw(powers if dc == "window_mean" else st.one_of(powers, st.integers(2, 200)))
    contract = Preprocess(
        RATE_HZ,
        CHANNELS[: draw(st.integers(1, 3))],
        window,
        draw(st.integers(1, window)),
        dc,
        draw(st.one_of(st.none(), st.integers(1, 32767))),
        draw(extractors(window, kinds)),
    )
    scaler = draw(SCALERS[draw(st.sampled_from(scalers))])
    return _with_codes(contract, draw(fitted(scaler, contract))), scaler.kind


def _with_codes(contract, codes):
    return Preprocess(**{**vars(contract), "codes": codes})


@st.composite
def fitted(draw, scaler, contract) -> tuple[Code, ...]:
    """Codes of a scaler fitted to random statistics of each column; columns that cannot be fitted are drawn again."""
    columns = []
    for name in contract.columns:
        limit = contract.value_limit
        healthy, events = (Histogram.of(draw(signals(limit))) for _ in range(2))
        columns.append(Column(name, healthy, events, limit, draw(st.sampled_from([2048, 32768]))))
    try:
        return fit_codes(scaler, columns)
    except RecordingError:
        return reject()
