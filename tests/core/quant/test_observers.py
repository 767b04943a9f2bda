"""Ranges of observers on hand-made tensors, against brute force and numpy."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from stages.core.quant.observers import OBSERVERS, divergence, observer_arguments
from stages.core.quant.ptq import ptq
from stages.core.quant.quantizer import QuantOptions
from tests.core.graph.networks import SCALE, ds_cnn, windows


def observe(name: str, *batches: np.ndarray, share: float = 0.9999, dtype: torch.dtype = torch.int8) -> tuple[Any, Any]:
    """Return (scale, zero point) after some batches."""
    limits = torch.iinfo(dtype)
    scheme = torch.per_tensor_affine if dtype == torch.int8 else torch.per_tensor_symmetric
    observer = OBSERVERS[name](
        dtype=dtype, qscheme=scheme, quant_min=limits.min, quant_max=limits.max, **observer_arguments(name, share)
    )
    for batch in batches:
        observer(torch.from_numpy(batch.astype(np.float32)))
    scale, zero_point = observer.calculate_qparams()
    return float(scale), int(zero_point)


def span(name: str, *batches: np.ndarray, **options: Any) -> tuple[float, float]:
    """Return the lowest and the highest real value with a code of its own."""
    scale, zero_point = observe(name, *batches, **options)
    return (-128 - zero_point) * scale, (127 - zero_point) * scale


def normals(n: int = 20000) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(3)).normal(0, 1, n)


def spiked() -> np.ndarray:
    """One spike among normals."""
    return np.append(normals(), 40.0)


def squared_error(values: np.ndarray, low: float, high: float) -> float:
    scale = (high - low) / 255
    codes = np.clip(np.rint((values - low) / scale), 0, 255)
    return float(np.mean((codes * scale + low - values) ** 2))


def test_minmax_keeps_the_spike() -> None:
    low, high = span("minmax", spiked())
    assert high == pytest.approx(40, abs=0.1)
    assert low == pytest.approx(normals().min(), abs=0.1)


def test_histogram_has_about_the_least_squared_error_of_any_range() -> None:
    values = np.random.Generator(np.random.PCG64(3)).laplace(0, 1, 100_000)
    found = squared_error(values, *span("histogram", values))
    ends = np.linspace(4, 12, 17)
    best = min(squared_error(values, -low, high) for low in ends for high in ends)
    assert found <= 1.15 * best
    assert found < squared_error(values, *span("minmax", values))


@pytest.mark.parametrize("share", [0.9, 0.99, 0.999])
def test_percentile_is_the_range_of_both_quantiles(share: float) -> None:
    values = normals()
    bin_width = np.ptp(values) / 2048
    low, high = span("percentile", values, share=share)
    expected = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
    step = (high - low) / 255
    assert abs(low - expected[0]) <= bin_width + step  # the zero point is rounded to a code
    assert abs(high - expected[1]) <= bin_width + step


def test_percentile_drops_a_spike_that_is_rarer_than_the_share_allows_and_keeps_one_that_is_not() -> None:
    assert span("percentile", spiked(), share=0.999)[1] < 4.5
    assert span("percentile", np.append(normals(), np.full(100, 40.0)), share=0.999)[1] > 39


def test_percentile_of_relu_outputs_starts_at_zero() -> None:
    low, high = span("percentile", np.maximum(normals(), 0), share=0.99)
    assert low == 0
    assert high == pytest.approx(2.576, abs=0.1)


def test_divergence_is_that_of_the_coded_histogram() -> None:
    counts = np.array([1.0, 0, 5, 7, 2, 4, 6, 3])
    clipped = [5 + 1, 7, 2, 4 + 6 + 3]  # bins 2..5 have codes; what lies outside counts at the ends
    coded = [(5 + 7) / 2, (5 + 7) / 2, (2 + 4) / 2, (2 + 4) / 2]
    p, q = np.array(clipped) / sum(clipped), np.array(coded) / sum(coded)
    assert divergence(counts, 2, 6, 2) == pytest.approx(float((p * np.log(p / q)).sum()))


def test_divergence_of_a_histogram_with_a_code_for_every_bin_is_nothing() -> None:
    assert divergence(np.array([3.0, 1, 4, 1, 5]), 0, 5, 5) == 0


def test_entropy_takes_the_candidate_of_least_divergence() -> None:
    values = np.maximum(spiked(), 0)
    counts, edges = np.histogram(values, 2048)
    losses = {}
    for step in range(128, 0, -1):
        stop = int((edges[:-1] < edges[-1] * step / 128).sum())
        if stop < 256:
            break
        kept = np.where(np.arange(2048) == 0, 0, counts)  # the bin of zero
        clipped = np.append(kept[: stop - 1], kept[stop - 1 :].sum()).astype(float)
        coded = np.zeros(stop)
        for level in range(256):
            of_level = range(-(-level * stop // 256), -(-(level + 1) * stop // 256))
            used = [b for b in of_level if clipped[b] > 0]
            coded[used] = max(kept[of_level].sum() / max(len(used), 1), 1e-4 * clipped.sum() / stop)
        losses[float(edges[stop])] = float(entropy(clipped, coded))
    best = min(losses, key=lambda high: losses[high])
    assert span("entropy", values)[1] == pytest.approx(best, rel=1e-3)
    assert best < 20


def test_entropy_keeps_the_whole_of_an_even_distribution() -> None:
    values = np.linspace(0, 10, 2048 * 20)
    assert span("entropy", values)[1] == pytest.approx(10, rel=0.01)


def test_moving_average_follows_slowly_from_the_first_batch() -> None:
    low, high = span("moving_average", np.array([-1.0, 1.0]), np.array([-1.0, 11.0]))
    assert high == pytest.approx(1 + 0.01 * 10, abs=0.01)
    assert low == pytest.approx(-1, abs=0.01)


@pytest.mark.parametrize("name", sorted(OBSERVERS))
def test_constant_and_absent_values_leave_a_usable_scale(name: str) -> None:
    for batches in ((), (np.zeros(10),), (np.full(10, 3.0),)):
        scale, zero_point = observe(name, *batches)
        assert scale > 0
        assert -128 <= zero_point <= 127


@pytest.mark.parametrize("name", sorted(OBSERVERS))
def test_int16_is_symmetric(name: str) -> None:
    scale, zero_point = observe(name, spiked(), dtype=torch.int16)
    assert zero_point == 0
    assert scale * 32768 == pytest.approx(40, rel=0.01) or name in ("percentile", "histogram")


def test_percentile_share_reaches_the_network() -> None:
    codes = windows(40, 2, 128)
    narrow, wide = (
        ptq(ds_cnn(2), codes, QuantOptions(SCALE, "percentile", percentile_share=share)) for share in (0.9, 0.9999)
    )
    scales = [
        [
            float(node.args[1])
            for node in model.graph.nodes
            if "quantize_per_tensor" in node.name and node.args[1] != SCALE
        ]
        for model in (narrow, wide)
    ]
    assert len(scales[0]) == len(scales[1]) > 5
    assert sum(scales[0]) < 0.8 * sum(scales[1])
